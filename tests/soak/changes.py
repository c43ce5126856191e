"""Changes, each of which the other servers are asked about at once."""

import json
from collections.abc import Callable
from functools import partial
from typing import Any

from tests.soak import readings
from tests.soak.calls import ROOT, SECOND
from tests.soak.clients import ACCOUNT, Client
from tests.soak.ledger import OK
from tests.soak.model import Cell, Key, possible
from tests.soak.pipelined import Burst
from tests.soak.uses import some_key

_KEYS = 40
_ALIASES = 8
_GRANTS = 3
_ROTATIONS = 8
_AT_ONCE = 6  # calls under way before a change, and after it
_USES = ["Encrypt", "Decrypt", "GenerateDataKey"]


def _after(client: Client, cell: Cell, server: int, *uses: Callable[[int], None]) -> None:
    """Ask the other servers about an acknowledged change, in any order."""
    looks: list[Callable[[int], None]] = [partial(client.look, cell), *uses]
    client.chance.shuffle(looks)
    for look in looks:
        look(client.caller.other(server))


def _using(client: Client, key: Key, who: str) -> Callable[[int], None]:
    return lambda server: client.use(key, who, server)


def _change(client: Client, key: Key, cell: Cell, value: str, operation: str, **parameters: Any) -> None:
    who = ROOT if cell is key.state else SECOND
    outcome = client.change(cell, value, operation, **parameters)
    if outcome.kind == OK:
        _after(client, cell, outcome.called.server, _using(client, key, who))


def create_key(client: Client) -> None:
    if len(client.keys) >= _KEYS:
        return
    made = client.caller.call("CreateKey", Tags=[{"TagKey": "round", "TagValue": "0"}])
    if made.kind == OK:
        about = made.answer["KeyMetadata"]
        key = Key(about["KeyId"], about["Arn"])
        client.keys.append(key)
        client.use(key, server=client.caller.other(made.called.server))


def flip_state(client: Client) -> None:
    key = some_key(client)
    assert key is not None
    if key.state.value in {readings.ENABLED, readings.DISABLED}:
        _change(client, key, key.state, *_other_state(key), KeyId=key.key_id)


def _other_state(key: Key) -> tuple[str, str]:
    return (
        (readings.DISABLED, "DisableKey")
        if key.state.value == readings.ENABLED
        else (readings.ENABLED, "EnableKey")
    )


def schedule(client: Client) -> None:
    key = some_key(client)
    assert key is not None
    if key.state.value == readings.PENDING:
        _change(client, key, key.state, readings.DISABLED, "CancelKeyDeletion", KeyId=key.key_id)
    elif key.state.value is not None and client.chance.random() < 0.5:
        _change(
            client,
            key,
            key.state,
            readings.PENDING,
            "ScheduleKeyDeletion",
            KeyId=key.key_id,
            PendingWindowInDays=7,
        )


def give_grant(client: Client) -> None:
    key = some_key(client, readings.ENABLED)
    if key is None or len(key.grants) >= _GRANTS:
        return
    name = f"grant-{client.number()}"
    cell = Cell(f"grant {key.key_id} {name}", readings.GONE)
    outcome = client.change(
        cell,
        readings.LIVE,
        "CreateGrant",
        KeyId=key.arn,
        Name=name,
        GranteePrincipal=client.user_arn,
        Operations=_USES,
    )
    key.grants[name] = cell
    if outcome.kind == OK:
        key.grant_ids[name] = outcome.answer["GrantId"]
        _after(client, cell, outcome.called.server, _using(client, key, SECOND))


def end_grant(client: Client) -> None:
    key = some_key(client, readings.ENABLED)
    if key is None:
        return
    key.forget_gone()
    live = [
        cell for name, cell in key.grants.items() if cell.value == readings.LIVE and name in key.grant_ids
    ]
    if live:
        cell = client.chance.choice(live)
        grant = key.grant_ids[cell.name.split(" ")[2]]
        end = client.chance.choice(["RevokeGrant", "RetireGrant"])
        _change(client, key, cell, readings.GONE, end, KeyId=key.arn, GrantId=grant)


def flip_policy(client: Client) -> None:
    key = some_key(client, readings.ENABLED)
    if key is None or key.policy.value is None:
        return
    value = readings.TAKEN if key.policy.value == readings.GIVEN else readings.GIVEN
    statements: list[dict[str, Any]] = [
        {"Effect": "Allow", "Principal": {"AWS": f"{ACCOUNT}:root"}, "Action": "kms:*", "Resource": "*"}
    ]
    if value == readings.GIVEN:
        uses = [f"kms:{use}" for use in _USES]
        statements.append(
            {"Effect": "Allow", "Principal": {"AWS": client.user_arn}, "Action": uses, "Resource": "*"}
        )
    policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
    _change(client, key, key.policy, value, "PutKeyPolicy", KeyId=key.key_id, Policy=policy)


def point_alias(client: Client) -> None:
    key = some_key(client, readings.ENABLED)
    if key is None:
        return
    if len(client.aliases) < _ALIASES:
        cell = Cell(f"alias alias/soak-{client.told.name}-{client.number()}", readings.NONE)
        client.aliases.append(cell)
        operation = "CreateAlias"
    else:
        cell = client.chance.choice(client.aliases)
        if cell.value is None or cell.value == key.key_id:
            return
        operation = "CreateAlias" if cell.value == readings.NONE else "UpdateAlias"
    name = cell.name.split(" ")[1]
    outcome = client.change(cell, key.key_id, operation, AliasName=name, TargetKeyId=key.key_id)
    if outcome.kind == OK:
        _after(client, cell, outcome.called.server, lambda server: _encrypt_by(client, name, key, server))


def _encrypt_by(client: Client, name: str, key: Key, server: int) -> None:
    outcome = client.caller.call("Encrypt", server=server, KeyId=name, Plaintext=b"x")
    if outcome.result is not None and outcome.answer.get("KeyId") != key.arn:
        client.violated(
            "stale answer",
            f"Encrypt by {name} on server {server}: {outcome.answer}, not {key.arn}; {outcome.called.marker}",
        )


def rotate(client: Client) -> None:
    key = some_key(client, readings.ENABLED)
    if key is None or key.rotations.value is None or int(key.rotations.value) >= _ROTATIONS:
        return
    before = client.caller.call("DescribeKey", KeyId=key.key_id)
    outcome = client.change(
        key.rotations, str(int(key.rotations.value) + 1), "RotateKeyOnDemand", KeyId=key.key_id
    )
    if before.kind == OK and outcome.kind == OK:
        old = before.answer["KeyMetadata"]["CurrentKeyMaterialId"]
        _after(
            client,
            key.rotations,
            outcome.called.server,
            lambda server: _with_new_material(client, key, old, server),
        )


def _with_new_material(client: Client, key: Key, old: str, server: int) -> None:
    outcome = client.caller.call("GenerateDataKey", server=server, KeyId=key.arn, KeySpec="AES_256")
    client.judge(outcome, [key], ROOT, {OK})
    if outcome.kind == OK and outcome.answer["KeyMaterialId"] == old:
        client.violated(
            "stale answer",
            f"GenerateDataKey of {key.key_id} on server {server} uses old material; {outcome.called.marker}",
        )


def tag(client: Client) -> None:
    key = some_key(client, readings.ENABLED)
    if key is None or key.tag.value is None:
        return
    value = str(client.number())
    outcome = client.change(
        key.tag, value, "TagResource", KeyId=key.key_id, Tags=[{"TagKey": "round", "TagValue": value}]
    )
    if outcome.kind == OK:
        _after(client, key.tag, outcome.called.server)


def flip_access(client: Client) -> None:
    cell = client.access
    if cell.value is None:
        return
    value = readings.INACTIVE if cell.value == readings.ACTIVE else readings.ACTIVE
    _, user, access_key_id = cell.name.split(" ")
    key = some_key(client)
    assert key is not None
    _change(
        client,
        key,
        cell,
        value,
        "UpdateAccessKey",
        service="iam",
        UserName=user,
        AccessKeyId=access_key_id,
        Status=value,
    )


def race(client: Client) -> None:
    """Change a key while calls on it are under way on another server; those sent after the answer must know."""
    key = some_key(client)
    assert key is not None
    if key.state.value not in {readings.ENABLED, readings.DISABLED}:
        return
    server = client.chance.randrange(client.caller.servers)
    burst = Burst(client.caller, client.caller.other(server))
    request = {"KeyId": key.arn, "Plaintext": b"x"}
    before = possible(key, client.access, ROOT)
    burst.send("Encrypt", request, _AT_ONCE)
    value, operation = _other_state(key)
    outcome = client.change(key.state, value, operation, server=server, KeyId=key.key_id)
    after = possible(key, client.access, ROOT)
    burst.send("Encrypt", request, _AT_ONCE)
    for number, answered in enumerate(burst.outcomes()):
        known = number >= _AT_ONCE and outcome.kind == OK
        client.judge(answered, [key], ROOT, after if known else before | after)
    burst.close()
