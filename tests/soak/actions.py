"""What clients do, chosen at random."""

import json
from collections.abc import Callable
from functools import partial

from tests.soak.calls import ROOT, SECOND
from tests.soak.clients import LIMITED_AT_ONCE, Client
from tests.soak.ledger import OK, Sealed
from tests.soak.model import Cell, Key, possible
from tests.soak.pipelined import Burst
from tests.soak.readings import (
    ACTIVE,
    DISABLED,
    ENABLED,
    GIVEN,
    GONE,
    INACTIVE,
    LIVE,
    NONE,
    PENDING,
    TAKEN,
)

_KEYS = 40
_ALIASES = 8
_GRANTS = 3
_ROTATIONS = 8
_AT_ONCE = 6
_USES = ["Encrypt", "Decrypt", "GenerateDataKey"]
_ACCOUNT = "arn:aws:iam::000000000000"


class Actions:
    """Chooses and does one thing at a time."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._caller = client.caller
        self._chance = client.chance
        self._user = f"{_ACCOUNT}:user/{client.told.user}"
        self._special: dict[str, str] = {}
        weights: dict[Callable[[], None], int] = {
            self._create_key: 2, self._use: 20, self._use_by_second: 10, self._reencrypt: 3, self._mac: 2, self._sign: 2,
            self._flip_state: 8, self._give_grant: 5, self._end_grant: 5, self._flip_policy: 5, self._point_alias: 4,
            self._rotate: 2, self._tag: 4, self._schedule: 3, self._flip_access: 3, self._describe: 4, self._list: 1,
            self._press: 2, self._race: 8,
        }  # fmt: skip
        self._choices, self._weights = list(weights), list(weights.values())

    def act(self) -> None:
        """Do something."""
        if not self._client.keys:
            self._create_key()
            return
        (action,) = self._chance.choices(self._choices, self._weights)
        action()

    def _key(self, wanted: str | None = None) -> Key | None:
        """A key, in a state that is known and wanted."""
        keys = [key for key in self._client.keys if wanted is None or key.state.value == wanted]
        return self._chance.choice(keys) if keys else None

    def _create_key(self) -> None:
        if len(self._client.keys) >= _KEYS:
            return
        made = self._caller.call("CreateKey", Tags=[{"TagKey": "round", "TagValue": "0"}])
        if made.kind == OK:
            about = made.answer["KeyMetadata"]
            key = Key(about["KeyId"], about["Arn"])
            self._client.keys.append(key)
            self._client.use(key, server=self._caller.other(made.called.server))

    def _use(self) -> None:
        key = self._key()
        assert key is not None
        self._client.use(key)

    def _use_by_second(self) -> None:
        key = self._key()
        assert key is not None
        self._client.use(key, SECOND)

    def _reencrypt(self) -> None:
        key = self._key(ENABLED)
        sources = [blob for blob in self._client.blobs if blob.key.state.value == ENABLED]
        if key is None or not sources:
            return
        blob = self._chance.choice(sources)
        about = (
            {"SourceEncryptionContext": blob.request["EncryptionContext"]}
            if "EncryptionContext" in blob.request
            else {}
        )
        outcome = self._caller.call(
            "ReEncrypt", CiphertextBlob=blob.request["CiphertextBlob"], DestinationKeyId=key.arn, **about
        )
        if outcome.kind == OK:
            blob = blob._replace(key=key, request={"CiphertextBlob": outcome.answer["CiphertextBlob"]})
            self._caller.note(
                Sealed("Decrypt", {"CiphertextBlob": outcome.answer["CiphertextBlob"].hex()}, blob.digest)
            )
        self._client.judge(outcome, key, ROOT, {OK})

    def _special_key(self, spec: str, usage: str) -> str | None:
        """A key that only makes MACs or signatures, made when it is first needed."""
        if spec not in self._special:
            made = self._caller.call("CreateKey", KeySpec=spec, KeyUsage=usage)
            if made.kind == OK:
                self._special[spec] = made.answer["KeyMetadata"]["Arn"]
        return self._special.get(spec)

    def _mac(self) -> None:
        key = self._special_key("HMAC_256", "GENERATE_VERIFY_MAC")
        if key is None:
            return
        request = {"KeyId": key, "MacAlgorithm": "HMAC_SHA_256"}
        message = self._chance.randbytes(40)
        made = self._caller.call("GenerateMac", Message=message, **request)
        if made.kind == OK:
            self._caller.note(
                Sealed("VerifyMac", request | {"Message": message.hex(), "Mac": made.answer["Mac"].hex()})
            )

    def _sign(self) -> None:
        key = self._special_key("ECC_NIST_P256", "SIGN_VERIFY")
        if key is None:
            return
        request = {"KeyId": key, "SigningAlgorithm": "ECDSA_SHA_256"}
        message = self._chance.randbytes(40)
        made = self._caller.call("Sign", Message=message, **request)
        if made.kind == OK:
            signature = {"Message": message.hex(), "Signature": made.answer["Signature"].hex()}
            self._caller.note(Sealed("Verify", request | signature))

    def _after(self, cell: Cell, server: int, *uses: Callable[[int], None]) -> None:
        """Ask the other servers about an acknowledged change, in any order."""
        looks: list[Callable[[int], None]] = [partial(self._client.look, cell), *uses]
        self._chance.shuffle(looks)
        for look in looks:
            look(self._caller.other(server))

    def _using(self, key: Key, who: str) -> Callable[[int], None]:
        return lambda server: self._client.use(key, who, server)

    def _change(
        self, key: Key, cell: Cell, value: str, operation: str, *, who: str = SECOND, **parameters: object
    ) -> None:
        outcome = self._client.change(cell, value, operation, **parameters)
        if outcome.kind == OK:
            self._after(cell, outcome.called.server, self._using(key, who))

    def _flip_state(self) -> None:
        key = self._key()
        assert key is not None
        if key.state.value in {ENABLED, DISABLED}:
            self._change(key, key.state, *self._other_state(key), who=ROOT, KeyId=key.key_id)

    def _other_state(self, key: Key) -> tuple[str, str]:
        return (DISABLED, "DisableKey") if key.state.value == ENABLED else (ENABLED, "EnableKey")

    def _schedule(self) -> None:
        key = self._key()
        assert key is not None
        if key.state.value == PENDING:
            self._change(key, key.state, DISABLED, "CancelKeyDeletion", who=ROOT, KeyId=key.key_id)
        elif key.state.value is not None and self._chance.random() < 0.5:
            self._change(
                key,
                key.state,
                PENDING,
                "ScheduleKeyDeletion",
                who=ROOT,
                KeyId=key.key_id,
                PendingWindowInDays=7,
            )

    def _give_grant(self) -> None:
        key = self._key(ENABLED)
        if key is None or len(key.grants) >= _GRANTS:
            return
        name = f"grant-{self._client.number()}"
        cell = Cell(f"grant {key.key_id} {name}", GONE)
        outcome = self._client.change(
            cell, LIVE, "CreateGrant", KeyId=key.arn, Name=name, GranteePrincipal=self._user, Operations=_USES
        )
        key.grants[name] = cell
        if outcome.kind == OK:
            key.grant_ids[name] = outcome.answer["GrantId"]
            self._after(cell, outcome.called.server, self._using(key, SECOND))

    def _end_grant(self) -> None:
        key = self._key(ENABLED)
        if key is None:
            return
        key.forget_gone()
        live = [cell for name, cell in key.grants.items() if cell.value == LIVE and name in key.grant_ids]
        if live:
            cell = self._chance.choice(live)
            grant = key.grant_ids[cell.name.split(" ")[2]]
            end = self._chance.choice(["RevokeGrant", "RetireGrant"])
            self._change(key, cell, GONE, end, KeyId=key.arn, GrantId=grant)

    def _flip_policy(self) -> None:
        key = self._key(ENABLED)
        if key is None or key.policy.value is None:
            return
        value = TAKEN if key.policy.value == GIVEN else GIVEN
        statements = [
            {"Effect": "Allow", "Principal": {"AWS": f"{_ACCOUNT}:root"}, "Action": "kms:*", "Resource": "*"}
        ]
        if value == GIVEN:
            uses = [f"kms:{use}" for use in _USES]
            statements.append(
                {"Effect": "Allow", "Principal": {"AWS": self._user}, "Action": uses, "Resource": "*"}
            )  # type: ignore[dict-item]  # a list of actions
        policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
        self._change(key, key.policy, value, "PutKeyPolicy", KeyId=key.key_id, Policy=policy)

    def _point_alias(self) -> None:
        key = self._key(ENABLED)
        if key is None:
            return
        if len(self._client.aliases) < _ALIASES:
            cell = Cell(f"alias alias/soak-{self._client.told.name}-{self._client.number()}", NONE)
            self._client.aliases.append(cell)
            operation = "CreateAlias"
        else:
            cell = self._chance.choice(self._client.aliases)
            if cell.value is None or cell.value == key.key_id:
                return
            operation = "CreateAlias" if cell.value == NONE else "UpdateAlias"
        name = cell.name.split(" ")[1]
        outcome = self._client.change(cell, key.key_id, operation, AliasName=name, TargetKeyId=key.key_id)
        if outcome.kind == OK:
            self._after(cell, outcome.called.server, lambda server: self._encrypt_by(name, key, server))

    def _encrypt_by(self, name: str, key: Key, server: int) -> None:
        outcome = self._caller.call("Encrypt", server=server, KeyId=name, Plaintext=b"x")
        if outcome.result is not None and outcome.answer.get("KeyId") != key.arn:
            self._client.violated(
                "stale answer",
                f"Encrypt by {name} on server {server}: {outcome.answer}, not {key.arn}; {outcome.called.marker}",
            )

    def _rotate(self) -> None:
        key = self._key(ENABLED)
        if key is None or key.rotations.value is None or int(key.rotations.value) >= _ROTATIONS:
            return
        before = self._caller.call("DescribeKey", KeyId=key.key_id)
        outcome = self._client.change(
            key.rotations, str(int(key.rotations.value) + 1), "RotateKeyOnDemand", KeyId=key.key_id
        )
        if before.kind == OK and outcome.kind == OK:
            old = before.answer["KeyMetadata"]["CurrentKeyMaterialId"]
            self._after(
                key.rotations, outcome.called.server, lambda server: self._with_new_material(key, old, server)
            )

    def _with_new_material(self, key: Key, old: str, server: int) -> None:
        outcome = self._caller.call("GenerateDataKey", server=server, KeyId=key.arn, KeySpec="AES_256")
        if outcome.kind == OK and outcome.answer["KeyMaterialId"] == old:
            self._client.violated(
                "stale answer",
                f"GenerateDataKey of {key.key_id} on server {server} uses old material; {outcome.called.marker}",
            )

    def _tag(self) -> None:
        key = self._key(ENABLED)
        if key is None or key.tag.value is None:
            return
        value = str(self._client.number())
        outcome = self._client.change(
            key.tag, value, "TagResource", KeyId=key.key_id, Tags=[{"TagKey": "round", "TagValue": value}]
        )
        if outcome.kind == OK:
            self._after(key.tag, outcome.called.server)

    def _flip_access(self) -> None:
        cell = self._client.access
        if cell.value is None:
            return
        value = INACTIVE if cell.value == ACTIVE else ACTIVE
        _, user, access_key_id = cell.name.split(" ")
        key = self._key()
        assert key is not None
        self._change(
            key,
            cell,
            value,
            "UpdateAccessKey",
            service="iam",
            UserName=user,
            AccessKeyId=access_key_id,
            Status=value,
        )

    def _describe(self) -> None:
        key = self._key()
        assert key is not None
        cell = self._chance.choice([*key.cells(), *self._client.aliases])
        if not cell.is_settling:
            self._client.look(cell, self._chance.randrange(self._caller.servers))

    def _list(self) -> None:
        wanted = {key.key_id for key in self._client.keys}
        marker: dict[str, str] = {}
        while True:
            page = self._caller.call("ListKeys", Limit=200, **marker)
            if page.kind != OK:
                return
            wanted -= {entry["KeyId"] for entry in page.answer["Keys"]}
            if not page.answer["Truncated"]:
                break
            marker = {"Marker": page.answer["NextMarker"]}
        if wanted:
            self._client.violated("lost key", f"ListKeys does not have {wanted}")

    def _press(self) -> None:
        """Many calls at once on the key that has a limit."""
        burst = Burst(self._caller, self._chance.randrange(self._caller.servers), limited=True)
        burst.send("Encrypt", {"KeyId": self._client.told.limited, "Plaintext": b"x"}, LIMITED_AT_ONCE)
        for outcome in burst.outcomes():
            if outcome.result not in {None, OK, "ThrottlingException"}:
                self._client.violated("wrong answer", f"of the limited key: {outcome}")
        burst.close()

    def _race(self) -> None:
        """Change a key while calls on it are under way on another server; those sent after the answer must know."""
        key = self._key()
        assert key is not None
        if key.state.value not in {ENABLED, DISABLED}:
            return
        server = self._chance.randrange(self._caller.servers)
        burst = Burst(self._caller, self._caller.other(server))
        request = {"KeyId": key.arn, "Plaintext": b"x"}
        before = possible(key, self._client.access, ROOT)
        burst.send("Encrypt", request, _AT_ONCE)
        value, operation = self._other_state(key)
        outcome = self._client.change(key.state, value, operation, server=server, KeyId=key.key_id)
        after = possible(key, self._client.access, ROOT)
        burst.send("Encrypt", request, _AT_ONCE)
        for number, answered in enumerate(burst.outcomes()):
            known = number >= _AT_ONCE and outcome.kind == OK
            self._client.judge(answered, key, ROOT, after if known else before | after)
        burst.close()


def actions(client: Client) -> Callable[[], None]:
    """What a client does next, each time it is called."""
    return Actions(client).act
