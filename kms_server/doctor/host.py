"""Checks of the host: files, rights, certificates, limits of processes."""

import errno
import os
import re
import resource
import shutil
import stat
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from pysqlite3 import dbapi2

from kms_server.doctor.deployment import Deployment
from kms_server.doctor.findings import Findings, NotLookedAt, problem, warning
from kms_server.errors import OperatorError
from kms_server.root_keys.places import place_told
from kms_server.root_keys.shares import SharesPlace
from kms_server.server.root_custody import open_root, places_told
from kms_server.storage import settings as stored
from kms_server.storage.database import MINIMUM_SQLITE

_LEAST_FREE = 0.05
# Rights that only the server has, or a file system without files that have no name.
_CANNOT_TELL = (errno.EACCES, errno.EPERM, errno.EOPNOTSUPP, errno.EISDIR)
_FULL = (errno.ENOSPC, errno.EDQUOT)
_SOON = timedelta(days=30)
_OTHERS = 0o077
# Beside connections: the log, databases, blobs.
_OTHER_FILES = 512
_SHOWN = 5


def data_directory(deployment: Deployment) -> Findings:
    """Whether others can read, or write, the data directory or what is at its top."""
    directory = deployment.settings.data_dir
    if not directory.is_dir():
        raise NotLookedAt("there is no data directory")
    elsewhere = _root_key_files(deployment)
    open_to_others = [
        path
        for path in (directory, *sorted(directory.iterdir()))
        if not path.is_symlink() and _mode(path) & _OTHERS and path.resolve() not in elsewhere
    ]
    if open_to_others:
        names = ", ".join(map(str, open_to_others[:_SHOWN]))
        yield problem(f"others may enter or read {names}", f"run `chmod -R go= {directory}`")


def root_key_file(deployment: Deployment) -> Findings:
    """Whether others can read the root key."""
    paths = _root_key_files(deployment)
    if not paths:
        raise NotLookedAt("there is no root key file")
    for path in paths:
        if _mode(path) & _OTHERS:
            yield problem(
                f"the root key {path} can be read by others, who then have every key",
                f"run `chmod 600 {path}`; if somebody may have read it, treat all keys as known",
            )


def root_key(deployment: Deployment) -> Findings:
    """Whether the root key is there, and the one of this database."""
    database = deployment.tables
    if any(_mode(path) & _OTHERS for path in _root_key_files(deployment)):
        raise NotLookedAt("it is not used while others can read it")
    try:
        if any(isinstance(place, SharesPlace) for place in places_told(deployment.settings)):
            raise NotLookedAt("its custodians have the shares")
        open_root(deployment.settings, database)
    except OperatorError as error:
        yield problem(
            str(error), "put the right file back from where its copy is kept; nothing else opens the keys"
        )


def _root_key_files(deployment: Deployment) -> list[Path]:
    """The files that are there, of where the root key is told to be and has moved to."""
    try:
        told = places_told(deployment.settings)
    except OperatorError:  # the note of its moves cannot be read, as `root_key` finds too, and says
        told = [place_told(deployment.settings)]
    return [place.path.resolve() for place in told if place.path is not None and place.path.exists()]


def certificate(deployment: Deployment) -> Findings:
    """Whether the certificate has expired, or will soon."""
    settings = deployment.settings
    path = settings.data_dir / "tls" / "server.pem" if settings.tls_auto else settings.tls_cert
    if path is None:
        raise NotLookedAt("no certificate is named: give --tls-cert or --tls-auto as to `serve`")
    try:
        chain = x509.load_pem_x509_certificates(path.read_bytes())
    except (OSError, ValueError) as error:
        yield problem(f"the certificate {path} cannot be read: {error}", "name another by --tls-cert")
        return
    first = min(chain, key=lambda one: one.not_valid_after_utc)
    left = first.not_valid_after_utc - datetime.now(UTC)
    advice = (
        "start the server anew: it makes another"
        if settings.tls_auto
        else "have it renewed, and start the server anew"
    )
    if left < timedelta():
        yield problem(f"a certificate in {path} has expired on {first.not_valid_after_utc:%Y-%m-%d}", advice)
    elif left < _SOON:
        yield warning(f"a certificate in {path} expires in {left.days} days", advice)


def disk_space(deployment: Deployment) -> Findings:
    """Whether less than 5 % of a disk is free that the server writes to."""
    directory = deployment.settings.data_dir
    disk = shutil.disk_usage(directory if directory.is_dir() else directory.absolute().parent)
    if disk.free < _LEAST_FREE * disk.total:
        yield problem(
            f"{disk.free / disk.total:.1%} of the disk of {directory} is free, {disk.free >> 20:,} MiB",
            "free some: `kms-server audit prune --older-than 30d`, or a larger disk; on a full one data calls are refused",
        )


def disk_writes(deployment: Deployment) -> Findings:
    """Whether the disk that the server writes to takes writes; a file without a name tells, and is gone at once."""
    directory = deployment.settings.data_dir
    if not directory.is_dir():
        raise NotLookedAt("there is no data directory")
    try:
        os.close(os.open(directory, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600))
    except OSError as error:
        if error.errno in _CANNOT_TELL:
            raise NotLookedAt(f"it cannot be tried here: {error.strerror}") from None
        advice = (
            "free some space, raise the quota, or use a larger disk: `kms-server audit prune --older-than 30d` frees some"
            if error.errno in _FULL
            else "have it checked (dmesg says what the kernel found) and mounted again, then start the server anew"
        )
        yield problem(f"the disk of {directory} takes no writes: {error.strerror}", advice)


def development_mode(deployment: Deployment) -> Findings:
    """Whether other machines reach a server that takes any credentials."""
    settings = deployment.settings
    is_dev = settings.dev or (deployment.opened is not None and deployment.setting(stored.MODE) == stored.DEV)
    if is_dev and not _is_loopback(settings.host):
        yield problem(
            f"the server is in development mode and listens on {settings.host}: anybody is let in",
            "serve it on 127.0.0.1, or make another server without --dev",
        )


def sqlite_library(deployment: Deployment) -> Findings:
    """Whether SQLite is one that may damage its write-ahead log."""
    if not deployment.embedded:
        raise NotLookedAt("the database is PostgreSQL")
    if dbapi2.sqlite_version_info < MINIMUM_SQLITE:
        wanted = ".".join(map(str, MINIMUM_SQLITE))
        yield problem(
            f"the SQLite library is {dbapi2.sqlite_version}, older than {wanted}", "upgrade pysqlite3"
        )


def core_dumps(deployment: Deployment) -> Findings:
    """Whether a crash would write the memory of a process, with its keys, to a disk."""
    soft, _ = _limit(deployment, "Max core file size", resource.RLIMIT_CORE)
    if soft != 0:
        yield warning(
            "core dumps are on: after a crash keys may stand in a file",
            "run the server under `ulimit -c 0`, or LimitCORE=0 of systemd",
        )


def open_files(deployment: Deployment) -> Findings:
    """Whether a worker may open as many files as it may have connections."""
    _, hard = _limit(deployment, "Max open files", resource.RLIMIT_NOFILE)
    needed = deployment.settings.limits.max_connections + _OTHER_FILES
    if hard < needed:
        yield warning(
            f"a process may open {hard:,} files, and a worker has up to {deployment.settings.limits.max_connections:,} "
            "connections: it would refuse some",
            f"raise the hard limit to {needed:,} or more: `ulimit -Hn`, or LimitNOFILE of systemd",
        )


def _limit(deployment: Deployment, name: str, number: int) -> tuple[float, float]:
    """A limit of the server's process, or, where none runs, the one that it would be started with."""
    pid = deployment.server_pid()
    if pid is not None:
        try:
            line = re.search(
                rf"^{name}\s+(\S+)\s+(\S+)", Path(f"/proc/{pid}/limits").read_text(), re.MULTILINE
            )
        except OSError:
            line = None
        if line is not None:
            return _count(line[1]), _count(line[2])
    soft, hard = resource.getrlimit(number)
    return tuple(float("inf") if one == resource.RLIM_INFINITY else one for one in (soft, hard))  # type: ignore[return-value]  # of two


def _count(text: str) -> float:
    return float("inf") if text == "unlimited" else int(text)


def _mode(path: Path) -> int:
    return stat.S_IMODE(os.lstat(path).st_mode)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
