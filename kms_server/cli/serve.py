"""`kms-server serve`: run the service."""

import os
import shlex
import shutil
import tempfile
from contextlib import ExitStack
from dataclasses import fields, replace
from ipaddress import ip_address
from pathlib import Path

import click

from kms_server.cli.options import option, state_options
from kms_server.config import DEFAULT_PORT, Settings
from kms_server.errors import OperatorError
from kms_server.quotas import table
from kms_server.server import credentials, gunicorn_app
from kms_server.server.files import make_private_dir, only_server
from kms_server.server.startup import check_state, prepare
from kms_server.server.worker_state import build

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command()
@option("--host", default="127.0.0.1", help="Address to listen on.")
@option("--port", type=click.IntRange(0, 65535), default=DEFAULT_PORT, help="Port; 0 picks a free one.")
@option("--workers", type=click.IntRange(1, 256), default=2, help="Worker processes.")
@option("--quota-profile", type=click.Choice(table.PROFILES), default="relaxed", help="Table of rate limits.")
@option("--dev", is_flag=True, help="Accept any credentials. Policies still apply. For development only.")
@option("--dev-allow-remote", is_flag=True, help="Allow --dev on an address other machines reach.")
@option(
    "--ephemeral", is_flag=True, help="Keep everything in a temporary directory that goes with the process."
)
@option("--tls-cert", type=_FILE, help="Certificate chain, PEM.")
@option("--tls-key", type=_FILE, help="Private key of the certificate, PEM.")
@option("--tls-auto", is_flag=True, help="Make a private CA and a certificate in the data directory.")
@option("--allow-plain-http", is_flag=True, help="Allow plain HTTP on an address other machines reach.")
@state_options
def serve(**options: object) -> None:
    """Run the service in the foreground.

    The first start makes a root key and a root access key for account 000000000000, which it writes to
    credentials.env in the data directory. SIGTERM finishes what is under way and exits.
    """
    known = {field.name for field in fields(Settings)}
    settings = Settings(**{name: value for name, value in options.items() if name in known})  # type: ignore[arg-type]
    _check(settings)
    with ExitStack() as stack:
        if settings.ephemeral:
            directory = tempfile.mkdtemp(prefix="kms-server-")
            stack.callback(_remove, directory, os.getpid())
            settings = replace(settings, data_dir=Path(directory))
        check_state(settings)
        listener = stack.enter_context(gunicorn_app.bind(settings.host, settings.port))
        settings = replace(settings, port=listener.getsockname()[1])
        make_private_dir(settings.data_dir)
        make_private_dir(settings.state_dir)
        stack.enter_context(only_server(settings.state_dir / "server.lock"))
        fresh = not settings.credentials_file.exists()
        prepare(settings)
        credentials.note_endpoint(settings)
        _announce(settings, fresh=fresh)
        gunicorn_app.serve(settings, listener, build)


def _remove(directory: str, owner: int) -> None:
    """Forked workers leave this block too, but the directory goes with the process that made it."""
    if os.getpid() == owner:
        shutil.rmtree(directory)


def _check(settings: Settings) -> None:
    if (settings.tls_cert is None) != (settings.tls_key is None):
        raise OperatorError("--tls-cert and --tls-key belong together: give both")
    if settings.tls_cert and settings.tls_auto:
        raise OperatorError("give either --tls-auto or --tls-cert and --tls-key")
    remote = not _loopback(settings.host)
    if remote and settings.scheme == "http" and not settings.allow_plain_http:
        raise OperatorError(
            f"plain HTTP on {settings.host} can be read by others: use --tls-auto, --tls-cert and --tls-key, "
            "or --allow-plain-http"
        )
    if remote and settings.dev and not settings.dev_allow_remote:
        raise OperatorError(f"--dev on {settings.host} lets anyone in: add --dev-allow-remote if you mean it")


def _loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _announce(settings: Settings, *, fresh: bool) -> None:
    if settings.dev:
        click.echo("development mode: ANY credentials are accepted, signatures are not checked", err=True)
    elif fresh:
        click.echo(f"root credentials are in {settings.credentials_file}; use them with:", err=True)
        click.echo(f"    . {shlex.quote(str(settings.credentials_file))}", err=True)
    if settings.tls_auto:
        click.echo(f"the CA certificate is {settings.data_dir / 'tls' / 'ca.pem'}", err=True)
