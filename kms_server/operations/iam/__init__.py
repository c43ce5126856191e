"""IAM's operations; `table` lists them."""
