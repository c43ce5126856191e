"""What operations work with, made from a server's state."""

from kms_server.audit.ledger import Ledger
from kms_server.keyring.keyring import Keyring
from kms_server.keyring.material_pool import MaterialPool
from kms_server.operations.call import BucketCheck, Services, any_bucket
from kms_server.quotas.limiter import Limiter
from kms_server.server.audit_trail import audit_sources, heads, signing_keys
from kms_server.server.limiting import limiter_of
from kms_server.server.state import State


def services_of(
    state: State, bucket_check: BucketCheck = any_bucket, limiter: Limiter | None = None
) -> Services:
    """What operations work with; the `limiter` of a server shares its counters with other hosts if it was told to."""
    settings = state.settings
    return Services(
        database=state.database, keyring=Keyring(
            state.database, state.root_key, state.token_key, state.clock, settings.limits.cached_keys
        ),
        root_key=state.root_key, token_key=state.token_key, clock=state.clock,
        limiter=limiter or limiter_of(settings), material=MaterialPool(),
        limits=settings.limits, audit_sources=lambda: audit_sources(state), ledger=Ledger(state.chain_key),
        signing_keys=signing_keys(state), heads=lambda: heads(state),
        dev=settings.dev, holds_increases=settings.quota_approval == "manual", bucket_check=bucket_check,
    )  # fmt: skip
