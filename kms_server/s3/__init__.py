"""The S3 layer: objects that are never in clear, and a client of the KMS like any other."""
