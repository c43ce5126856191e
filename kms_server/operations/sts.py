"""STS: who is calling."""

from kms_server.operations.call import Answer, Call, Operation, Plane
from kms_server.schemas import sts as schemas


def get_caller_identity(call: Call) -> Answer:
    """Tell callers who they are; nobody needs a permission for it, and no policy can deny it."""
    principal = call.principal
    return {"UserId": principal.unique_id, "Account": principal.account, "Arn": principal.arn}


OPERATIONS = (
    Operation(
        "GetCallerIdentity", get_caller_identity, schemas.GetCallerIdentityRequest, schemas.GetCallerIdentityResponse,
        Plane.DATA, "Tells callers who they are.", service="sts",
    ),
)  # fmt: skip
