"""The type of a resource that a record names, as an expression over a column that holds its ARN.

An ARN tells its type, so no column of its own is kept, and rows of any age answer. The expression is literal SQL that SQLite
and PostgreSQL both read: an index on it serves a question only when both say the same.
"""

from sqlalchemy import ColumnElement, String, literal_column

_PATTERNS = (
    ("arn:aws:kms:%:key/%", "AWS::KMS::Key"),
    ("arn:aws:kms:%:alias/%", "AWS::KMS::Alias"),
    ("arn:aws:iam::%:role/%", "AWS::IAM::Role"),
    ("arn:aws:cloudtrail:%:trail/%", "AWS::CloudTrail::Trail"),
    ("arn:aws:s3:::%/%", "AWS::S3::Object"),
    ("arn:aws:s3:::%", "AWS::S3::Bucket"),
)

RESOURCE_TYPES = tuple(name for _, name in _PATTERNS)


def resource_type(column: str) -> ColumnElement[str]:
    """The type of the ARN in a column; null where there is none."""
    cases = " ".join(f"WHEN {column} LIKE '{pattern}' THEN '{name}'" for pattern, name in _PATTERNS)
    return literal_column(f"(CASE {cases} END)", String)
