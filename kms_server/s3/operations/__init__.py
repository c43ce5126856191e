"""One module per family of S3 operations; `table` is the table of contents."""
