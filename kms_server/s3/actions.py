"""What the actions are about that a bucket policy names."""

from kms_server.iam.patterns import fits, wild
from kms_server.iam.s3_actions import ON_BUCKETS, ON_OBJECTS
from kms_server.s3.call import Level


def levels(pattern: str) -> frozenset[Level]:
    """What the actions are about that fit an element of a policy, which may have wildcards; none: there are none."""
    wanted = wild(pattern.lower())
    found = ((Level.BUCKET, ON_BUCKETS), (Level.OBJECT, ON_OBJECTS))
    return frozenset(level for level, names in found if any(fits(wanted, name) for name in names))
