"""How the layer calls the KMS for its own callers."""
