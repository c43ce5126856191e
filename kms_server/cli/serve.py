"""`kms-server serve`: run the service."""

import logging
import os
import shlex
import shutil
import tempfile
from contextlib import ExitStack
from dataclasses import fields, replace
from functools import partial
from ipaddress import ip_address
from pathlib import Path

import click

from kms_server.cli.options import (
    audit_buckets,
    networks,
    option,
    profile_name,
    retention_options,
    root_settings,
    service_names,
    span,
    state_options,
    store_url,
    stream_target,
)
from kms_server.config import DEFAULT_PORT, DEFAULT_PROFILE, LOOPBACK, SERVICES, Limits, Settings
from kms_server.errors import OperatorError
from kms_server.files import make_private_dir, only_server
from kms_server.quotas import profiles
from kms_server.root_keys.places import place_told
from kms_server.root_keys.shares import SharesPlace
from kms_server.server import credentials, gunicorn_app, logs
from kms_server.server.hardening import require_lockable
from kms_server.server.kms_client import check_kms, kms_endpoint
from kms_server.server.sealed import wait_until_unsealed
from kms_server.server.startup import check_state, prepare_in_time
from kms_server.server.traces import open_traces
from kms_server.server.worker_state import build

_LOG = logging.getLogger(__name__)
_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command()
@option("--host", default="127.0.0.1", help="Address to listen on.")
@option("--port", type=click.IntRange(0, 65535), default=DEFAULT_PORT, help="Port; 0 picks a free one.")
@option(
    "--database-wait", default="30s", metavar="SPAN", callback=span,
    help="How long to wait at the start for the database of --database-url to answer; then exit code 2.",
)  # fmt: skip
@option("--workers", type=click.IntRange(1, 256), default=2, help="Worker processes.")
@option(
    "--quota-profile", default=DEFAULT_PROFILE, callback=profile_name,
    help="Table of limits: relaxed, aws, aws-REGION (that Region's figures everywhere), unlimited, or a FILE.toml of your own.",
)  # fmt: skip
@option(
    "--quota-url", metavar="URL", callback=store_url,
    help="Valkey or Redis that counts the limits of several hosts together: redis://HOST:PORT/NUMBER, rediss://... with TLS, "
    "unix:///PATH. Without it each host counts for itself.",
)  # fmt: skip
@option(
    "--limit-log", type=_FILE,
    help="Append each decision of a limit to this file, as a line of JSON with its time in microseconds: for tests of limits.",
)  # fmt: skip
@option(
    "--quota-approval", type=click.Choice(["automatic", "manual"]), default="automatic",
    help="Who grants quota increases: each request is granted at once, or waits for `kms-server quota approve`.",
)  # fmt: skip
@option("--dev", is_flag=True, help="Accept any credentials. Policies still apply. For development only.")
@option("--dev-allow-remote", is_flag=True, help="Allow --dev on an address other machines reach.")
@option(
    "--ephemeral", is_flag=True, help="Keep everything in a temporary directory that goes with the process."
)
@option(
    "--lock-memory", is_flag=True,
    help="Never let memory be swapped out. Needs CAP_IPC_LOCK or no limit on locked memory.",
)  # fmt: skip
@option(
    "--allow-tracing", is_flag=True,
    help="Let other processes of the same user look into the server's memory, where its keys are: for profilers alone.",
)  # fmt: skip
@option("--tls-cert", type=_FILE, help="Certificate chain, PEM.")
@option("--tls-key", type=_FILE, help="Private key of the certificate, PEM.")
@option("--tls-auto", is_flag=True, help="Make a private CA and a certificate in the data directory.")
@option(
    "--tls-client-ca", type=_FILE,
    help="CA certificates, PEM: every client must have a certificate that one of them issued, those of /_kms/ too. Who may do "
    "what is decided by signatures as ever.",
)  # fmt: skip
@option("--allow-plain-http", is_flag=True, help="Allow plain HTTP on an address other machines reach.")
@option(
    "--s3-store",
    help="Where sealed objects are kept: s3://BUCKET/PREFIX, gs://BUCKET/PREFIX, az://CONTAINER/PREFIX, or memory:// "
    "with --ephemeral and one worker. Default: the local disk.",
)
@option("--s3-domain", default="localhost", help="Hosts BUCKET.NAME name a bucket; every path may as well.")
@option(
    "--restore-delay", type=click.FloatRange(0), default=10.0,
    help="Seconds until an object that is restored from GLACIER or DEEP_ARCHIVE can be read, by the server's clock.",
)  # fmt: skip
@option(
    "--block-sse-c", is_flag=True,
    help="Refuse new objects under SSE-C in buckets that do not allow it, as AWS does since April 2026.",
)  # fmt: skip
@option(
    "--abort-uploads-after", type=click.IntRange(0, 36_500), default=7,
    help="Days after which multipart uploads are aborted that nobody completed; 0: never.",
)  # fmt: skip
@option(
    "--log-format", type=click.Choice(["text", "json"]), default="text",
    help="How messages are written to standard error: lines of text, or one JSON object a line.",
)  # fmt: skip
@option(
    "--access-log", is_flag=True,
    help="Write a line for each answer: operation, result, status, time, address, request id.",
)  # fmt: skip
@option(
    "--traces", is_flag=True,
    help="Send a span of each call to an OpenTelemetry collector, by OTLP over HTTP, as the variables OTEL_* say: without any to "
    "http://localhost:4318. Needs kms-server[otel].",
)  # fmt: skip
@option(
    "--audit-stream", metavar="WHERE", callback=stream_target,
    help="Write each audit record as a line of JSON to stdout, syslog, syslog:/PATH, syslog+tcp://HOST:PORT or "
    "syslog+udp://HOST:PORT as well.",
)  # fmt: skip
@option(
    "--require-tls", is_flag=True, help="Refuse every request over plain HTTP, but for those under /_kms/."
)
@option(
    "--trusted-proxies",
    metavar="CIDRS",
    callback=networks,
    help="Networks of proxies whose X-Forwarded-For and X-Forwarded-Proto count, between commas.",
)
@option(
    "--metrics-from", default=",".join(map(str, LOOPBACK)), metavar="CIDRS", callback=networks,
    help="Networks whose clients may read /_kms/metrics, between commas; none: nobody may.",
)  # fmt: skip
@option(
    "--services",
    default=",".join(SERVICES),
    callback=service_names,
    help="What is answered; requests for other services are refused.",
)
@option(
    "--kms-endpoint", help="URL of the KMS that the s3 service asks. Default: the kms service of this server."
)
@option(
    "--forward-secret",
    type=_FILE,
    help="Secret shared by an s3 server and the kms-server at its --kms-endpoint, so that callers of the one are "
    "callers of the other. Without it the s3 server signs with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.",
)
@option(
    "--audit-deadline", type=click.FloatRange(0.1, 30), default=5.0,
    help="Seconds after which a call is refused whose record, or change, is not on disk.",
)  # fmt: skip
@option(
    "--header-timeout", type=click.FloatRange(0.1, 600), default=10.0,
    help="Seconds in which a client must have sent the headers of a request, or agreed on TLS.",
)  # fmt: skip
@option(
    "--graceful-timeout", type=click.FloatRange(0, 3_600), default=25.0,
    help="Seconds that SIGTERM leaves the calls under way to finish.",
)  # fmt: skip
@option(
    "--drain-delay", type=click.FloatRange(0, 600), default=0.0,
    help="Seconds after SIGTERM in which everything is still answered, while /_kms/ready says 503 and every answer ends its "
    "connection: for load balancers, which need a few to send clients elsewhere.",
)  # fmt: skip
@option(
    "--audit-delivery-interval", type=click.FloatRange(1, 3_600), default=300.0,
    help="Seconds between two deliveries of a trail's log files. A table [audit.buckets.NAME] in the file of --config with "
    "`directory`, or with `endpoint`, `region`, `access-key-file` and `secret-key-file`, says where a bucket is that is "
    "not one of this server.",
)  # fmt: skip
@retention_options
@state_options
def serve(*, database_wait: int, **options: object) -> None:
    """Run the service in the foreground.

    The first start makes a root key and a root access key for account 000000000000, which it writes to
    credentials.env in the data directory. SIGTERM finishes what is under way and exits, SIGINT without --drain-delay.
    SIGHUP reads the certificate again, which happens by itself within half a minute too.
    """
    known = {field.name for field in fields(Settings)}
    given = {name: value for name, value in options.items() if name in known}
    bounds = {field.name: options[field.name] for field in fields(Limits) if field.name in options}
    limits = Limits(**bounds)  # type: ignore[arg-type]  # click has checked the types
    settings = Settings(**given, **root_settings(), audit_buckets=audit_buckets(), limits=limits)  # type: ignore[arg-type]
    _check(settings)
    if settings.log_format == "json":
        logs.use_json()
    with ExitStack() as stack:
        if settings.ephemeral:
            directory = tempfile.mkdtemp(prefix="kms-server-")
            stack.callback(_remove, directory, os.getpid())
            settings = replace(settings, data_dir=Path(directory))
        place = place_told(settings)
        check_state(settings, place)
        listener = stack.enter_context(gunicorn_app.bind(settings.host, settings.port))
        settings = replace(settings, port=listener.getsockname()[1])
        make_private_dir(settings.data_dir)
        make_private_dir(settings.state_dir)
        stack.enter_context(only_server(settings.state_dir / "server.lock"))
        # The root key may have moved from there, and its file be gone.
        if isinstance(place, SharesPlace) and place.is_sealed and place.exists():
            unsealed = wait_until_unsealed(settings, listener, place)
            if not unsealed:
                return
        returning = settings.credentials_file.exists()
        prepare_in_time(settings, place, database_wait)
        credentials.note_endpoint(settings)
        profiles.note(settings.state_dir, settings.quota_profile)
        _announce(settings, fresh=not returning and settings.credentials_file.exists())
        gunicorn_app.serve(settings, listener, partial(build, settings, place))


def _remove(directory: str, owner: int) -> None:
    """Forked workers leave this block too, but the directory goes with the process that made it."""
    if os.getpid() == owner:
        shutil.rmtree(directory)


def _check(settings: Settings) -> None:
    if (settings.tls_cert is None) != (settings.tls_key is None):
        raise OperatorError("--tls-cert and --tls-key belong together: give both")
    if settings.tls_cert and settings.tls_auto:
        raise OperatorError("give either --tls-auto or --tls-cert and --tls-key")
    if settings.tls_client_ca and settings.scheme == "http":
        raise OperatorError("--tls-client-ca is for TLS: add --tls-cert and --tls-key, or --tls-auto")
    if settings.s3_store == "memory://" and not (settings.ephemeral and settings.workers == 1):
        raise OperatorError(
            "--s3-store memory:// forgets and is not shared: it needs --ephemeral and --workers 1"
        )
    if settings.require_tls and settings.scheme == "http" and not settings.trusted_proxies:
        raise OperatorError(
            "--require-tls would refuse every request: add --tls-auto, --tls-cert and --tls-key, or --trusted-proxies"
        )
    remote = not _loopback(settings.host)
    if remote and settings.scheme == "http" and not settings.allow_plain_http:
        raise OperatorError(
            f"plain HTTP on {settings.host} can be read by others: use --tls-auto, --tls-cert and --tls-key, "
            "or --allow-plain-http"
        )
    if remote and settings.dev and not settings.dev_allow_remote:
        raise OperatorError(f"--dev on {settings.host} lets anyone in: add --dev-allow-remote if you mean it")
    _check_services(settings)


def _check_services(settings: Settings) -> None:
    serves, elsewhere = settings.services, settings.kms_endpoint
    if "s3" in serves and "kms" not in serves and elsewhere is None:
        raise OperatorError("the s3 service needs a KMS: add kms to --services, or give --kms-endpoint")
    if elsewhere is not None and "s3" not in serves:
        raise OperatorError("--kms-endpoint is for the s3 service: add s3 to --services, or leave it out")
    if settings.forward_secret is not None and "kms" not in serves and elsewhere is None:
        raise OperatorError("--forward-secret is for the kms service, or for --kms-endpoint: leave it out")
    if elsewhere is not None and settings.forward_secret is not None and settings.dev:
        raise OperatorError(
            "--dev takes everybody's word for who they are, and with --forward-secret the KMS would, too: leave one out"
        )
    if elsewhere is not None:
        endpoint = kms_endpoint(elsewhere)
        if not endpoint.secure and not _loopback(endpoint.host) and not settings.allow_plain_http:
            raise OperatorError(
                f"data keys from {elsewhere} could be read by others: use https, or --allow-plain-http"
            )
    check_kms(settings)
    require_lockable(settings)
    if settings.traces:
        open_traces().close()


def _loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _announce(settings: Settings, *, fresh: bool) -> None:
    say = _LOG.warning if settings.log_format == "json" else partial(click.echo, err=True)
    if settings.dev:
        say("development mode: ANY credentials are accepted, signatures are not checked")
    elif fresh:
        say(f"root credentials are in {settings.credentials_file}; use them with:")
        say(f"    . {shlex.quote(str(settings.credentials_file))}")
    if settings.tls_auto:
        say(f"the CA certificate is {settings.data_dir / 'tls' / 'ca.pem'}")
