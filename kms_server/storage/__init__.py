"""The only place that reads and writes the database."""
