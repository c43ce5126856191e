"""`kms-server root status`: the versions of the root key, what is under each, and what a change waits for."""

import json
from collections.abc import Sequence
from typing import Any, Unpack

import click

from kms_server.cli.operator import opened
from kms_server.cli.options import Where, option, state_options, state_settings
from kms_server.cli.root_change import remedy, told
from kms_server.cli.terminal import printable
from kms_server.clock import iso_seconds
from kms_server.operations import rewrapping
from kms_server.server.root_holding import living
from kms_server.server.state import State
from kms_server.storage import root_versions
from kms_server.storage.root_holders import RootHolder
from kms_server.storage.root_versions import RootState, RootVersion

_FINGERPRINT_SHOWN = 16


@click.command()
@option("--format", "style", type=click.Choice(["table", "json"]), default="table", help="How it is written.")
@state_options
def status(style: str, **where: Unpack[Where]) -> None:
    """Show the versions of the root key, what is under each, who holds which, and what a change waits for."""
    with opened(state_settings(**where)) as state:
        found = _found(state)
    if style == "json":
        click.echo(json.dumps(found, indent=2))
        return
    for row in _version_lines(found["versions"]) + _process_lines(found["processes"]):
        click.echo(row)
    for reason in found["waitsFor"]:
        click.echo(f"waits: {printable(reason)}")


def _found(state: State) -> dict[str, Any]:
    """All that there is to say, of one moment."""
    with state.database.read() as connection:
        versions = root_versions.every(connection)
        under = {
            one.version: rewrapping.counts(connection, one.version)
            for one in versions
            if one.prefix is not None
        }
        # How long a change has been under way is not known here, so nobody counts as gone for being silent.
        processes = living(connection, state.settings.state_dir, 0.0)
    return {
        "versions": [_version(one, under.get(one.version, {}), state) for one in versions],
        "processes": [_process(one) for one in processes],
        "waitsFor": [*_reasons(versions, under, processes)],
    }


def _version(one: RootVersion, under: dict[str, int], state: State) -> dict[str, Any]:
    place = one.place or state.settings.root_key or f"file:{state.settings.root_key_file.absolute()}"
    times = {"currentFrom": one.current_from, "currentUntil": one.current_until, "retiredAt": one.retired_at}
    return {
        "version": one.version, "state": one.state.value, "kind": place.partition(":")[0], "place": place,
        "fingerprint": one.fingerprint, "values": sum(under.values()), "valuesByKind": under,
    } | {name: None if when is None else iso_seconds(when) for name, when in times.items()}  # fmt: skip


def _process(one: RootHolder) -> dict[str, Any]:
    return {
        "host": one.host, "pid": one.pid, "holds": sorted(one.holds), "wrapsUnder": one.wraps, "problem": one.problem,
        "silentForSeconds": round(one.silent_for, 1),
    }  # fmt: skip


def _reasons(
    versions: list[RootVersion], under: dict[int, dict[str, int]], processes: list[RootHolder]
) -> list[str]:
    """What keeps a version from the next state of its life."""
    current = max((one.version for one in versions if one.state is RootState.CURRENT), default=0)
    reasons = []
    for one in versions:
        if one.state is RootState.ANNOUNCED:
            late = [process for process in processes if one.version not in process.holds]
            reasons += [
                f"{told(process)} does not hold version {one.version}: {remedy(process)}" for process in late
            ]
            reasons.append(f"version {one.version} is not in use yet: run `kms-server root rotate` to go on")
        elif one.state is RootState.FORMER:
            late = [process for process in processes if process.wraps < current]
            reasons += [f"{told(process)} wraps under version {process.wraps} still" for process in late]
            left = sum(under[one.version].values())
            reasons.append(
                f"{left} values are under version {one.version}: run `kms-server root rotate` to go on"
            )
    return reasons


def _version_lines(versions: list[dict[str, Any]]) -> list[str]:
    rows = [("version", "state", "kind", "fingerprint", "values", "current from", "retired", "place")]
    rows += [
        (
            str(one["version"]), one["state"], one["kind"], (one["fingerprint"] or "-")[:_FINGERPRINT_SHOWN],
            str(one["values"]), one["currentFrom"] or "-", one["retiredAt"] or "-", printable(one["place"]),
        )
        for one in versions
    ]  # fmt: skip
    return _aligned(rows)


def _process_lines(processes: list[dict[str, Any]]) -> list[str]:
    rows = [("process", "host", "holds", "wraps under")]
    rows += [
        (str(one["pid"]), printable(one["host"]), ",".join(map(str, one["holds"])), str(one["wrapsUnder"]))
        for one in processes
    ]
    return _aligned(rows)


def _aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
