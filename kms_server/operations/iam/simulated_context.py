"""The caller of a simulation and the condition keys of its requests."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from kms_server import errors as e
from kms_server.arn import Arn, session_arn
from kms_server.iam import values
from kms_server.iam.context import FixedContext
from kms_server.iam.principal import Issuer, Principal, Session
from kms_server.storage import identities, identity_tags

_LIST = "List"
_SESSION = "simulation"
_READERS: dict[str, Callable[[str], object]] = {
    "string": lambda text: text, "numeric": values.number, "boolean": values.boolean, "ip": values.network,
    "binary": values.octets, "date": values.moment,
}  # fmt: skip


def caller(connection: Connection, own_account: str, arn: str, time: float) -> Principal:
    """A user, a role or a group as the caller of a simulation, without policies; it need not exist.

    Of other accounts than one's own nothing is told: neither who exists nor what tags they have.

    Raises:
        InvalidInputException: it is something else.
    """
    parsed = Arn.parse(arn)
    kind, _, path = parsed.resource.partition("/") if parsed else ("", "", "")
    if parsed is None or parsed.service != "iam" or kind not in ("user", "role", "group") or not path:
        raise e.InvalidInputException(f"CallerArn must be of a user, group or role: {arn}")
    name, account = path.rpartition("/")[2], parsed.account
    unique_id = (identities.named(connection, arn) if account == own_account else None) or ""
    tags = identity_tags.of_owner(connection, unique_id) if unique_id else {}
    if kind == "role":
        issuer = Issuer("Role", unique_id or arn, arn, account, name)
        return Principal(
            "AssumedRole", account, session_arn(account, name, _SESSION), f"{unique_id}:{_SESSION}", None,
            session=Session(time, issuer), tags=tags,
        )  # fmt: skip
    return Principal("IAMUser", account, arn, unique_id or arn, None, name, tags=tags)


def anybody(account: str) -> Principal:
    """The caller of policies that are nobody's."""
    return Principal("Unknown", account, "", "", None)


def context(principal: Principal, given: Sequence[Mapping[str, Any]]) -> FixedContext:
    """The condition keys of the caller and, over them, those that are given.

    Raises:
        InvalidInputException: one is given twice, or its values are not of its type.
    """
    own = {name.lower(): found for name, found in _of_caller(principal).items()}
    names = [_checked(one)["ContextKeyName"].lower() for one in given]
    if len(set(names)) != len(names):
        raise e.InvalidInputException("A context key is given more than once.")
    entries = zip(names, given, strict=True)
    return FixedContext(own | {name: one.get("ContextKeyValues") or [] for name, one in entries})


def _checked(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    name, kind = entry.get("ContextKeyName"), entry.get("ContextKeyType")
    texts = entry.get("ContextKeyValues") or []
    if name is None or kind is None:
        raise e.InvalidInputException("A context entry needs ContextKeyName and ContextKeyType.")
    if len(texts) > 1 and not kind.endswith(_LIST):
        raise e.InvalidInputException(f"The context key {name} is a {kind}, which has one value.")
    for text in texts:
        if _READERS[kind.removesuffix(_LIST)](text) is None:
            raise e.InvalidInputException(f"The context key {name} has the value {text}, which is no {kind}.")
    return entry


def _of_caller(principal: Principal) -> dict[str, Sequence[str]]:
    if not principal.arn:
        return {}
    issuer = principal.session.issuer if principal.session else None
    own: dict[str, Sequence[str]] = {
        "aws:PrincipalArn": (issuer.arn if issuer else principal.arn,),
        "aws:PrincipalAccount": (principal.account,),
        "kms:CallerAccount": (principal.account,),
        "aws:PrincipalType": ("AssumedRole" if issuer else "User",),
        "aws:userid": (principal.unique_id,),
    }
    if principal.user_name is not None:
        own["aws:username"] = (principal.user_name,)
    return own | {f"aws:PrincipalTag/{name}": (value,) for name, value in principal.tags.items()}
