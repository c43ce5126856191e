"""What CloudTrail's operations share: names of trails, whom they may be told to, how operations are declared."""

import re
from typing import NamedTuple

from sqlalchemy import Connection

from kms_server import errors as e
from kms_server.arn import PARTITION, Arn, is_region, trail_arn
from kms_server.operations import access
from kms_server.operations.call import Call, Conditions
from kms_server.operations.condition_keys import tag
from kms_server.operations.context import CallContext
from kms_server.storage import trails
from kms_server.storage.trails import Trail

TRAIL = "AWS::CloudTrail::Trail"
CONDITIONS: Conditions = {"aws:ResourceTag/": lambda subject, wanted: tag(subject.resource_tags, wanted)}
NAMED = (e.CloudTrailARNInvalidException, e.InvalidTrailNameException, e.TrailNotFoundException)
CHANGED = (*NAMED, e.InvalidHomeRegionException)

_SHORTEST, _LONGEST = 3, 128
_CHARACTERS = re.compile(r"[A-Za-z0-9._-]*")
_ADJACENT = re.compile(r"[._-]{2}")
_ADDRESS = re.compile(r"[0-9]{1,3}(\.[0-9]{1,3}){3}")


class Place(NamedTuple):
    """Where a trail's home is said to be, and its name."""

    region: str
    name: str


def check_name(name: str) -> None:
    """Check the name of a trail (AWS CreateTrail).

    Raises:
        InvalidTrailNameException: with AWS's texts as far as they are known.
    """
    length = f"characters. Specified name length: {len(name)} characters."
    if len(name) < _SHORTEST:
        raise e.InvalidTrailNameException(
            f"Trail name too short. Minimum allowed length: {_SHORTEST} {length}"
        )
    if len(name) > _LONGEST:
        raise e.InvalidTrailNameException(f"Trail name too long. Maximum allowed length: {_LONGEST} {length}")
    if not _CHARACTERS.fullmatch(name):
        raise e.InvalidTrailNameException(
            "Trail name or ARN can only contain uppercase letters, lowercase letters, numbers, periods (.), hyphens (-), "
            "and underscores (_)."
        )
    if not name[0].isalnum():
        raise e.InvalidTrailNameException("Trail name must starts with a letter or number.")
    if not name[-1].isalnum():
        raise e.InvalidTrailNameException("Trail name must ends with a letter or number.")
    if _ADJACENT.search(name):
        raise e.InvalidTrailNameException(
            "Trail name cannot have adjacent periods (.), hyphens (-), or underscores (_)."
        )
    if _ADDRESS.fullmatch(name):
        raise e.InvalidTrailNameException("Trail name must not be in IP address format.")


def place_of(call: Call, identifier: str) -> Place:
    """What a name, which is of a trail in the call's Region, or an ARN says.

    Raises:
        CloudTrailARNInvalidException, InvalidTrailNameException
    """
    if not identifier.startswith("arn:"):
        check_name(identifier)
        return Place(call.region, identifier)
    arn = trail_arn_parts(call, identifier)
    kind, _, name = arn.resource.partition("/")
    if kind != "trail":
        raise invalid_arn(identifier)
    return Place(arn.region, name)


def trail_arn_parts(call: Call, text: str) -> Arn:
    """The parts of an ARN of CloudTrail that is of the caller's account.

    Raises:
        CloudTrailARNInvalidException
    """
    arn = Arn.parse(text)
    if arn is None or (arn.partition, arn.service) != (PARTITION, "cloudtrail") or not is_region(arn.region):
        raise invalid_arn(text)
    if arn.account != call.account:
        raise e.CloudTrailARNInvalidException("You must specify an ARN that the caller account can access.")
    return arn


def invalid_arn(text: str) -> e.CloudTrailARNInvalidException:
    """The error for what is no ARN of a trail."""
    return e.CloudTrailARNInvalidException(f"Invalid trail ARN: {text}")


def allow(call: Call, connection: Connection, arn: str, trail: Trail | None) -> None:
    """Check that the caller may perform the operation on a trail, and name that in the record.

    Raises:
        AccessDeniedException: it does not tell whether there is such a trail.
    """
    tags = trails.tags(connection, trail.trail_id) if trail else {}
    access.allow_without_key(call, arn, context=CallContext(call, action=call.operation.action, tags=tags))
    if trail is not None:
        call.touches(TRAIL, arn)


def tags_of(connection: Connection, arn: str) -> dict[str, str]:
    """The tags of the trail with an ARN, if there is one."""
    parts = Arn.parse(arn)
    kind, _, name = parts.resource.partition("/") if parts else ("", "", "")
    if parts is None or (parts.service, kind) != ("cloudtrail", "trail"):
        return {}
    trail = trails.find(connection, parts.account, parts.region, name)
    return trails.tags(connection, trail.trail_id) if trail else {}


def find(call: Call, connection: Connection, identifier: str) -> Trail:
    """The trail that a name or an ARN names: one of the call's Region, or by its ARN one with a shadow there.

    Raises:
        AccessDeniedException, CloudTrailARNInvalidException, InvalidTrailNameException, TrailNotFoundException
    """
    place = place_of(call, identifier)
    trail = _at(call, connection, place)
    if trail is None or not trail.is_seen_in(call.region):
        raise _unknown(call, place)
    return trail


def find_at_home(call: Call, connection: Connection, identifier: str) -> Trail:
    """The trail that a name or an ARN names, when its home is the call's Region.

    Raises:
        InvalidHomeRegionException: it has another home, also where its shadow is named.
        AccessDeniedException, CloudTrailARNInvalidException, InvalidTrailNameException, TrailNotFoundException
    """
    place = place_of(call, identifier)
    trail = _at(call, connection, place) or _shadow(call, connection, place)
    if trail is None:
        raise _unknown(call, place)
    if trail.region != call.region:
        raise e.InvalidHomeRegionException(
            f"The trail {trail.arn} can only be changed in its home region {trail.region}."
        )
    return trail


def _at(call: Call, connection: Connection, place: Place) -> Trail | None:
    trail = trails.find(connection, call.account, place.region, place.name)
    allow(call, connection, trail_arn(place.region, call.account, place.name), trail)
    return trail


def _shadow(call: Call, connection: Connection, place: Place) -> Trail | None:
    seen = trails.of_account(connection, call.account)
    return next(
        (one for one in seen if one.multi_region and one.name == place.name and place.region == call.region),
        None,
    )


def _unknown(call: Call, place: Place) -> e.TrailNotFoundException:
    arn = trail_arn(place.region, call.account, place.name)
    return e.TrailNotFoundException(f"Unknown trail: {arn} for the user: {call.account}")
