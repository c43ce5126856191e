"""Bytes to values and back: AWS JSON 1.1 and SigV4. No I/O."""
