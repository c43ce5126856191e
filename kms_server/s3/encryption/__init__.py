"""The kinds of server-side encryption."""
