"""Seed files: keys with given ids and material, as values. No I/O, and no text that quotes material."""
