"""For each operation of the table one request that succeeds, with all that it needs made before."""

from collections.abc import Iterator, Mapping
from typing import Any

from kms_server.keys.states import KeyState
from kms_server.operations.call import Operation
from kms_server.operations.registry import OPERATIONS, find
from kms_server.quotas.table import KEYS, QUOTAS
from kms_server.storage import quota_requests
from tests.unit.operations import query_service as query
from tests.unit.operations import scenes
from tests.unit.operations.service import ACCOUNT, REGION, Service
from tests.unit.operations.state_matrix import MATRIX, WITHOUT_KEY, Cell
from tests.unit.operations.trail_service import CloudTrail

Members = dict[str, Any]
ROOT = f"arn:aws:iam::{ACCOUNT}:root"
STORE = {"CustomKeyStoreId": "cks-1234567890abcdef0"}
# There are no custom key stores, and there is nobody to have an MFA device or a password.
NEVER = frozenset({
    "CreateCustomKeyStore", "ConnectCustomKeyStore", "DisconnectCustomKeyStore", "UpdateCustomKeyStore",
    "DeleteCustomKeyStore", "GetLoginProfile", "DeleteLoginProfile",
})  # fmt: skip
# A fault that meets no call.
_UNMET = {"Error": "ThrottlingException", "Principal": "nobody"}
_KEYLESS: Mapping[str, Members] = {
    "CreateKey": {}, "ListKeys": {}, "GenerateRandom": {"NumberOfBytes": 1}, "DescribeCustomKeyStores": {},
    "ListRetirableGrants": {"RetiringPrincipal": ROOT}, "CreateCustomKeyStore": {"CustomKeyStoreName": "s"},
    "InjectFault": _UNMET, "ListInjectedFaults": {},
}  # fmt: skip
_DOCUMENT = query.document(query.allow("kms:ListKeys"))
_TRUST = query.document(query.trusting({"AWS": ROOT}))
_USER, _ROLE, _GROUP = {"UserName": "ada"}, {"RoleName": "run"}, {"GroupName": "all"}
_POLICY = {"PolicyArn": f"arn:aws:iam::{ACCOUNT}:policy/p"}
_PROVIDER = {"OpenIDConnectProviderArn": f"arn:aws:iam::{ACCOUNT}:oidc-provider/issuer.test"}
_NAMED, _INLINE = {"PolicyName": "in"}, {"PolicyName": "in", "PolicyDocument": _DOCUMENT}
_TAGS, _KEYS = {"Tags": [{"Key": "a", "Value": "b"}]}, {"TagKeys": ["a"]}
_BOUNDARY = {"PermissionsBoundary": _POLICY["PolicyArn"]}
_CLIENT = {"ClientID": "app"}
_TRAIL, _TRAIL_ARN = {"Name": "main"}, f"arn:aws:cloudtrail:{REGION}:{ACCOUNT}:trail/main"


def _inline(title: str, one: Members) -> Iterator[tuple[str, Members]]:
    yield f"Put{title}Policy", one | _INLINE
    yield f"Get{title}Policy", one | _NAMED
    yield f"List{title}Policies", one
    yield f"Delete{title}Policy", one | _NAMED
    yield f"Attach{title}Policy", one | _POLICY
    yield f"ListAttached{title}Policies", one
    if title == "Group":
        yield "ListEntitiesForPolicy", _POLICY
    yield f"Detach{title}Policy", one | _POLICY


def _tagged(title: str, one: Members) -> Iterator[tuple[str, Members]]:
    yield f"Tag{title}", one | _TAGS
    yield f"List{title}Tags", one
    yield f"Untag{title}", one | _KEYS


def _trailed() -> Iterator[tuple[str, Members]]:
    yield "CreateTrail", _TRAIL | {"S3BucketName": "trail-bucket"}
    yield "UpdateTrail", _TRAIL | {"S3KeyPrefix": "a"}
    yield "GetTrail", _TRAIL
    yield "DescribeTrails", {"trailNameList": ["main"]}
    yield "ListTrails", {}
    yield "PutEventSelectors", {"TrailName": "main", "EventSelectors": [{"ReadWriteType": "All"}]}
    yield "GetEventSelectors", {"TrailName": "main"}
    yield "StartLogging", _TRAIL
    yield "GetTrailStatus", _TRAIL
    yield "StopLogging", _TRAIL
    yield "AddTags", {"ResourceId": _TRAIL_ARN, "TagsList": [{"Key": "a", "Value": "b"}]}
    yield "ListTags", {"ResourceIdList": [_TRAIL_ARN]}
    yield "RemoveTags", {"ResourceId": _TRAIL_ARN, "TagsList": [{"Key": "a"}]}
    yield "ListPublicKeys", {}
    yield "DeleteTrail", _TRAIL


def _raised(service: Service) -> Iterator[tuple[str, Members]]:
    one = {"ServiceCode": "kms", "QuotaCode": QUOTAS[KEYS].code}
    yield "ListServices", {"MaxResults": 1}
    yield "ListServiceQuotas", {"ServiceCode": "kms"}
    yield "GetServiceQuota", one
    yield "ListAWSDefaultServiceQuotas", {"ServiceCode": "kms"}
    yield "GetAWSDefaultServiceQuota", one
    yield "RequestServiceQuotaIncrease", one | {"DesiredValue": 200_000.0}
    with service.database.read() as connection:
        request = quota_requests.every(connection)[-1]
    yield "GetRequestedServiceQuotaChange", {"RequestId": request.request_id}
    yield "ListRequestedServiceQuotaChangeHistory", {"Status": "APPROVED"}
    yield "ListRequestedServiceQuotaChangeHistoryByQuota", one


def _made(key_id: str) -> Iterator[tuple[str, Members]]:
    yield "CreateUser", _USER
    yield "CreateGroup", _GROUP
    yield "CreateRole", _ROLE | {"AssumeRolePolicyDocument": _TRUST}
    yield "CreatePolicy", {"PolicyName": "p", "PolicyDocument": _DOCUMENT}
    yield "CreateOpenIDConnectProvider", {"Url": "https://issuer.test", "ClientIDList": ["app"]}
    yield "CreateAccessKey", _USER
    yield "GetAccessKeyLastUsed", {"AccessKeyId": key_id}
    for name in ("ListUsers", "ListGroups", "ListRoles", "ListPolicies", "ListOpenIDConnectProviders",
                 "GetAccountSummary", "ListAccountAliases", "GetAccountAuthorizationDetails", "ListVirtualMFADevices"):  # fmt: skip
        yield name, {}
    for name in ("GetUser", "ListAccessKeys", "ListMFADevices", "ListSigningCertificates", "ListSSHPublicKeys",
                 "ListServiceSpecificCredentials", "ListGroupsForUser"):  # fmt: skip
        yield name, _USER
    yield "GetLoginProfile", _USER
    yield "DeleteLoginProfile", _USER


def _changed(key_id: str) -> Iterator[tuple[str, Members]]:
    yield "UpdateAccessKey", _USER | {"AccessKeyId": key_id, "Status": "Inactive"}
    yield "AddUserToGroup", _GROUP | _USER
    yield "GetGroup", _GROUP
    yield "RemoveUserFromGroup", _GROUP | _USER
    yield "GetRole", _ROLE
    yield "UpdateRole", _ROLE | {"Description": "d"}
    yield "UpdateRoleDescription", _ROLE | {"Description": "d"}
    yield "UpdateAssumeRolePolicy", _ROLE | {"PolicyDocument": _TRUST}
    yield "ListInstanceProfilesForRole", _ROLE
    for title, one in (("User", _USER), ("Role", _ROLE), ("Group", _GROUP)):
        yield from _inline(title, one)
    for title, one in (("User", _USER), ("Role", _ROLE)):
        yield f"Put{title}PermissionsBoundary", one | _BOUNDARY
        yield f"Delete{title}PermissionsBoundary", one
    for title, one in (
        ("User", _USER),
        ("Role", _ROLE),
        ("Policy", _POLICY),
        ("OpenIDConnectProvider", _PROVIDER),
    ):
        yield from _tagged(title, one)
    yield "GetPolicy", _POLICY
    yield "CreatePolicyVersion", _POLICY | {"PolicyDocument": _DOCUMENT}
    yield "GetPolicyVersion", _POLICY | {"VersionId": "v2"}
    yield "ListPolicyVersions", _POLICY
    yield "SetDefaultPolicyVersion", _POLICY | {"VersionId": "v2"}
    yield "DeletePolicyVersion", _POLICY | {"VersionId": "v1"}
    yield "GetOpenIDConnectProvider", _PROVIDER
    yield "AddClientIDToOpenIDConnectProvider", _PROVIDER | _CLIENT
    yield "RemoveClientIDFromOpenIDConnectProvider", _PROVIDER | _CLIENT
    yield "UpdateOpenIDConnectProviderThumbprint", _PROVIDER | {"ThumbprintList": ["1a" * 20]}
    asked = {"ActionNames": ["kms:ListKeys"]}
    yield "SimulatePrincipalPolicy", asked | {"PolicySourceArn": f"arn:aws:iam::{ACCOUNT}:user/ada"}
    yield "SimulateCustomPolicy", asked | {"PolicyInputList": [_DOCUMENT]}


def _removed(key_id: str) -> Iterator[tuple[str, Members]]:
    yield "DeleteAccessKey", _USER | {"AccessKeyId": key_id}
    yield "UpdateUser", _USER | {"NewPath": "/x/"}
    yield "UpdateGroup", _GROUP | {"NewPath": "/x/"}
    yield "DeleteUser", _USER
    yield "DeleteGroup", _GROUP
    yield "DeleteRole", _ROLE
    yield "DeletePolicy", _POLICY
    yield "DeleteOpenIDConnectProvider", _PROVIDER


def of_kms(service: Service, row: str) -> Members:
    """The members of a request for a row of the state matrix, or for an operation without a key."""
    if row == "RemoveInjectedFault":
        return service.ok("InjectFault", **_UNMET)
    if row in WITHOUT_KEY:
        return dict(_KEYLESS.get(row, STORE))
    cell = Cell(row, KeyState.ENABLED, ".")
    members = scenes.members(service, cell, scenes.make_key(service, cell))
    if row == "CancelKeyDeletion":
        service.ok("ScheduleKeyDeletion", KeyId=members["KeyId"])
    return members


def of_iam() -> list[tuple[str, Members]]:
    """One request of each of IAM's operations, in an order in which all succeed; `<key>` is the id of the user's access key."""
    return [*_made("<key>"), *_changed("<key>"), *_removed("<key>")]


def each(service: Service) -> Iterator[tuple[Operation, Members]]:
    """Requests of all signed operations; each has to be made before the next is taken."""
    for row in (*(row for row in MATRIX if " of " not in row), *sorted(WITHOUT_KEY)):
        yield find("kms", row.partition(" ")[0]), of_kms(service, row)
    yield find("cloudtrail", "LookupEvents"), {"MaxResults": 1}
    CloudTrail(service)  # any bucket will do
    yield from ((find("cloudtrail", name), members) for name, members in _trailed())
    yield from ((find("servicequotas", name), members) for name, members in _raised(service))
    trusting = query.role(service, "assumed", query.trusting({"AWS": ROOT}))
    key = query.user(service, "keyed")[1].access_key
    for name, members in (
        ("GetCallerIdentity", {}), ("GetAccessKeyInfo", {"AccessKeyId": key}), ("GetSessionToken", {}),
        ("GetFederationToken", {"Name": "fed"}), ("AssumeRole", {"RoleArn": trusting.arn, "RoleSessionName": "s-1"}),
    ):  # fmt: skip
        yield find("sts", name), members
    made = ""
    for name, members in of_iam():
        if members.get("AccessKeyId") == "<key>":
            made = made or _access_key_of_ada(service)
            yield find("iam", name), members | {"AccessKeyId": made}
        else:
            yield find("iam", name), members


def unsigned() -> list[Operation]:
    """The operations that `each` leaves out."""
    return [one for one in OPERATIONS if one.unsigned]


def _access_key_of_ada(service: Service) -> str:
    told = query.ok(service, "iam", "ListAccessKeys", UserName="ada")
    key_id: str = told["AccessKeyMetadata"][0]["AccessKeyId"]
    return key_id
