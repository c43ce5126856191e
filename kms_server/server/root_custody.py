"""Where a process looks for the versions of the root key.

It looks where `--root-key` says, and where the root key has moved from there, as this host has noted in `root.moved`.
A version that is announced while it serves may be elsewhere: the version before has vouched for it and for its place,
so that nobody who can write the database alone can slip in another.
"""

import json
import logging
from collections.abc import Sequence
from hmac import compare_digest

from kms_server.config import Settings
from kms_server.crypto.wrap import WrapError
from kms_server.errors import OperatorError
from kms_server.files import locked, read_private, write_private
from kms_server.root_keys.binding import successor_binding
from kms_server.root_keys.places import meant, noted, place_of, place_told
from kms_server.root_keys.provider import RootKey, RootPlace
from kms_server.root_keys.ring import RootKeys
from kms_server.storage import root_versions
from kms_server.storage.database import Database
from kms_server.storage.root_versions import RootState, RootVersion, in_state

_LOG = logging.getLogger(__name__)
_MOST_MOVES = 8


def open_root(settings: Settings, database: Database, opened: RootPlace | None = None) -> RootKeys:
    """All versions of the root key under which anything may be wrapped; the place `opened` was so before, maybe by an operator.

    Raises:
        OperatorError: one is missing, or is not the one this database knows.
    """
    with database.read() as connection:
        versions = root_versions.every(connection)
    current = in_state(versions, RootState.CURRENT)
    if current is None or current.fingerprint is None:
        raise OperatorError(f"there is no server in {settings.data_dir}: run `kms-server serve` first")
    told = places_told(settings, opened)
    held = [_found(settings, one, told) for one in versions if one.prefix is not None]

    def missing(_: int) -> None:
        with database.read() as connection:
            known = root_versions.every(connection)
        problem = take_up(settings, known, keys)
        if problem:
            _LOG.error("%s", problem)

    keys = RootKeys(held, current.version, missing)
    return keys


def take_up(settings: Settings, versions: list[RootVersion], keys: RootKeys) -> str | None:
    """Hold what is announced or in use, and wrap under the current version; what is wrong with one that is not found."""
    problem = None
    for one in versions:
        if one.state is not RootState.RETIRED and keys.fingerprint(one.version) != one.fingerprint:
            vouched = _is_vouched_for(one, keys)
            if one.state is RootState.ANNOUNCED and not vouched:
                problem = (
                    f"version {one.version} of the root key was announced by nobody who holds the one before"
                )
                continue
            try:
                further = [place_of(one.place, settings)] if vouched and one.place else []
                keys.hold(_found(settings, one, places_told(settings), further))
            except OperatorError as error:
                problem = str(error)
    current = in_state(versions, RootState.CURRENT)
    if current is not None and keys.fingerprint(current.version) == current.fingerprint:
        keys.use(current.version)
    return problem


def lacks(versions: list[RootVersion], keys: RootKeys) -> bool:
    """Whether a version is not held under which anything may be wrapped."""
    in_use = [one for one in versions if one.prefix is not None]
    return any(keys.fingerprint(one.version) != one.fingerprint for one in in_use)


def places_told(settings: Settings, opened: RootPlace | None = None) -> list[RootPlace]:
    """Where the root key is by `--root-key`, which may be `opened`, and then where it has moved from there."""
    told = [opened or place_told(settings)]
    moves = _moves(settings)
    while (start := noted(told[-1].spec, settings)) in moves:
        further = place_of(meant(moves[start], settings), settings)
        if noted(further.spec, settings) in [noted(one.spec, settings) for one in told]:
            break
        told.append(further)
    return told


def vouch(keys: RootKeys, version: int, fingerprint: str, place: str) -> bytes:
    """What the current version says for the next one."""
    return keys.wrap(fingerprint.encode(), successor_binding(version=version, place=place))


def _found(
    settings: Settings, wanted: RootVersion, told: Sequence[RootPlace], further: Sequence[RootPlace] = ()
) -> RootKey:
    """A version, from where the root key is `told` to be, or from `further` places.

    Raises:
        OperatorError: it is nowhere.
    """
    problems: dict[str, str] = {}
    others = []
    specs = [one.spec for one in told]
    for place in (*told, *(one for one in further if one.spec not in specs)):
        try:
            found = place.read()
        except OperatorError as error:
            problems[place.spec] = str(error)
            continue
        for key in found:
            if key.version == wanted.version and compare_digest(key.fingerprint, wanted.fingerprint or ""):
                if place.spec not in specs:
                    _note_move(settings, told[-1].spec, place.spec)
                return key
        others.append((place.spec, [key.version for key in found]))
    problem = problems.get(meant(wanted.place or "", settings)) or problems.get(told[-1].spec)
    if not others:
        raise OperatorError(problem or next(iter(problems.values())))
    missing = _told_missing(wanted, others)
    raise OperatorError(f"{missing}; {problem}" if problem else missing)


def _told_missing(wanted: RootVersion, others: list[tuple[str, list[int]]]) -> str:
    wrong = [where for where, versions in others if wanted.version in versions]
    if wrong:
        return (
            f"the root key in {wrong[0]} is not the one this database was made with: "
            "put the right file back, or name it by --root-key file:PATH"
        )
    return (
        f"version {wanted.version} of the root key is not in {', '.join(where for where, _ in others)}: copy it there, or "
        f"name its place by --root-key; the database has it in {wanted.place or 'the place that the server was told'}"
    )


def _is_vouched_for(wanted: RootVersion, keys: RootKeys) -> bool:
    if wanted.place is None or wanted.endorsement is None:
        return False
    binding = successor_binding(version=wanted.version, place=wanted.place)
    try:
        told = keys.unwrap_held(wanted.endorsement, binding)
    except WrapError:
        return False
    return compare_digest(told, (wanted.fingerprint or "").encode())


def _moves(settings: Settings) -> dict[str, str]:
    """To where the root key has moved from where, as it is noted, the latest last."""
    path = settings.root_moves_file
    if not path.exists():
        return {}
    content = read_private(path, called="the note of where the root key has moved", remedy="restore it")
    try:
        moves = json.loads(content)
    except ValueError:
        moves = None
    if not isinstance(moves, dict) or not all(isinstance(one, str) for one in moves.values()):
        raise OperatorError(f"{path} is damaged: take it away, and name the root key by --root-key")
    return {noted(meant(start, settings), settings): end for start, end in moves.items()}


def _note_move(settings: Settings, former: str, place: str) -> None:
    """Let the next start from here find what has moved."""
    with locked(settings.state_dir / "root.moved.lock"):
        start, end = noted(former, settings), noted(place, settings)
        moves = dict([*_moves(settings).items()][1 - _MOST_MOVES :]) | {start: end}
        moves.pop(end, None)
        write_private(settings.root_moves_file, json.dumps(moves).encode())
