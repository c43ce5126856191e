"""The running service: one pipeline, two doors."""
