"""What the service does: one module per family of operations."""
