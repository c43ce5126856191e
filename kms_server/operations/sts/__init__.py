"""STS's operations; `table` lists them."""
