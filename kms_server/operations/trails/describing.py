"""DescribeTrails, GetTrail, ListTrails, GetTrailStatus."""

from typing import Any

from sqlalchemy import Connection

from kms_server.arn import trail_arn
from kms_server.clock import iso_seconds
from kms_server.operations import access
from kms_server.operations.call import Answer, Call
from kms_server.operations.paging import token_page
from kms_server.operations.trails import common
from kms_server.operations.trails.settings import shown
from kms_server.storage import trails
from kms_server.storage.trails import Trail

_PAGE = 100


def describe_trails(call: Call, connection: Connection) -> Answer:
    """The trails of the Region and the shadows of others there, those that are named if any are (AWS DescribeTrails)."""
    access.allow_without_key(call)
    places = [common.place_of(call, one) for one in call.get("trailNameList", [])]
    named = {trail_arn(place.region, call.account, place.name) for place in places}
    shadows = call.get("includeShadowTrails", default=True)
    found = [
        trail
        for trail in trails.of_account(connection, call.account)
        if (trail.is_seen_in(call.region) if shadows else trail.region == call.region)
    ]
    return {"trailList": [_described(trail) for trail in found if not named or trail.arn in named]}


def get_trail(call: Call, connection: Connection) -> Answer:
    """A trail (AWS GetTrail)."""
    return {"Trail": _described(common.find(call, connection, call.parameters["Name"]))}


def list_trails(call: Call, connection: Connection) -> Answer:
    """The trails of the account, of all Regions (AWS ListTrails)."""
    access.allow_without_key(call)
    existing = sorted(trails.of_account(connection, call.account), key=_arn)
    found, rest = token_page(call, existing, _arn, most=_PAGE)
    told = [{"TrailARN": trail.arn, "Name": trail.name, "HomeRegion": trail.region} for trail in found]
    return {"Trails": told, **rest}


def get_trail_status(call: Call, connection: Connection) -> Answer:
    """How a trail does (AWS GetTrailStatus); nothing is notified, so what tells of it is empty."""
    trail = common.find(call, connection, call.parameters["Name"])
    status = {
        "IsLogging": trail.logging,
        "LatestDeliveryError": trail.delivery_error,
        "LatestDeliveryTime": trail.delivered_at,
        "StartLoggingTime": trail.started_at,
        "StopLoggingTime": trail.stopped_at,
        "LatestDigestDeliveryTime": trail.digest_delivered_at,
        "LatestDigestDeliveryError": trail.digest_error,
        "LatestDeliveryAttemptTime": _iso(trail.attempted_at),
        "LatestNotificationAttemptTime": "",
        "LatestNotificationAttemptSucceeded": "",
        "LatestDeliveryAttemptSucceeded": _iso(trail.delivered_at),
        "TimeLoggingStarted": _iso(trail.started_at),
        "TimeLoggingStopped": _iso(trail.stopped_at),
    }
    return {name: value for name, value in status.items() if value is not None}


def _arn(trail: Trail) -> str:
    return trail.arn


def _described(trail: Trail) -> dict[str, Any]:
    return {
        **shown(trail),
        "HomeRegion": trail.region,
        "HasCustomEventSelectors": trail.selectors is not None,
        "HasInsightSelectors": False,
    }


def _iso(time: float | None) -> str:
    return "" if time is None else iso_seconds(time)
