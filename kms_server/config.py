"""Frozen settings and named limits."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import TypeAlias

Network: TypeAlias = IPv4Network | IPv6Network

LOOPBACK: tuple[Network, ...] = (IPv4Network("127.0.0.0/8"), IPv6Network("::1/128"))
DEFAULT_ACCOUNT = "000000000000"
DEFAULT_REGION = "us-east-1"
DEFAULT_PORT = 4599
DEFAULT_PROFILE = "relaxed"
SERVICES = ("kms", "cloudtrail", "servicequotas", "sts", "iam", "s3")


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on sizes (bytes), counts and times (seconds)."""

    max_body_bytes: int = 1_048_576
    max_header_bytes: int = 32_768
    max_header_count: int = 100
    max_target_bytes: int = 8_192
    header_timeout: float = 10.0
    request_timeout: float = 30.0
    idle_timeout: float = 75.0
    drain_delay: float = 0.0
    graceful_timeout: float = 25.0
    max_pipelined: int = 64
    max_connections: int = 10_000
    audit_deadline: float = 5.0
    audit_batch: int = 256
    store_patience: float = 0.5
    disk_reserve: int = 64 * 2**20
    segment_rows: int = 10_000
    max_encryption_context_bytes: int = 8_192
    max_plaintext_bytes: int = 4_096
    cached_keys: int = 20_000
    cold_threads: int = 8
    buckets_per_account: int = 10_000
    trails_per_region: int = 5
    max_put_bytes: int = 5 * 2**30
    min_part_bytes: int = 5 * 2**20
    stream_threads: int = 64
    crowd_patience: float = 10.0
    clock_window: float = 300.0
    presigned_lifetime: float = 300.0
    max_clock_lead: float = 36_525 * 86_400.0
    doomed_grace: float = 60.0
    unsettled_grace: float = 600.0
    upkeep_interval: float = 10.0
    blob_search_interval: float = 3_600.0
    rewrap_interval: float = 3_600.0
    prune_interval: float = 600.0
    prune_rows: int = 1_000


@dataclass(frozen=True, slots=True)
class DirectoryBucket:
    """A directory that stands for the bucket of a trail."""

    directory: Path


@dataclass(frozen=True, slots=True)
class EndpointBucket:
    """A bucket at another S3 endpoint; the key is read from the files, or from the variables of the environment."""

    endpoint: str
    region: str = DEFAULT_REGION
    bucket: str | None = None
    access_key_file: Path | None = None
    secret_key_file: Path | None = None
    access_key_variable: str = "AWS_ACCESS_KEY_ID"
    secret_key_variable: str = "AWS_SECRET_ACCESS_KEY"  # noqa: S105 - the name of a variable


AuditBucket: TypeAlias = DirectoryBucket | EndpointBucket


@dataclass(frozen=True, slots=True)
class Settings:
    """What `serve` and the other commands were told; see `kms-server serve --help`."""

    data_dir: Path
    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    workers: int = 2
    database_url: str | None = None
    root_key: str | None = None
    root_passphrase_file: Path | None = None
    root_passphrase_fd: int | None = None
    root_kms_endpoint: str | None = None
    lock_memory: bool = False
    allow_tracing: bool = False
    quota_profile: str = DEFAULT_PROFILE
    quota_url: str | None = field(default=None, repr=False)
    limit_log: Path | None = None
    quota_approval: str = "automatic"
    dev: bool = False
    dev_allow_remote: bool = False
    ephemeral: bool = False
    tls_cert: Path | None = None
    tls_key: Path | None = None
    tls_auto: bool = False
    tls_client_ca: Path | None = None
    allow_plain_http: bool = False
    require_tls: bool = False
    trusted_proxies: tuple[Network, ...] = ()
    metrics_from: tuple[Network, ...] = LOOPBACK
    block_sse_c: bool = False
    s3_store: str | None = None
    s3_domain: str = "localhost"
    restore_delay: float = 10.0
    abort_uploads_after: int = 7
    audit_stream: str | None = None
    log_format: str = "text"
    access_log: bool = False
    traces: bool = False
    services: tuple[str, ...] = SERVICES
    kms_endpoint: str | None = None
    forward_secret: Path | None = None
    audit_retention_days: int = 90
    audit_retention_size: int = 20 * 2**30
    audit_delivery_interval: float = 300.0
    audit_buckets: Mapping[str, AuditBucket] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)

    @property
    def audit_dir(self) -> Path:
        """Where the embedded store keeps its audit segments."""
        return self.data_dir / "audit"

    @property
    def data_audit_dir(self) -> Path:
        """Where the embedded store keeps its audit segments of data events."""
        return self.audit_dir / "data"

    @property
    def state_dir(self) -> Path:
        """What the workers of this host share: locks and rate limit counters."""
        return self.data_dir / "state"

    @property
    def pruning_lock(self) -> Path:
        """Shared by those who prune the audit log, and held by whoever makes a backup of it."""
        return self.state_dir / "pruning.lock"

    @property
    def usage_dir(self) -> Path:
        """Where the workers of this host count the calls of each limit."""
        return self.state_dir / "usage"

    @property
    def tally_dir(self) -> Path:
        """Where the workers of this host count calls and commits."""
        return self.state_dir / "tally"

    @property
    def root_key_file(self) -> Path:
        """The root key made at first start."""
        return self.data_dir / "root.key"

    @property
    def root_moves_file(self) -> Path:
        """Where this host notes to which places the root key has moved."""
        return self.data_dir / "root.moved"

    @property
    def credentials_file(self) -> Path:
        """The sourceable file with the first root access key."""
        return self.data_dir / "credentials.env"

    @property
    def scheme(self) -> str:
        """`https` when TLS is on."""
        return "https" if self.tls_auto or self.tls_cert else "http"

    @property
    def url_host(self) -> str:
        """The host as it stands in a URL a client on this machine can use."""
        if self.host in ("0.0.0.0", "::"):  # noqa: S104 - compared, not bound
            return "127.0.0.1"
        return f"[{self.host}]" if ":" in self.host else self.host

    @property
    def url(self) -> str:
        """Where clients on this machine reach the server."""
        return f"{self.scheme}://{self.url_host}:{self.port}"
