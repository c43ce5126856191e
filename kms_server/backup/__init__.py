"""Backups of a server's lasting state, and what is made of them."""
