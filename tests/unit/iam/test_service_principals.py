"""Services that act by themselves: only a policy that names them lets them in, wherever the resource is."""

from dataclasses import replace

import pytest

from kms_server.iam.authority import Authority, Rule
from kms_server.iam.context import NOTHING
from kms_server.iam.evaluate import authorize
from kms_server.iam.policy import compile_bucket_policy
from kms_server.iam.principal import Principal

OWNER, OTHER = "111122223333", "444455556666"
ACTION, ARN = "s3:PutObject", "arn:aws:s3:::logs/a"
TRAIL = f"arn:aws:cloudtrail:us-east-1:{OWNER}:trail/main"
CLOUDTRAIL = '{"Service":"cloudtrail.amazonaws.com"}'


def bucket(*statements: tuple[str, str], rule: Rule | None = None) -> Authority:
    """A bucket whose policy has statements of effect and principal."""
    listed = ",".join(
        f'{{"Effect":"{effect}","Principal":{principal},"Action":"s3:*","Resource":["arn:aws:s3:::logs/*"]}}'
        for effect, principal in statements
    )
    policy = compile_bucket_policy(f'{{"Version":"2012-10-17","Statement":[{listed}]}}')
    return Authority(
        OWNER, "arn:aws:s3:::logs", policy, "bucket policy", rule or Rule(spans=True, shares=True)
    )


@pytest.mark.parametrize("account", [OWNER, OTHER])
@pytest.mark.parametrize(
    ("statements", "allowed"),
    [
        ([("Allow", CLOUDTRAIL)], True),
        ([("Allow", '"*"')], True),
        ([("Allow", '{"Service":"config.amazonaws.com"}')], False),
        ([("Allow", f'{{"AWS":"{OWNER}"}}')], False),
        ([("Allow", CLOUDTRAIL), ("Deny", '"*"')], False),
        ([("Allow", CLOUDTRAIL), ("Deny", CLOUDTRAIL)], False),
        ([("Allow", CLOUDTRAIL), ("Deny", f'{{"AWS":"{OWNER}"}}')], True),
    ],
    ids=["itself", "everybody", "another", "account", "nobody", "not-itself", "not-the-account"],
)
def test_the_policy_must_name_it(account: str, statements: list[tuple[str, str]], *, allowed: bool) -> None:
    service = Principal.service("cloudtrail.amazonaws.com", account, TRAIL)
    assert authorize(service, ACTION, bucket(*statements), NOTHING, arn=ARN).allowed is allowed


def test_no_policy_of_an_identity_counts() -> None:
    service = Principal.service("cloudtrail.amazonaws.com", OWNER, TRAIL)
    assert not authorize(service, ACTION, ARN, NOTHING).allowed


def test_a_bucket_that_is_closed_to_strangers_is_open_to_services() -> None:
    closed = replace(Rule(spans=True, shares=True), closed=True)
    service = Principal.service("cloudtrail.amazonaws.com", OTHER, TRAIL)
    authority = bucket(("Allow", '"*"'), rule=closed)
    assert authorize(service, ACTION, authority, NOTHING, arn=ARN).allowed
    stranger = Principal.root(OTHER, "AKIA")
    assert not authorize(stranger, ACTION, authority, NOTHING, arn=ARN).allowed


def test_a_record_says_no_more_than_its_name() -> None:
    service = Principal.service("cloudtrail.amazonaws.com", OWNER, TRAIL)
    assert service.identity == {"type": "AWSService", "invokedBy": "cloudtrail.amazonaws.com"}
    assert service.name == "cloudtrail.amazonaws.com"
