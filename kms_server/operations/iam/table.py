"""Every operation of IAM."""

from kms_server.operations.call import Operation
from kms_server.operations.iam import (
    absent,
    access_keys,
    account,
    attachments,
    details,
    groups,
    inline_policies,
    oidc,
    policies,
    policy_versions,
    roles,
    simulate,
    tags,
    users,
)

OPERATIONS: tuple[Operation, ...] = (
    *users.OPERATIONS,
    *access_keys.OPERATIONS,
    *groups.OPERATIONS,
    *roles.OPERATIONS,
    *inline_policies.OPERATIONS,
    *policies.OPERATIONS,
    *policy_versions.OPERATIONS,
    *attachments.OPERATIONS,
    *tags.OPERATIONS,
    *oidc.OPERATIONS,
    *account.OPERATIONS,
    *details.OPERATIONS,
    *absent.OPERATIONS,
    *simulate.OPERATIONS,
)
