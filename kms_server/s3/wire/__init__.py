"""Bytes of the S3 protocol to values and back. No I/O."""
