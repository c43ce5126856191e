"""Cryptographic formats over the primitives of `cryptography`. No storage."""
