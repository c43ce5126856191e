"""The forms of the ARNs that actions are about, as a simulation of several resources shows them."""

from kms_server.iam.s3_actions import ON_BUCKETS, ON_OBJECTS

_KEY = "arn:${Partition}:kms:${Region}:${Account}:key/${KeyId}"
_BUCKET = "arn:${Partition}:s3:::${BucketName}"
_OBJECT = f"{_BUCKET}/${{ObjectName}}"
_TRAIL = "arn:${Partition}:cloudtrail:${Region}:${Account}:trail/${TrailName}"
_QUOTA = "arn:${Partition}:servicequotas:${Region}:${Account}:${ServiceCode}/${QuotaCode}"
_ON_TRAILS = frozenset({
    "addtags", "createtrail", "deletetrail", "geteventselectors", "gettrail", "gettrailstatus", "listtags",
    "puteventselectors", "removetags", "startlogging", "stoplogging", "updatetrail",
})  # fmt: skip
_ON_QUOTAS = frozenset({
    "getservicequota", "listrequestedservicequotachangehistorybyquota", "requestservicequotaincrease",
})  # fmt: skip
_OF_NO_KEY = frozenset({
    "connectcustomkeystore", "createcustomkeystore", "createkey", "deletecustomkeystore", "describecustomkeystores",
    "disconnectcustomkeystore", "generaterandom", "listaliases", "listkeys", "updatecustomkeystore",
})  # fmt: skip


def of(action: str) -> str:
    """The form of the ARNs that an action is about; `*` where it is about no resource of its own."""
    lower = action.lower()
    service, _, name = lower.partition(":")
    if lower in ON_OBJECTS:
        return _OBJECT
    if lower in ON_BUCKETS:
        return _BUCKET
    if service == "cloudtrail" and name in _ON_TRAILS:
        return _TRAIL
    if service == "servicequotas" and name in _ON_QUOTAS:
        return _QUOTA
    return _KEY if service == "kms" and name not in _OF_NO_KEY else "*"
