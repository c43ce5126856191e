"""`kms-server doctor`: what is wrong with a deployment, and what to do about it."""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import click

from kms_server.cli.options import option, retention_options, state_options, state_settings, store_url
from kms_server.config import Settings
from kms_server.doctor.checks import Outcome, run
from kms_server.doctor.deployment import examined
from kms_server.doctor.findings import Severity

_FILE = click.Path(path_type=Path, dir_okay=False)
_OF_STATE = ("data_dir", "database_url", "root_key")


@click.command()
@option("--host", default="127.0.0.1", help="Address that `serve` is told to listen on.")
@option("--dev", is_flag=True, help="Whether `serve` is told to accept any credentials.")
@option("--tls-cert", type=_FILE, help="Certificate chain that `serve` is told of.")
@option("--tls-auto", is_flag=True, help="Whether `serve` makes its certificate.")
@option(
    "--quota-url", metavar="URL", callback=store_url, help="Store of shared limits that `serve` is told of."
)
@option("--ntp-server", metavar="HOST", help="Compare the clock with that of this time server, by SNTP.")
@option("--format", "style", type=click.Choice(["text", "json"]), default="text")
@retention_options
@state_options
def doctor(*, ntp_server: str | None, style: str, **options: Any) -> None:  # noqa: ANN401 - members of Settings
    """Say what is wrong with a deployment, and what to do about it.

    Give the options that `serve` is given, or its --config. Nothing is changed, and the server may run or not.

    Exit code 0: nothing is wrong. 1: something will be (warnings). 2: something is (problems).
    """
    settings = _settings(options)
    with examined(settings, ntp_server) as deployment:
        outcomes = []
        for outcome in run(deployment):
            outcomes.append(outcome)
            if style == "text":
                _show(outcome)
    if style == "json":
        click.echo(json.dumps([asdict(one) for one in outcomes], indent=2))
    sys.exit(_exit_code(outcomes))


def _settings(options: dict[str, Any]) -> Settings:
    state = {name: options.pop(name) for name in _OF_STATE}
    return replace(state_settings(**state), **options)


def _show(outcome: Outcome) -> None:
    if outcome.skipped is not None:
        click.echo(f"skipped  {outcome.check}: {outcome.skipped}")
    elif not outcome.findings:
        click.echo(f"ok       {outcome.check}")
    for finding in outcome.findings:
        click.echo(f"{finding.severity:<8} {outcome.check}: {finding.what}")
        click.echo(f"         {finding.advice}")


def _exit_code(outcomes: Sequence[Outcome]) -> int:
    found = {finding.severity for outcome in outcomes for finding in outcome.findings}
    if Severity.PROBLEM in found:
        return 2
    return 1 if found else 0
