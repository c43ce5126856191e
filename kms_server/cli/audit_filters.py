"""The options by which records are chosen, which the commands about the audit log share."""

from collections.abc import Callable, Iterable, Iterator
from ipaddress import ip_network
from typing import TypedDict

import click

from kms_server.arn import Arn, alias_arn
from kms_server.audit.matching import Filter
from kms_server.audit.places import Source
from kms_server.cli.moments import Moment, moment
from kms_server.cli.options import account_id, option, region_name
from kms_server.config import DEFAULT_ACCOUNT, Network
from kms_server.errors import OperatorError
from kms_server.server.audit_trail import audit_sources, data_sources
from kms_server.server.state import State
from kms_server.storage import aliases, keys

MOST_RECORDS = 10**12  # that can be asked for; databases count to 2**63
_BUCKETS = "arn:aws:s3:::"
# What callers are told and what is recorded differ.
_RECORDED_AS = {"AccessDeniedException": "AccessDenied"}
_ANY_ERROR = {"any": True, "none": False}
# Bits before the IPv4 address in an IPv6 address that stands for it (RFC 4291 section 2.5.5.2).
_MAPPED = 96


class Asked(TypedDict):
    """What `filter_options` passes to a command."""

    key: str | None
    object_arn: str | None
    principal: str | None
    username: str | None
    access_key_id: str | None
    event_names: tuple[str, ...]
    event_source: str | None
    error: str | None
    network: Network | None
    invoked_by: str | None
    context: tuple[tuple[str, str], ...]
    grant_id: str | None
    read_only: bool | None
    service_events: bool
    pending_deletion: bool
    event_id: str | None
    request_id: str | None
    account: str | None
    region: str | None
    category: str | None
    since: Moment | None
    until: Moment | None


def _pairs(
    _context: click.Context, _parameter: click.Parameter, texts: tuple[str, ...]
) -> tuple[tuple[str, str], ...]:
    found = tuple(text.partition("=") for text in texts)
    if any(not separator for _, separator, _ in found):
        raise OperatorError("a pair of an encryption context is NAME=VALUE")
    return tuple((name, value) for name, _, value in found)


def _network(_context: click.Context, _parameter: click.Parameter, text: str | None) -> Network | None:
    if text is None:
        return None
    try:
        network = ip_network(text, strict=False)
    except ValueError:
        raise OperatorError(
            f"{text!r} is no address: write 10.0.0.7 or 10.0.0.0/8; for what a service called, see --invoked-by"
        ) from None
    mapped = getattr(network.network_address, "ipv4_mapped", None)
    return network if mapped is None else ip_network((mapped, network.prefixlen - _MAPPED), strict=False)


def _principal(_context: click.Context, _parameter: click.Parameter, text: str | None) -> str | None:
    if text is not None and Arn.parse(text) is None:
        raise OperatorError(f"{text!r} is no ARN: for the name of a user or of a session, see --user")
    return text


def _object(_context: click.Context, _parameter: click.Parameter, text: str | None) -> str | None:
    if text is None or text.startswith(_BUCKETS):
        return text
    scheme, separator, place = text.partition("://")
    bucket, _, key = place.partition("/")
    if scheme != "s3" or not separator or not bucket:
        raise OperatorError(f"{text!r} is no object: write s3://BUCKET/KEY or {_BUCKETS}BUCKET/KEY")
    return f"{_BUCKETS}{bucket}/{key}" if key else f"{_BUCKETS}{bucket}"


_OPTIONS = (
    option(
        "--key", metavar="KEY",
        help="Uses of this key: an id, an alias, or the ARN of either. Any other ARN: records that name it.",
    ),
    option(
        "--object", "object_arn", callback=_object, metavar="OBJECT",
        help="Uses of keys for this object or bucket: s3://BUCKET/KEY, or an ARN; a * at the end stands for any rest. "
        "With a bucket key the KMS is told the bucket alone.",
    ),
    option(
        "--principal", callback=_principal, metavar="ARN",
        help="Calls of this user, role (all its sessions) or session; a * at the end stands for any rest.",
    ),
    option("--user", "username", help="Calls under this user or session name; or root, or operator."),
    option("--access-key", "access_key_id", help="Calls with this access key."),
    option(
        "--event", "event_names", multiple=True, help="This operation or service event; again for several."
    ),
    option("--event-source", help="Events of this service, such as kms.amazonaws.com."),
    option("--error", help="This error code, such as AccessDenied; or any, or none."),
    option(
        "--source-ip", "network", callback=_network, metavar="ADDRESS",
        help="Calls from this address or network (10.0.0.0/8).",
    ),
    option("--invoked-by", help="Calls that this service made for somebody, such as fas.s3.amazonaws.com."),
    option(
        "--context", multiple=True, callback=_pairs, metavar="NAME=VALUE",
        help="Uses with this pair in their encryption context; again for several pairs.",
    ),
    option("--grant", "grant_id", help="Calls that made, retired, revoked or listed the grant of this id."),
    option(
        "--read-only/--write-only", "read_only", default=None,
        help="Calls that change nothing (uses of keys are such), or those that do.",
    ),
    option("--service-events", is_flag=True, help="What the service did by itself, such as a rotation."),
    option(
        "--pending-deletion", is_flag=True, help="Calls that were refused since their key is pending deletion."
    ),
    option("--event-id", help="The record of this id."),
    option("--request-id", help="The record of this request."),
    option("--account", callback=account_id, help="Records of this account."),
    option("--region", callback=region_name, help="Records of this Region."),
    option(
        "--category", type=click.Choice(["management", "data"]), help="Such events; data events are calls about objects."
    ),
    option("--since", callback=moment, metavar="TIME", help="From 2026-11-20T09:14:07Z on, or from 2h or 3d ago."),
    option("--until", callback=moment, metavar="TIME", help="Up to this time, which is included."),
)  # fmt: skip


def filter_options(command: Callable[..., None]) -> Callable[..., None]:
    """The options that say which records are wanted; all of them must fit."""
    for decorate in reversed(_OPTIONS):
        command = decorate(command)
    return command


def chosen(state: State, asked: Asked) -> Filter:
    """What to look for.

    Raises:
        OperatorError: it cannot be.
    """
    _require_text(asked)
    error, now = asked["error"], state.clock.now()
    since, until = (one.at(now) if one else None for one in (asked["since"], asked["until"]))
    if since is not None and until is not None and since > until:
        raise OperatorError("--since is later than --until: no record can be both")
    resources, resource_end = _named_by(state, asked)
    return Filter(
        resources=resources, resource_end=resource_end, since=since, until=until,
        error_code=None if error in _ANY_ERROR else _RECORDED_AS.get(error or "", error),
        failed=_ANY_ERROR.get(error or ""), object_arn=asked["object_arn"], principal=asked["principal"],
        username=asked["username"], access_key_id=asked["access_key_id"], event_names=asked["event_names"],
        event_source=asked["event_source"], network=asked["network"], invoked_by=asked["invoked_by"],
        context=asked["context"], grant_id=asked["grant_id"], read_only=asked["read_only"],
        service_events=asked["service_events"], pending_deletion=asked["pending_deletion"],
        event_id=asked["event_id"], request_id=asked["request_id"], account=asked["account"], region=asked["region"],
    )  # fmt: skip


def places(state: State, category: str | None) -> list[Source]:
    """Where the records of a category are, or all records."""
    management = [] if category == "data" else audit_sources(state)
    return management if category == "management" else [*management, *data_sources(state)]


def _require_text(asked: Asked) -> None:
    for text in _texts(asked.values()):
        try:
            text.encode()
        except UnicodeEncodeError:
            raise OperatorError(f"{text!a} is not UTF-8, which all records are") from None


def _texts(values: Iterable[object]) -> Iterator[str]:
    for value in values:
        if isinstance(value, str):
            yield value
        elif isinstance(value, tuple):
            yield from _texts(value)


def _named_by(state: State, asked: Asked) -> tuple[tuple[str, ...], str | None]:
    """The ARNs that --key stands for; or, of a key that is gone, how its ARN ends."""
    text = asked["key"]
    if text is None:
        return (), None
    arn = Arn.parse(text)
    if arn is not None:
        is_alias = arn.service == "kms" and arn.resource.startswith("alias/")
        return (text, *(_behind(state, arn.account, [arn.region], arn.resource) if is_alias else ())), None
    if text.startswith("alias/"):
        return _of_alias(state, asked, text), None
    with state.database.read() as connection:
        members = keys.members(connection, text)
        if not members and not keys.id_was_used(connection, text):
            raise OperatorError(
                f"there never was a key {text}: write a key id, alias/NAME, or the ARN of either"
            )
    found = tuple(key.arn for key in members if asked["region"] in (None, key.region))
    return found, None if found else f":key/{text}"


def _of_alias(state: State, asked: Asked, name: str) -> tuple[str, ...]:
    account = asked["account"] or DEFAULT_ACCOUNT
    with state.database.read() as connection:
        regions = aliases.regions(connection, account, name)
    regions = [region for region in regions if asked["region"] in (None, region)]
    if not regions:
        raise OperatorError(
            f"there is no {name} in account {account}: give --account and --region, or the ARN of a key or of an alias"
        )
    own = tuple(alias_arn(region, account, name) for region in regions)
    return own + _behind(state, account, regions, name)


def _behind(state: State, account: str, regions: list[str], name: str) -> tuple[str, ...]:
    """The ARNs of the keys that an alias names now."""
    with state.database.read() as connection:
        found = (aliases.get(connection, account, region, name) for region in regions)
        named = [keys.get(connection, alias.key_id, alias.region) for alias in found if alias]
    return tuple(key.arn for key in named if key)
