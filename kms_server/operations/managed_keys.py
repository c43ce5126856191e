"""AWS managed keys: `alias/aws/<service>`, made when first named."""

from kms_server.audit.record import service_event
from kms_server.clock import DAY
from kms_server.iam.key_policies import aws_managed_policy
from kms_server.keyring.cache import WouldBlock
from kms_server.keys import specs
from kms_server.keys.identifiers import new_key_id
from kms_server.keys.key import AWS_KMS, KmsKey
from kms_server.keys.states import KeyState
from kms_server.operations import material
from kms_server.operations.call import Call
from kms_server.storage import aliases, keys

_ROTATION_DAYS = 365
_DESCRIPTIONS = {"s3": "Default key that protects my S3 objects when no other key is defined"}


def proposed(call: Call, alias_name: str) -> KmsKey:
    """The managed key that a predefined alias would have.

    Raises:
        WouldBlock: the call was asked not to wait, and making it takes the database.
    """
    if not call.may_block:
        raise WouldBlock
    service = alias_name.removeprefix("alias/aws/")
    described = f"Default key that protects my {service} data when no other key is defined"
    return KmsKey(
        key_id=new_key_id(), account=call.account, region=call.region, spec=specs.SYMMETRIC_DEFAULT.name,
        usage=specs.ENCRYPT, origin=AWS_KMS, manager="AWS", state=KeyState.ENABLED,
        description=_DESCRIPTIONS.get(service, described),
        policy=aws_managed_policy(service, call.account, call.region), created_at=call.time,
        rotation_period_days=_ROTATION_DAYS, next_rotation_at=call.time + _ROTATION_DAYS * DAY,
    )  # fmt: skip


def create(call: Call, alias_name: str, key: KmsKey) -> str:
    """Store the managed key of a predefined alias and return its id; a racing call makes it once."""
    account, region, now = call.account, call.region, call.time
    with call.services.database.write() as tx:
        existing = aliases.get(tx.connection, account, region, alias_name)
        if existing is not None:
            return existing.key_id
        keys.add(
            tx, key, [material.first(key, call.services.root_key, specs.SYMMETRIC_DEFAULT.type.generate())]
        )
        aliases.add(tx, aliases.Alias(account, region, alias_name, key.key_id, now, now))
        created = service_event("CreateKey", account, region, key.arn, now, {"keyId": key.key_id})
        call.services.ledger.add(tx.connection, created)
    return key.key_id
