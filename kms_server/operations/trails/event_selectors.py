"""PutEventSelectors, GetEventSelectors."""

import json

from sqlalchemy import Connection

from kms_server.audit.trail.selectors import DEFAULT
from kms_server.operations.call import Answer, Call
from kms_server.operations.trails import common, selector_rules
from kms_server.storage import trails


def put_event_selectors(call: Call, connection: Connection) -> Answer:
    """Choose what a trail delivers, in place of what was chosen before (AWS PutEventSelectors)."""
    trail = common.find_at_home(call, connection, call.parameters["TrailName"])
    wanted = selector_rules.checked(call.get("EventSelectors", []), call.get("AdvancedEventSelectors", []))
    stored = None if wanted == DEFAULT else json.dumps(wanted)
    trails.change(call.writing, trail.trail_id, selectors=stored)
    return {"TrailARN": trail.arn, **wanted}


def get_event_selectors(call: Call, connection: Connection) -> Answer:
    """What a trail delivers (AWS GetEventSelectors)."""
    trail = common.find(call, connection, call.parameters["TrailName"])
    chosen = DEFAULT if trail.selectors is None else json.loads(trail.selectors)
    return {"TrailARN": trail.arn, **chosen}
