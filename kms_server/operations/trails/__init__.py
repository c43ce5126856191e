"""CloudTrail's operations on trails; `table` lists them."""
