"""Which resources a statement covers."""

import pytest

from kms_server.iam.context import FixedContext
from kms_server.iam.resources import Resources

KEY = "arn:aws:kms:us-east-1:111111111111:key/k:1"
CONTEXT = FixedContext({"aws:PrincipalTag/key": ["k:1"], "app:arn": [KEY], "app:star": ["*"]})


def covers(*listed: str, arn: str = KEY, inverted: bool = False, variables: bool = True) -> bool:
    return Resources.compile(listed, inverted=inverted, variables=variables).match(arn, CONTEXT)


@pytest.mark.parametrize(
    ("listed", "covered"),
    [
        ("*", True),
        (KEY, True),
        (KEY + "2", False),
        (KEY.upper(), False),
        ("arn:aws:kms:*:*:*", True),
        ("arn:*:kms:us-????-1:1*1:key/?:*", True),
        # no wildcard in the service, and none that spans the first five colons
        ("arn:aws:*:us-east-1:111111111111:key/k:1", False),
        ("arn:aws:k?s:us-east-1:111111111111:key/k:1", False),
        ("arn:aws:kms:*:key/k:1", False),
        ("arn:aws:kms:us-east-1:*:k:1", False),
        # variables only behind the fifth colon
        ("arn:aws:kms:us-east-1:111111111111:key/${aws:PrincipalTag/key}", True),
        ("arn:aws:kms:us-east-1:111111111111:*/${AWS:principaltag/KEY, 'x'}", True),
        ("arn:aws:kms:us-east-1:111111111111:key/${aws:PrincipalTag/none}", False),
        ("arn:aws:kms:us-east-1:111111111111:${app:star}", False),
        ("arn:aws:kms:us-east-1:111111111111:key/${*}", False),
        ("arn:aws:kms:us-east-1:${aws:PrincipalAccount, '111111111111'}:key/k:1", False),
        ("${app:arn}", False),
        # never an ARN; the parser of policies refuses them
        ("key/k:1", False),
        ("a:aws:kms:us-east-1:111111111111:key/*", False),
        ("*:aws:kms:us-east-1:111111111111:key/*", False),
        ("", False),
    ],
)
def test_a_resource_covers_an_arn(listed: str, covered: bool) -> None:
    assert covers(listed) is covered
    assert covers("arn:aws:s3:::b/*", listed) is covered
    assert covers(listed, inverted=True) is not covered


def test_only_everything_covers_a_request_without_a_resource() -> None:
    assert covers("*", arn="*")
    assert not covers("arn:*:kms:*:*:*", "arn:aws:kms:*:*:*", arn="*")
    assert covers("arn:aws:kms:*:*:*", arn="*", inverted=True)
    assert not covers("*", arn="*", inverted=True)


def test_older_documents_have_no_variables() -> None:
    listed = "arn:aws:kms:us-east-1:111111111111:key/${aws:PrincipalTag/key}"
    assert not covers(listed, variables=False)
    assert covers(listed, arn=listed, variables=False)


def test_no_resource_covers_nothing() -> None:
    assert not covers()
