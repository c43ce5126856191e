"""The condition keys of S3 that a bucket policy may name (AWS "Condition keys for Amazon S3").

Some never have a value here. They are taken, since what asks for them means the same then as on AWS.
"""

_NAMES = frozenset(
    [
        "accessgrantsinstancearn",
        "accesspointnetworkorigin",
        "annotationname",
        "authtype",
        "buckettag/",
        "dataaccesspointaccount",
        "dataaccesspointarn",
        "delimiter",
        "destinationregion",
        "existingobjecttag/",
        "if-match",
        "if-none-match",
        "inventoryaccessibleoptionalfields",
        "isreplicationpauserequest",
        "jobsuspendedcause",
        "locationconstraint",
        "max-keys",
        "object-lock-legal-hold",
        "object-lock-mode",
        "object-lock-remaining-retention-days",
        "object-lock-retain-until-date",
        "objectcreationoperation",
        "prefix",
        "requestobjecttag/",
        "requestobjecttagkeys",
        "resourceaccount",
        "signatureage",
        "signatureversion",
        "tlsversion",
        "versionid",
        "x-amz-acl",
        "x-amz-content-sha256",
        "x-amz-copy-source",
        "x-amz-grant-full-control",
        "x-amz-grant-read",
        "x-amz-grant-read-acp",
        "x-amz-grant-write",
        "x-amz-grant-write-acp",
        "x-amz-metadata-directive",
        "x-amz-object-ownership",
        "x-amz-server-side-encryption",
        "x-amz-server-side-encryption-aws-kms-key-id",
        "x-amz-server-side-encryption-customer-algorithm",
        "x-amz-storage-class",
        "x-amz-website-redirect-location",
    ]
)


def is_known(key: str) -> bool:
    """Whether S3 knows a condition key, in any case; those of other services are not judged."""
    service, _, name = key.lower().partition(":")
    if service != "s3":
        return True
    head, slash, rest = name.partition("/")
    return head + slash in _NAMES and bool(rest) == bool(slash)
