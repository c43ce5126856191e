"""GetBucketPolicy, PutBucketPolicy, DeleteBucketPolicy, GetBucketPolicyStatus."""

from kms_server.iam.policy import compile_bucket_policy
from kms_server.protocol.json_reader import read_object
from kms_server.s3 import bucket_policy
from kms_server.s3.call import Level, S3Answer, S3Call, S3Operation
from kms_server.s3.errors import AccessDenied, MethodNotAllowed, NoSuchBucket, NoSuchBucketPolicy
from kms_server.s3.public_access import PublicAccessBlock, is_public
from kms_server.s3.wire import xml_writer
from kms_server.storage import buckets

_MOST_BODY = 65_536


def get_policy(call: S3Call) -> S3Answer:
    """The bucket policy as JSON (S3 GetBucketPolicy)."""
    policy = _policy(call)
    _require_owner(call)
    with call.services.shared.database.read() as connection:
        shown = bucket_policy.shown(connection, policy)
    return S3Answer(headers={"Content-Type": "application/json"}, body=shown.encode())


def put_policy(call: S3Call) -> S3Answer:
    """Replace the bucket policy (S3 PutBucketPolicy)."""
    _require_owner(call)
    body = call.payload.whole(_MOST_BODY)
    with call.configuring() as tx:
        # As it is now: who blocks public policies at this moment has to find none afterwards.
        bucket = buckets.get(tx.connection, call.bucket_name)
        if bucket is None:
            raise NoSuchBucket(BucketName=call.bucket_name)
        policy = bucket_policy.stored(tx.connection, bucket.name, body)
        call.logs(bucketPolicy=read_object(body))
        blocked = PublicAccessBlock.load(bucket.public_access).block_public_policy
        if blocked and is_public(compile_bucket_policy(policy)):
            raise AccessDenied(
                f"User: {call.call.principal.arn} is not authorized to perform: s3:PutBucketPolicy on resource: "
                f'"{bucket.arn}" because public policies are prevented by the BlockPublicPolicy setting in S3 Block '
                "Public Access."
            )
        buckets.change(tx, bucket, policy=policy)
    return S3Answer(204)


def delete_policy(call: S3Call) -> S3Answer:
    """Remove the bucket policy (S3 DeleteBucketPolicy)."""
    _require_owner(call)
    with call.configuring() as tx:
        buckets.change(tx, call.bucket, policy=None)
    return S3Answer(204)


def get_policy_status(call: S3Call) -> S3Answer:
    """Whether the bucket policy is public (S3 GetBucketPolicyStatus)."""
    public = is_public(compile_bucket_policy(_policy(call)))
    return S3Answer(body=xml_writer.document("PolicyStatus", {"IsPublic": public}))


def _policy(call: S3Call) -> str:
    if call.bucket.policy is None:
        raise NoSuchBucketPolicy(BucketName=call.bucket_name)
    return call.bucket.policy


def _require_owner(call: S3Call) -> None:
    """A policy may allow others what is the owner's account's alone; they get another error than AccessDenied."""
    if call.call.account != call.bucket.account:
        raise MethodNotAllowed(Method=call.request.method, ResourceType="BUCKETPOLICY")


OPERATIONS = (
    S3Operation("GetBucketPolicy", get_policy, "GET", Level.BUCKET, "s3:GetBucketPolicy", queries=("policy",)),
    S3Operation(
        "PutBucketPolicy", put_policy, "PUT", Level.BUCKET, "s3:PutBucketPolicy", queries=("policy",), writes=True
    ),
    S3Operation(
        "DeleteBucketPolicy", delete_policy, "DELETE", Level.BUCKET, "s3:DeleteBucketPolicy", queries=("policy",),
        writes=True,
    ),
    S3Operation(
        "GetBucketPolicyStatus", get_policy_status, "GET", Level.BUCKET, "s3:GetBucketPolicyStatus",
        queries=("policyStatus",),
    ),
)  # fmt: skip
