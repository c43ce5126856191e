"""What operations work with, made from a server's state."""

from kms_server.audit.ledger import Ledger
from kms_server.keyring.keyring import Keyring
from kms_server.keyring.material_pool import MaterialPool
from kms_server.operations.call import BucketCheck, Services, any_bucket
from kms_server.quotas.buckets import Buckets
from kms_server.quotas.limiter import Limiter
from kms_server.server.audit_trail import audit_sources, heads, signing_keys
from kms_server.server.state import State


def services_of(state: State, bucket_check: BucketCheck = any_bucket) -> Services:
    """What operations work with."""
    settings = state.settings
    return Services(
        database=state.database, keyring=Keyring(state.database, state.root_key, state.clock, settings.limits.cached_keys),
        root_key=state.root_key, clock=state.clock,
        limiter=Limiter(Buckets(settings.state_dir / "limits"), settings.quota_profile), material=MaterialPool(),
        limits=settings.limits, audit_sources=lambda: audit_sources(state), ledger=Ledger(state.chain_key),
        signing_keys=signing_keys(state), heads=lambda: heads(state),
        dev=settings.dev, bucket_check=bucket_check,
    )  # fmt: skip
