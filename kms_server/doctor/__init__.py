"""What `kms-server doctor` looks at."""
