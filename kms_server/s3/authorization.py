"""Whether the caller may do what an S3 call asks for."""

from kms_server.iam.decision import Decision
from kms_server.iam.denial import why
from kms_server.iam.evaluate import authorize as decide
from kms_server.s3.buckets import LoadedBucket
from kms_server.s3.call import Level, S3Call
from kms_server.s3.condition_keys import NOTHING_MORE, Given, S3Context
from kms_server.s3.errors import AccessDenied

# The resource of what is about no single bucket.
ALL_BUCKETS = "arn:aws:s3:::*"


def authorize_call(call: S3Call, *, given: Given = NOTHING_MORE) -> None:
    """Check what the operation's row declares: its action, on the bucket or object that the path names.

    An operation without an action asks for itself when it knows what for.

    Raises:
        AccessDenied: or the bucket is not of the account that x-amz-expected-bucket-owner tells.
    """
    operation = call.operation
    expected = call.header("x-amz-expected-bucket-owner")
    if expected is not None and call.found is not None and call.found.bucket.account != expected:
        raise AccessDenied
    if not operation.action:
        return
    action = operation.action
    if operation.version_action is not None and "versionId" in call.query:
        action = operation.version_action
    authorize(call, action, _resource(call), given=given)


def authorize(
    call: S3Call, action: str, arn: str, *, bucket: LoadedBucket | None = None, given: Given = NOTHING_MORE
) -> None:
    """Check the bucket's policy and those of the caller for an action on the bucket or on one of its objects.

    `bucket` is that of `arn`, by default the call's own. Where there is none, or it is to be made, identity policies
    decide alone.

    Raises:
        AccessDenied: with AWS's text and the reason, unless the caller is of another account, a service, or anonymous.
    """
    owner = bucket or _own(call)
    decision = _decide(call, action, arn, owner, given)
    if decision.allowed:
        return
    principal = call.call.principal
    if not principal.has_identity or (owner is not None and owner.bucket.account != principal.account):
        raise AccessDenied
    place = "" if arn == ALL_BUCKETS else f' on resource: "{arn}"'
    raise AccessDenied(
        f"User: {principal.arn} is not authorized to perform: {action}{place} {why(decision, action)}"
    )


def may(
    call: S3Call, action: str, arn: str, *, bucket: LoadedBucket | None = None, given: Given = NOTHING_MORE
) -> bool:
    """Whether `authorize` would let the caller pass."""
    return _decide(call, action, arn, bucket or _own(call), given).allowed


def _resource(call: S3Call) -> str:
    if not call.bucket_name:
        return ALL_BUCKETS
    arn = f"arn:aws:s3:::{call.bucket_name}"
    return f"{arn}/{call.key}" if call.operation.level is Level.OBJECT else arn


def _own(call: S3Call) -> LoadedBucket | None:
    """The bucket that the path names; one that is to be made has no say, even where there is one of that name."""
    return call.found if call.operation.needs_bucket else None


def _decide(call: S3Call, action: str, arn: str, owner: LoadedBucket | None, given: Given) -> Decision:
    account = owner.bucket.account if owner else call.call.account
    context = S3Context(call, action, account, given)
    return decide(call.call.principal, action, owner.authority if owner else arn, context, arn=arn)
