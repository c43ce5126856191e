"""The limits of a worker, made from its settings."""

import hashlib
import socket
from pathlib import Path

from kms_server.config import Settings
from kms_server.quotas import profiles
from kms_server.quotas.buckets import Buckets
from kms_server.quotas.decision_log import DecisionLog
from kms_server.quotas.limiter import Limiter
from kms_server.quotas.meters import Meters
from kms_server.quotas.shared_buckets import SharedBuckets
from kms_server.quotas.token_store import TokenStore


def limiter_of(settings: Settings, shared: SharedBuckets | None = None) -> Limiter:
    """What admits calls."""
    log = DecisionLog(settings.limit_log) if settings.limit_log else None
    return Limiter(
        buckets_of(settings), profiles.find(settings.quota_profile), Meters(settings.usage_dir), shared, log
    )  # fmt: skip


def buckets_of(settings: Settings) -> Buckets:
    """The buckets of this host."""
    return Buckets(settings.state_dir / "limits")


def shared_buckets(settings: Settings) -> SharedBuckets | None:
    """The buckets of all hosts, where `--quota-url` names a store."""
    if settings.quota_url is None:
        return None
    store = TokenStore(settings.quota_url, _host(settings.state_dir), settings.limits.store_patience)
    return SharedBuckets(store, buckets_of(settings), settings.state_dir / "hosts")


def _host(state_dir: Path) -> str:
    """Tells this host from others: what shares no state directory is another host."""
    where = f"{socket.gethostname()}\0{state_dir.resolve()}"
    boot = Path("/proc/sys/kernel/random/boot_id").read_bytes()
    return hashlib.blake2b(where.encode() + boot, digest_size=16).hexdigest()
