"""`kms-server root`: the root key, its versions, and their change while the server runs."""

from collections.abc import Callable
from typing import Unpack

import click

from kms_server.cli.command_group import CommandGroup, Elsewhere
from kms_server.cli.operator import change, opened
from kms_server.cli.options import Where, option, span, state_options, state_settings
from kms_server.cli.root_change import RootChange
from kms_server.clock import iso_seconds
from kms_server.config import DEFAULT_ACCOUNT
from kms_server.errors import OperatorError
from kms_server.root_keys.places import meant, place_of
from kms_server.root_keys.provider import RootPlace
from kms_server.server.root_custody import places_told
from kms_server.server.state import State
from kms_server.storage import root_versions
from kms_server.storage.root_versions import RootState, RootVersion, in_state


@click.group(
    cls=CommandGroup,
    elsewhere={
        "status": Elsewhere(
            "kms_server.cli.root_status:status",
            "Show the versions of the root key, what is under each, who holds which, and what a change waits for.",
        ),
        "split": Elsewhere(
            "kms_server.cli.root_shares:split", "Make a new root key, and the shares that open it."
        ),
        "unseal": Elsewhere(
            "kms_server.cli.root_shares:unseal",
            "Give one share to a server that was started with --root-key shares:PATH.",
        ),
    },
)
def root() -> None:
    """The root key, which wraps every other secret: its versions, and their change while the server runs."""


def _change_options(command: Callable[..., None]) -> Callable[..., None]:
    for decorate in (
        option(
            "--wait", default="60s", callback=span, metavar="SPAN",
            help="How long to wait for processes that do not take the new version up.",
        ),
        option("--shred", is_flag=True, help="Then destroy the retired root keys of this host, as `root shred` does."),
    ):  # fmt: skip
        command = decorate(command)
    return command


@root.command()
@_change_options
@state_options
def rotate(*, shred: bool, wait: int, **where: Unpack[Where]) -> None:
    """Give the root key a new version in the place where it is, and wrap everything anew, while the server runs.

    A change that was begun before, by this command or by `migrate`, is finished instead.
    """
    with opened(state_settings(**where)) as state:
        _change(state, wait, "RotateRootKey", None)
        if shred:
            _shred(state)


@root.command()
@option("--to", "spec", required=True, metavar="SPEC", help="The new place, such as file:PATH.")
@_change_options
@state_options
def migrate(*, spec: str, shred: bool, wait: int, **where: Unpack[Where]) -> None:
    """Give the root key a new version in another place, and wrap everything anew, while the server runs.

    What is at the new place already is taken if it is a root key of the next version. On several hosts it must be at
    that place, or where --root-key says, on each. Afterwards name the new place by --root-key; until then each host
    finds it by a note in its data directory. Run it again to finish a change that was begun before.
    """
    with opened(state_settings(**where)) as state:
        place = place_of(spec, state.settings)
        _change(state, wait, "MigrateRootKey", place)
        click.echo(f"name the root key by --root-key {place.spec} from now on")
        if shred:
            _shred(state)


@root.command()
@state_options
def shred(**where: Unpack[Where]) -> None:
    """Destroy the root keys that have retired, where this host has them.

    Their files are overwritten, as far as the file system lets one. Backups of before they retired cannot be restored
    without them: keep a copy for as long as you keep these.
    """
    with opened(state_settings(**where)) as state:
        if not _shred(state):
            click.echo("no retired root key is on this host")


@root.command()
@state_options
def cancel(**where: Unpack[Where]) -> None:
    """Give up a change as long as nothing is wrapped under the new version; what was made in its place stays there."""
    with opened(state_settings(**where)) as state:
        with change(state, "CancelRootKeyChange", DEFAULT_ACCOUNT) as made:
            announced = in_state(root_versions.every(made.tx.connection), RootState.ANNOUNCED)
            if announced is None:
                raise OperatorError("no change can be given up: see `kms-server root status`")
            made.parameters["version"] = announced.version
            root_versions.withdraw(made.tx, announced.version)
        click.echo(f"version {announced.version} is given up")


def _change(state: State, wait: int, name: str, place: RootPlace | None) -> None:
    """Begin a change, into the place of the current version unless another is given, or go on with one; and finish it."""
    work = RootChange(state, wait)
    begun = work.under_way()
    if begun is None:
        here = _place_of_current(state)
        if place is not None and place.spec == here.spec:
            raise OperatorError(f"the root key is in {here.spec} already: use `kms-server root rotate`")
        work.begin(name, place or here)
    elif place is not None and meant(begun.place or "", state.settings) != place.spec:
        raise OperatorError(
            f"a change to {begun.place} is under way: finish it by `kms-server root rotate` first"
        )
    else:
        click.echo(f"going on with the change to version {begun.version}", err=True)
    retired = work.finish()
    versions = _versions(state)
    former = next(one for one in versions if one.version == retired)
    click.echo(
        f"version {state.root_key.current} of the root key is in use, and version {retired} has retired"
    )
    click.echo(f"backups taken {_span(former)} need version {retired}")


def _place_of_current(state: State) -> RootPlace:
    current = state.root_key.current
    problems = []
    for place in places_told(state.settings):
        try:
            found = place.read() if place.exists() else []
        except OperatorError as error:  # it may be where the root key was before
            problems.append(str(error))
            continue
        if state.root_key.fingerprint(current) in [key.fingerprint for key in found]:
            return place
    said = f"version {current} of the root key is not where --root-key says: see `kms-server root status`"
    raise OperatorError("; ".join([said, *problems]))


def _shred(state: State) -> bool:
    retired = [one for one in _versions(state) if one.state is RootState.RETIRED]
    fingerprints = {one.fingerprint or "" for one in retired}
    specs = dict.fromkeys(
        [one.spec for one in places_told(state.settings)]
        + [meant(one.place, state.settings) for one in retired if one.place]
    )
    gone = []
    for spec in specs:
        place = place_of(spec, state.settings)
        here = {key.fingerprint for key in place.read()} & fingerprints if place.exists() else set()
        going = [one for one in retired if one.fingerprint in here]
        if going:
            # The record comes first: whoever is killed in between says it again.
            numbers = [one.version for one in going]
            with change(state, "ShredRootKey", DEFAULT_ACCOUNT, place=spec, versions=numbers):
                pass
        place.remove(here)  # and finishes what a killed command has begun
        gone += [(spec, one) for one in going]
    for spec, one in gone:
        click.echo(
            f"version {one.version} is destroyed in {spec}: backups taken {_span(one)} cannot be restored without a copy"
        )
    return bool(gone)


def _span(one: RootVersion) -> str:
    """When backups were taken that need a version."""
    until = f"before {iso_seconds(one.retired_at)}" if one.retired_at else "up to now"
    return until if one.current_from is None else f"from {iso_seconds(one.current_from)} on and {until}"


def _versions(state: State) -> list[RootVersion]:
    with state.database.read() as connection:
        return root_versions.every(connection)
