"""Trails: log files and digests, made from the log and delivered."""
