"""Checks of what the server works with: its database, its counters, its log, and the time."""

from collections.abc import Callable, Iterator
from contextlib import closing

from kms_server.audit.checkpoint import Coverage
from kms_server.audit.checkpoint_chain import folded
from kms_server.audit.journal import Journal
from kms_server.audit.log_size import Log, Part
from kms_server.audit.trail.backlog import delivery_warnings
from kms_server.clock import iso_seconds, real_now
from kms_server.doctor import sntp
from kms_server.doctor.deployment import Deployment
from kms_server.doctor.findings import Findings, NotLookedAt, problem, warning
from kms_server.errors import OperatorError
from kms_server.quotas.token_store import StoreLost, TokenStore
from kms_server.storage import checkpoints, inspection, schema_version
from kms_server.storage.audit_tables import audit_data_events, audit_events

_MOST_OFF = 60.0
_TIMELY = 300.0  # a server that runs writes a checkpoint every minute in which the log moves
_NEAR = 0.9
_PATIENCE = 3.0
_LOSING = {
    "fsync": "what was acknowledged is lost, or the database damaged, when the power fails",
    "full_page_writes": "a page that is half written when the power fails stays so",
    "synchronous_commit": "what was acknowledged last is lost when the power fails",
}


def database(deployment: Deployment) -> Findings:
    """Whether the database is there and answers."""
    if deployment.trouble is not None:
        yield problem(deployment.trouble, "nothing works without it")
    else:
        with deployment.database.read() as connection:
            if (found := inspection.damage(connection)) is not None:
                yield problem(f"the database is damaged: {found}", "restore it from a backup: docs/backup.md")


def schema(deployment: Deployment) -> Findings:
    """Whether the database has this program's schema."""
    known, found = schema_version.known(), deployment.schema
    _ = deployment.database
    if found not in known and found is not None:
        yield problem(f"the schema {found} is of a newer version", "upgrade kms-server")
    elif found != known[-1]:
        yield problem(
            f"the schema is {found or 'not there'}, this program works with {known[-1]}",
            "run `kms-server migrate`, or start the server: make a backup before",
        )


def postgresql_durability(deployment: Deployment) -> Findings:
    """Whether PostgreSQL keeps what it has acknowledged."""
    if deployment.embedded:
        raise NotLookedAt("the database is SQLite, whose durability is ours to set")
    with deployment.database.read() as connection:
        for name, consequence in _LOSING.items():
            if inspection.parameter(connection, name) == "off":
                yield problem(
                    f"{name} is off: {consequence}", f"set {name} = on in postgresql.conf, and reload it"
                )


def clock(deployment: Deployment) -> Findings:
    """Whether this host's clock is more than a minute off others: signatures would not be accepted, and limits not shared."""
    asked = 0
    for name, ask in _references(deployment):
        before = real_now()
        try:
            reference = ask()
        except (StoreLost, OSError):
            continue  # another check says so, or it is not a reference
        asked += 1
        off = (before + real_now()) / 2 - reference
        if abs(off) > _MOST_OFF:
            yield problem(
                f"the clock is {abs(off):,.0f} s {'ahead of' if off > 0 else 'behind'} that of {name}",
                "have NTP set it (timedatectl); with 300 s clients are refused",
            )
    if not asked:
        raise NotLookedAt(
            "there is no clock to compare with: give --ntp-server, --quota-url or --database-url"
        )


def _references(deployment: Deployment) -> Iterator[tuple[str, Callable[[], float]]]:
    settings, host = deployment.settings, deployment.ntp_server
    opened = deployment.opened
    if not deployment.embedded and opened is not None:

        def of_database() -> float:
            with opened.read() as connection:
                return inspection.time_of(connection)

        yield "the database", of_database
    if settings.quota_url is not None:

        def of_store() -> float:
            with closing(_store(deployment)) as store:
                return store.time()

        yield "the store of shared limits", of_store
    if host is not None:
        yield host, lambda: sntp.now(host, _PATIENCE)


def ntp(deployment: Deployment) -> Findings:
    """Whether the time server answers that was named."""
    if deployment.ntp_server is None:
        raise NotLookedAt("no time server is named: give --ntp-server")
    try:
        sntp.now(deployment.ntp_server, _PATIENCE)
    except OSError as error:
        yield warning(
            f"the time server {deployment.ntp_server} does not answer: {error}",
            "name another by --ntp-server",
        )


def counter_store(deployment: Deployment) -> Findings:
    """Whether the store of shared limits answers."""
    if deployment.settings.quota_url is None:
        raise NotLookedAt("this host counts for itself: --quota-url is not given")
    with closing(_store(deployment)) as store:
        try:
            store.time()
        except StoreLost as error:
            yield problem(
                f"the store of shared limits at {store.place} does not answer: {error}",
                "each host counts its share until it does: start it, or correct --quota-url",
            )


def _store(deployment: Deployment) -> TokenStore:
    url = deployment.settings.quota_url
    assert url is not None  # noqa: S101 - asked for by the callers
    return TokenStore(url, "doctor", _PATIENCE)


def delivery(deployment: Deployment) -> Findings:
    """Whether trails deliver in time."""
    for told in delivery_warnings(deployment.tables, deployment.clock().now()):
        yield warning(
            told, "see to the bucket, then `kms-server audit deliver`; what is not delivered is not pruned"
        )


def audit_retention(deployment: Deployment) -> Findings:
    """Whether the audit log comes near its limit of size, so that records go before their time."""
    settings = deployment.settings
    most = settings.audit_retention_size
    parts = (Part(audit_events, settings.audit_dir if deployment.embedded else None),
             Part(audit_data_events, settings.data_audit_dir if deployment.embedded else None))  # fmt: skip
    size = Log(deployment.tables, parts).size()
    if most and size >= _NEAR * most:
        yield warning(
            f"the audit log has {size / most:.0%} of --audit-retention-size: the oldest records go, whatever their age",
            "raise --audit-retention-size, or have a trail deliver them elsewhere",
        )


def checkpoint(deployment: Deployment) -> Findings:
    """Whether the newest rows of the audit log are covered by a checkpoint."""
    settings, opened = deployment.settings, deployment.tables
    now = deployment.clock().now()
    with opened.read() as connection:
        newest = checkpoints.newest(connection)
        try:
            covered = folded(checkpoints.newest_first(connection)) if newest else Coverage()
        except ValueError as error:
            yield problem(f"the checkpoints were changed: {error}", "run `kms-server audit verify`")
            return
    journals = (Journal(opened.engine, audit_events, settings.audit_dir if deployment.embedded else None),
                Journal(opened.engine, audit_data_events, settings.data_audit_dir if deployment.embedded else None))  # fmt: skip
    heads = {writer: head for journal in journals for writer, head in journal.heads().items()}
    if newest is not None and now - newest.time > _TIMELY and covered.moved(heads):
        yield warning(
            f"the newest checkpoint of the audit log is of {iso_seconds(newest.time)}, and newer records are covered by none",
            "start the server; if it runs, its log says why it writes none",
        )


def audit_segments(deployment: Deployment) -> Findings:
    """Whether all segments of the embedded audit log can be read."""
    if not deployment.embedded:
        raise NotLookedAt("the log is in PostgreSQL")
    settings, opened = deployment.settings, deployment.tables
    for table, directory in (
        (audit_events, settings.audit_dir),
        (audit_data_events, settings.data_audit_dir),
    ):
        try:
            unreadable = Journal(opened.engine, table, directory).ends().unreadable
        except OperatorError as error:
            unreadable = {"": str(error)}
        for told in unreadable.values():
            yield problem(told, "run `kms-server audit verify`, and put the segment back from a backup")
