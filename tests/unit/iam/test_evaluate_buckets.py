"""Policies that span many resources, and resources that share with the identity policies of their account."""

from dataclasses import replace
from typing import Any

from kms_server.arn import user_arn
from kms_server.iam.authority import Authority, Rule
from kms_server.iam.context import NOTHING
from kms_server.iam.decision import Decision, Reason
from kms_server.iam.evaluate import authorize
from kms_server.iam.policy import compile_bucket_policy
from kms_server.iam.principal import NOBODY, Principal
from tests.unit.iam.policy_documents import ALLOW_ALL, A, B, attached, document, root, statement, user

OTHER = ALLOW_ALL | {"Action": "kms:TagResource"}
BUCKET = "arn:aws:s3:::b"
SHARED = Rule(spans=True, shares=True, undeniable=frozenset({"s3:PutBucketPolicy"}))


def bucket(*statements: dict[str, Any], **rule: Any) -> Authority:
    policy = compile_bucket_policy(document(*statements))
    return Authority(A, BUCKET, policy, "bucket policy", replace(SHARED, **rule))


def reads(
    principal: Principal, resource: Authority, key: str = "k", action: str = "s3:GetObject"
) -> Decision:
    return authorize(principal, action, resource, NOTHING, arn=f"{BUCKET}/{key}")


def test_one_policy_decides_about_many_resources() -> None:
    open_part = statement("*", action="s3:GetObject", Resource=f"{BUCKET}/open/*")
    closed_part = statement("*", "Deny", action="s3:*", Resource=f"{BUCKET}/open/not/*")
    authority = bucket(open_part, closed_part)
    mira = user(A)
    for _ in range(2):
        assert reads(mira, authority, "open/k").reason is Reason.RESOURCE_POLICY
        assert reads(mira, authority, "open/not/k").reason is Reason.DENIED_BY_RESOURCE_POLICY
        assert reads(mira, authority, "k").reason is Reason.NO_IDENTITY
    # Without an ARN it is the bucket that is asked for.
    assert not authorize(mira, "s3:GetObject", authority, NOTHING).allowed


def test_what_covers_all_resources_is_settled() -> None:
    authority = bucket(statement("*", action="s3:GetObject"))
    assert authority.plan(user(A), "s3:GetObject").settled
    assert authority.plan(root(A), "s3:PutObject").settled
    narrow = bucket(statement("*", action="s3:GetObject", Resource=f"{BUCKET}/*"))
    assert narrow.plan(user(A), "s3:GetObject").settled is None


def test_identity_policies_share_with_the_policy_of_a_bucket() -> None:
    reading = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": f"{BUCKET}/*"}
    assert reads(user(A, reading), bucket(statement(B))).reason is Reason.IDENTITY
    assert reads(user(B, reading), bucket(statement(A))).reason is Reason.NO_RESOURCE_POLICY
    delegated = bucket(statement(B, action="s3:*"))
    assert reads(user(B, reading), delegated).reason is Reason.DELEGATED
    assert reads(user(B), delegated).reason is Reason.NO_IDENTITY
    limited = user(A, reading, boundary=attached("limit", OTHER))
    assert reads(limited, bucket(statement(B))).reason is Reason.NO_BOUNDARY


def test_nobody_needs_no_identity_and_has_none() -> None:
    assert reads(NOBODY, bucket(statement("*", action="s3:GetObject"))).allowed
    for named in (A, B, user_arn(A, "mira")):
        assert not reads(NOBODY, bucket(statement(named, action="s3:GetObject"))).allowed


def test_a_closed_bucket_is_open_at_home_alone() -> None:
    authority = bucket(statement("*", action="s3:GetObject"), closed=True)
    assert reads(user(A), authority).allowed
    for other in (NOBODY, root(B)):
        assert reads(other, authority).reason is Reason.NO_RESOURCE_POLICY


def test_the_root_of_the_account_is_exempt_from_some_denials_of_the_policy() -> None:
    authority = bucket(statement("*", "Deny", action="s3:*"))
    assert reads(root(A), authority, action="s3:PutBucketPolicy").allowed
    assert not reads(root(A), authority).allowed
    assert not reads(user(A, ALLOW_ALL | {"Action": "s3:*"}), authority, action="s3:PutBucketPolicy").allowed
