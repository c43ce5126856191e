"""Statements and grants for the policy cases: they fit the request, except now and then."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, TypeVar

from tests.unit.iam.naive import Caller
from tests.unit.iam.policy_values import AWAY, HOME, TOPIC, odds

KEY_ID = "1234abcd-12ab-34cd-56ef-1234567890ab"
KEY = f"arn:aws:kms:us-east-1:{HOME}:key/{KEY_ID}"
OTHER_KEY = f"arn:aws:kms:us-east-1:{HOME}:key/0000abcd-12ab-34cd-56ef-1234567890ab"
STRANGER = f"arn:aws:iam::{HOME}:user/stranger"
THIRD = "777788889999"

CALLERS = [
    Caller(f"arn:aws:iam::{HOME}:user/alice", HOME, None, "AIDAHOME"),
    Caller(f"arn:aws:iam::{AWAY}:user/alice", AWAY, None, "AIDAAWAY"),
    Caller(
        f"arn:aws:sts::{HOME}:assumed-role/Batch/run-7", HOME, f"arn:aws:iam::{HOME}:role/ops/Batch",
        "AROAHOME:run-7", "AROAHOME",
    ),
    Caller(
        f"arn:aws:sts::{AWAY}:assumed-role/Batch/run-7", AWAY, f"arn:aws:iam::{AWAY}:role/Batch",
        "AROAAWAY:run-7", "AROAAWAY",
    ),
    Caller(f"arn:aws:sts::{HOME}:federated-user/guest", HOME),
    Caller(f"arn:aws:iam::{HOME}:root", HOME),
]  # fmt: skip

Statement = dict[str, Any]
T = TypeVar("T")


def ways_to_name(caller: Caller) -> list[str]:
    """How a principal can name the caller: "itself", its "account", its "role"."""
    ways = ["itself", "account"]
    return [*ways, "role"] if caller.role_arn else ways


@dataclass(frozen=True)
class Maker:
    """Makes statements for one request."""

    rng: Random
    caller: Caller
    action: str
    resource: str
    unclear: bool

    def pick(self, choices: Sequence[T]) -> T:
        return self.rng.choice(choices)

    def odds(self, twentieths: int) -> bool:
        return odds(self.rng, twentieths)

    def statement(self, place: str, effect: str, way: str) -> Statement:
        """A statement of the "key" policy that names the caller in a way, or one of another document."""
        made = {"Effect": effect} | self.actions() | self.resources(place)
        return made | self.principals(effect, way) if place == "key" else made

    def noise(self, place: str) -> Statement:
        """A statement about something else."""
        effect = self.pick(["Allow", "Deny"])
        if place == "key" and self.odds(10):
            return self.statement(place, effect, "other")
        about_else = {"Effect": effect, "Action": "s3:*", "Resource": "*"}
        return about_else | {"Principal": "*"} if place == "key" else about_else

    def actions(self) -> Statement:
        action = self.action
        if self.odds(1):
            others: list[Any] = ["s3:*", "kms:Tag*", action + "?", ["kms:UntagResource"]]
            return self.pick(
                [*({"Action": other} for other in others), {"NotAction": ["s3:*", action.upper()]}]
            )
        texts: list[Any] = [action, action.lower(), ["kms:TagResource", action], action[:-1] + "?"]
        texts += ["kms:*", "*", action[:6] + "*", ["s3:*", "KMS:" + action[4:6] + "*" + action[-2:]]]
        negative: list[Statement] = [
            {"NotAction": "kms:TagResource"},
            {"NotAction": ["s3:*", "kms:Put*", action + "?"]},
        ]
        return self.pick([*({"Action": text} for text in texts), *negative])

    def resources(self, place: str) -> Statement:
        if self.odds(1):
            nobody = OTHER_KEY.rsplit("/", 1)[0] + "/${aws:PrincipalTag/none}"
            return self.pick(
                [{"Resource": OTHER_KEY}, {"NotResource": ["*", OTHER_KEY]}, {"Resource": nobody}]
            )
        if self.unclear and self.odds(2):
            return self.pick([{"Resource": "arn:aws:*:*:*:*"}, {"Resource": "arn:aws:k*:*:*:*"}])
        wide: list[Statement] = [{"Resource": "*"}, {"NotResource": [OTHER_KEY, "arn:aws:s3:::bucket/*"]}]
        if self.resource == "*":
            return self.pick(wide)
        before, name = self.resource.rsplit("/", 1)
        texts: list[Any] = [self.resource, f"{before}/*", f"arn:aws:kms:*:{HOME}:*/*"]
        texts += [f"arn:*:kms:us-????-1:*:*{name[1:-1]}?", [OTHER_KEY, before + "/${aws:PrincipalTag/thing}"]]
        narrow = [{"Resource": text} for text in texts]
        return self.pick(wide[:1] * 20 + wide + narrow if place == "key" else wide + narrow)

    def principals(self, effect: str, way: str) -> Statement:
        if effect == "Deny" and self.odds(3):
            return {"NotPrincipal": self.left_out(way)}
        caller = self.caller
        if way == "role":
            return {"Principal": {"AWS": self.pick([caller.role_arn, caller.role_id])}}
        if way == "account":
            names = [caller.root_arn, caller.account, [THIRD, caller.root_arn]]
            return {"Principal": {"AWS": self.pick(names)}}
        if way == "other":
            return {
                "Principal": self.pick([{"AWS": STRANGER}, {"AWS": THIRD}, {"Service": "s3.amazonaws.com"}])
            }
        own = caller.unique_id or caller.arn
        named: list[Any] = [
            "*",
            {"AWS": caller.arn},
            {"AWS": [STRANGER, caller.arn]},
            {"AWS": "*"},
            {"AWS": own},
        ]
        return {"Principal": self.pick(named)}

    def left_out(self, way: str) -> Any:
        """A NotPrincipal with all that the caller goes by ("other"), or with less than that."""
        caller = self.caller
        root, account = caller.root_arn, caller.account
        names = [self.pick([root, account])]
        if caller.arn != root:
            names.append(self.pick([caller.arn, caller.unique_id or caller.arn]))
        if caller.role_arn and caller.role_id:
            names.append(self.pick([caller.role_arn, caller.role_id]))
        if way == "other":
            return self.pick(["*", {"AWS": "*"}, *({"AWS": [*names, STRANGER]} for _ in range(8))])
        names.remove(self.pick(names))
        return {"AWS": [*names, STRANGER]}

    def grant(self, context: Mapping[str, str], source_arn: str | None, *, fits: bool) -> Statement:
        """A grant that fits the request, or one that hardly does."""
        operation = self.action.removeprefix("kms:")
        caller = self.caller
        grantees = [
            caller.arn,
            caller.role_arn or caller.arn,
            caller.unique_id or caller.arn,
            caller.role_id or caller.arn,
        ]
        if self.unclear and self.odds(5):
            grantees = [self.caller.root_arn]
        made = {"GranteePrincipal": self.pick(grantees), "Operations": ["Verify", operation]}
        some = self.pick(sorted(context))
        constraints: list[Statement] = [
            {},
            {"EncryptionContextEquals": dict(context)},
            {"EncryptionContextSubset": {some: context[some]}},
        ]
        if source_arn:
            constraints.append({"SourceArn": source_arn})
        if fits:
            return made | {"Constraints": self.pick(constraints)}
        wrong: list[Statement] = [
            {"EncryptionContextEquals": dict(context) | {"more": "x"}},
            {"EncryptionContextEquals": {some: context[some]} if len(context) > 1 else {"more": "x"}},
            {"EncryptionContextEquals": {some: context[some].swapcase() + "x"}},
            {"EncryptionContextSubset": {some: context[some] + "x"}},
            {"EncryptionContextSubset": {"more": "x"}},
            {"SourceArn": TOPIC + "2"},
        ]
        changes: list[Statement] = [{"Constraints": constraint} for constraint in wrong]
        changes += [{"Operations": ["Verify"]}, {"GranteePrincipal": STRANGER}]
        return {"Constraints": {}} | made | self.pick(changes)
