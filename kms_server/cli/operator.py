"""The local operator: opens a server's state and has its changes audited."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from kms_server.audit import event_id
from kms_server.audit.heading import Heading
from kms_server.audit.ledger import Ledger
from kms_server.audit.record import Event
from kms_server.config import DEFAULT_REGION, Settings
from kms_server.iam.principal import Principal
from kms_server.server.state import State, open_state
from kms_server.storage.database import Transaction


@dataclass(frozen=True, slots=True)
class Change:
    """A transaction of the operator's, and what its record will say."""

    tx: Transaction
    parameters: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Deed:
    """What the operator did, for its record; `resources` are pairs of type and ARN."""

    name: str
    account: str
    region: str
    parameters: Mapping[str, Any]
    resources: tuple[tuple[str, str], ...] = ()


@contextmanager
def opened(settings: Settings) -> Iterator[State]:
    """The state of a server, closed afterwards."""
    state = open_state(settings)
    try:
        yield state
    finally:
        state.database.close()


@contextmanager
def change(state: State, name: str, account: str, **parameters: Any) -> Iterator[Change]:  # noqa: ANN401 - JSON values
    """One audited change: it and its record commit together, or neither."""
    now = state.clock.now()
    with state.database.write() as tx:
        made = Change(tx, {key: value for key, value in parameters.items() if value is not None})
        yield made
        note(tx, Ledger(state.chain_key), Deed(name, account, DEFAULT_REGION, made.parameters), now)


def note(tx: Transaction, ledger: Ledger, deed: Deed, now: float) -> None:
    """Have a record commit with the change that it is about."""
    principal = Principal.operator(deed.account)
    heading = Heading(
        source="kms-server", name=deed.name, account=deed.account, region=deed.region,
        identity=principal.identity, username=principal.name, access_key_id=None, source_ip="127.0.0.1",
        user_agent="kms-server", read_only=False, event_type="AwsApiCall",
    )  # fmt: skip
    event = Event(heading, event_id.new(now), now, deed.parameters or None, None, deed.resources)
    ledger.add(tx.connection, event)
