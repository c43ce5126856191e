"""Members that the kinds of seed files share."""

from datetime import UTC, datetime

from kms_server.errors import OperatorError
from kms_server.keys import specs
from kms_server.keys.key import AWS_KMS
from kms_server.keys.seeds.members import Members
from kms_server.keys.specs import KeySpec

_YEAR = 365


def spec_of(members: Members, default: str | None = None) -> KeySpec:
    """The key spec that KeySpec names.

    Raises:
        OperatorError: this service does not serve it.
    """
    spec = specs.KEY_SPECS.get(members.text("KeySpec", default))
    if spec is None:
        raise OperatorError(f"{members.place('KeySpec')} must be one of {', '.join(specs.KEY_SPECS)}")
    return spec


def usage_of(members: Members, spec: KeySpec) -> str:
    """What KeyUsage says; it may be left out where the spec has but one usage.

    Raises:
        OperatorError: it is left out elsewhere, or the spec does not have it.
    """
    usages = list(spec.algorithms)
    usage = members.text("KeyUsage", usages[0] if len(usages) == 1 else None)
    if usage not in usages:
        raise OperatorError(f"{members.place('KeyUsage')} of {spec.name} must be {' or '.join(usages)}")
    return usage


def origin_of(members: Members) -> str:
    """What Origin says, AWS_KMS by default."""
    return members.text("Origin", AWS_KMS)


def next_rotation_of(members: Members, name: str) -> float | None:
    """The date of the next rotation in epoch seconds.

    Raises:
        OperatorError: it is not in ISO 8601.
    """
    text = members.optional_text(name)
    if text is None:
        return None
    try:
        date = datetime.fromisoformat(text)
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise OperatorError(f"{members.place(name)} must be a date, such as 2030-11-20T09:14:07Z") from None


def period(days: int | None, next_rotation: float | None) -> int | None:
    """The rotation period in days: a year where only the next rotation is given."""
    return _YEAR if days is None and next_rotation is not None else days
