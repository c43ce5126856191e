"""Keys and identities in use: opened, cached, and dropped when they change."""
