"""The domain: KMS keys, their states, versions and names. No I/O."""
