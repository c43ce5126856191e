"""The table of contents: every operation of every service."""

from kms_server.errors import UnknownOperationException
from kms_server.operations import (
    aliases,
    assume_role,
    creation,
    data_keys,
    encryption,
    grants,
    iam_absent,
    iam_access_keys,
    iam_account,
    iam_attachments,
    iam_details,
    iam_groups,
    iam_inline_policies,
    iam_oidc,
    iam_policies,
    iam_policy_versions,
    iam_roles,
    iam_simulate,
    iam_tags,
    iam_users,
    imports,
    key_stores,
    keys,
    multi_region,
    policies,
    public_keys,
    rotation,
    signing,
    sts,
    tags,
    trail,
    web_identity,
)
from kms_server.operations.call import Operation

OPERATIONS: tuple[Operation, ...] = (
    *encryption.OPERATIONS,
    *data_keys.OPERATIONS,
    *signing.OPERATIONS,
    *public_keys.OPERATIONS,
    *creation.OPERATIONS,
    *keys.OPERATIONS,
    *imports.OPERATIONS,
    *multi_region.OPERATIONS,
    *grants.OPERATIONS,
    *aliases.OPERATIONS,
    *tags.OPERATIONS,
    *policies.OPERATIONS,
    *rotation.OPERATIONS,
    *key_stores.OPERATIONS,
    *trail.OPERATIONS,
    *sts.OPERATIONS,
    *assume_role.OPERATIONS,
    *web_identity.OPERATIONS,
    *iam_users.OPERATIONS,
    *iam_access_keys.OPERATIONS,
    *iam_groups.OPERATIONS,
    *iam_roles.OPERATIONS,
    *iam_inline_policies.OPERATIONS,
    *iam_policies.OPERATIONS,
    *iam_policy_versions.OPERATIONS,
    *iam_attachments.OPERATIONS,
    *iam_tags.OPERATIONS,
    *iam_oidc.OPERATIONS,
    *iam_account.OPERATIONS,
    *iam_details.OPERATIONS,
    *iam_absent.OPERATIONS,
    *iam_simulate.OPERATIONS,
)

_BY_TARGET = {(operation.service, operation.name): operation for operation in OPERATIONS}
SERVICES = frozenset(operation.service for operation in OPERATIONS)


def find(service: str, name: str) -> Operation:
    """The operation of that name.

    Raises:
        UnknownOperationException: the service has no such operation.
    """
    operation = _BY_TARGET.get((service, name))
    if operation is None:
        raise UnknownOperationException
    return operation
