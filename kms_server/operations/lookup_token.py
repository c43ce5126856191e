"""The NextToken of LookupEvents: a position in the caller's own log, bound to the question it continues.

It needs no signature. Account and Region come from the caller's credentials and not from the token, so a forged one names
a place in what its holder may read anyway.
"""

import base64
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from kms_server.errors import InvalidNextTokenException

_ID_LENGTH = 36


def write(account: str, region: str, asked: Mapping[str, Any], last: str) -> str:
    """The token for what comes behind the event `last`; `asked` are the members of the request."""
    return base64.urlsafe_b64encode(f"{_question(account, region, asked)}/{last}".encode()).decode()


def read(token: str, account: str, region: str, asked: Mapping[str, Any]) -> str:
    """The event that the pages so far ended with.

    Raises:
        InvalidNextTokenException: the token is none, or of another question, account or Region.
    """
    try:
        question, _, last = base64.b64decode(token, altchars=b"-_", validate=True).decode().partition("/")
    except ValueError:
        raise InvalidNextTokenException("The token is invalid.") from None
    if question != _question(account, region, asked) or len(last) != _ID_LENGTH or "\0" in last:
        raise InvalidNextTokenException("The token is only valid with the parameters it was returned for.")
    return last


def _question(account: str, region: str, asked: Mapping[str, Any]) -> str:
    query = {name: value for name, value in asked.items() if name != "NextToken"}
    text = json.dumps([account, region, query], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]
