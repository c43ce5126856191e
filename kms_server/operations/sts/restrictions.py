"""What temporary credentials may not ask of IAM and STS, whatever policies say (IAM user guide, "Compare STS options")."""

from kms_server.errors import AccessDeniedException, UnrecognizedClientException
from kms_server.iam.principal import Principal
from kms_server.operations.call import Call

_ANYTHING_BUT = frozenset({"GetFederationToken", "GetSessionToken"})
_OF_A_USER = frozenset({"AssumeRole", "GetCallerIdentity"})
_OF_A_FEDERATED_USER = frozenset({"GetCallerIdentity"})


def check(call: Call) -> None:
    """Refuse what a session may not call.

    Raises:
        UnrecognizedClientException: IAM takes no credentials of GetSessionToken and GetFederationToken.
        AccessDeniedException: STS does not do that for a session.
    """
    service, name, principal = call.operation.service, call.operation.name, call.principal
    if service == "iam" and principal.kind != "AssumedRole":
        raise UnrecognizedClientException
    if service == "sts" and not _may_ask_sts(principal, name):
        raise AccessDeniedException(f"Cannot call {name} with session credentials")


def _may_ask_sts(principal: Principal, name: str) -> bool:
    if principal.kind == "AssumedRole":
        return name not in _ANYTHING_BUT
    return name in (_OF_A_FEDERATED_USER if principal.kind == "FederatedUser" else _OF_A_USER)
