"""When a key was last used, as the audit log tells (AWS "Determine past usage of a KMS key")."""

from collections.abc import Callable, Iterable, Sequence

from sqlalchemy import Connection

from kms_server.audit.last_use import KEY_USES, use_of
from kms_server.audit.lookup import lookup
from kms_server.audit.pages import Query
from kms_server.clock import DAY
from kms_server.keys.key import KmsKey
from kms_server.operations.call import Call, Subject
from kms_server.operations.condition_keys import texts
from kms_server.storage import last_uses
from kms_server.storage.last_uses import Use


def last_use(call: Call, key: KmsKey) -> Use | None:
    """The last successful cryptographic use of a key."""
    query = Query(
        account=key.account, region=key.region, attribute=("resource", key.arn), start=None, end=None,
        after=None, limit=1, event_names=KEY_USES, succeeded=True,
    )  # fmt: skip
    return newest(call, [query], lambda connection: last_uses.of_key(connection, key.key_id, key.region))


def newest(call: Call, queries: Iterable[Query], folded: Callable[[Connection], Use | None]) -> Use | None:
    """The newest use that any query finds in the log, or that was folded when its record was pruned."""
    uses = [use_of(row) for query in queries for row in lookup(call.services.audit_sources(), query)]
    # After the log: what was pruned meanwhile was folded before.
    with call.services.database.read() as connection:
        kept = folded(connection)
    return max([*uses, *((kept,) if kept else ())], default=None)


def trailing_days(subject: Subject, _: str) -> Sequence[str]:
    """The whole days since a key was last used, or made where it never was."""
    key, call = subject.key, subject.call
    if key is None:
        return ()
    use = last_use(call, key)
    since = key.created_at if use is None else use.time
    return texts(int(max(call.time - since, 0.0) // DAY))
