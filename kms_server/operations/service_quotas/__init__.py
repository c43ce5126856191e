"""The operations of Service Quotas; `table` lists them."""
