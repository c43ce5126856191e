"""Rate limits: the quota table and token buckets shared by the processes of a host."""
