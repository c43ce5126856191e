"""The table of contents: every operation of every service."""

from kms_server.errors import UnknownOperationException
from kms_server.operations import (
    aliases,
    creation,
    data_keys,
    encryption,
    grants,
    imports,
    injected_faults,
    key_stores,
    keys,
    multi_region,
    policies,
    public_keys,
    rotation,
    signing,
    tags,
    trail,
)
from kms_server.operations.call import Operation
from kms_server.operations.iam import table as iam_table
from kms_server.operations.service_quotas import table as service_quotas_table
from kms_server.operations.sts import table as sts_table
from kms_server.operations.trails import table as trails_table

_INJECTABLE: tuple[Operation, ...] = (
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
    *trails_table.OPERATIONS,
    *service_quotas_table.OPERATIONS,
    *sts_table.OPERATIONS,
    *iam_table.OPERATIONS,
)
OPERATIONS = (*_INJECTABLE, *injected_faults.operations(_INJECTABLE))

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
