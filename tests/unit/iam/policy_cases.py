"""Authorization requests in which one condition, or one grant, usually decides.

A case begins with documents that allow the request by one route. Then a third each: the Allow on the way gets a
condition (allow or implicit deny); a Deny with a condition comes in (explicit deny or allow); one Allow is taken
away and a Deny with a condition comes in (explicit or implicit deny).
"""

from dataclasses import dataclass
from random import Random

from hypothesis import strategies as st

from tests.unit.iam.naive import Asked, Caller, decide
from tests.unit.iam.policy_statements import CALLERS, KEY, Maker, Statement, ways_to_name
from tests.unit.iam.policy_values import HOME, TOPIC, cased, conditions, odds

ACTIONS = [
    "kms:Decrypt",
    "kms:Encrypt",
    "kms:GenerateDataKey",
    "kms:DescribeKey",
    "kms:Sign",
    "kms:ReEncryptFrom",
]
ACCOUNT_ACTIONS = ["kms:CreateKey", "kms:ListKeys", "kms:GenerateRandom", "kms:ListAliases"]
ALIASES = [f"arn:aws:kms:us-east-1:{HOME}:alias/{name}" for name in ("blue", "apps/billing")]
TURNS = ["allow decides", "deny decides", "deny decides without allow"]

# The statements of "key", "identity", "boundary" and "session", of those that there are.
Documents = dict[str, list[Statement]]


@dataclass(frozen=True)
class Case:
    """A request, and the same request without what may decide."""

    asked: Asked
    operator: str  # of the condition that may decide; "grant" when a grant may
    always: Asked  # the statement without its condition, or the grant without its constraints
    never: Asked  # no such statement or grant

    @property
    def decisive(self) -> bool:
        """Whether the condition, or the grant, decides."""
        return decide(self.always) != decide(self.never)


@dataclass(frozen=True)
class Frame:
    """All of a request but the statements."""

    maker: Maker
    context: dict[str, list[str]]
    encryption_context: dict[str, str]
    source_arn: str | None
    versions: dict[str, str]
    apart: bool  # each identity statement in a document of its own

    def asked(self, documents: Documents, grants: list[Statement]) -> Asked:
        def document(place: str, statements: list[Statement]) -> Statement:
            idle: Statement = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
            if place == "key":
                idle["Principal"] = {"AWS": HOME}
            return {"Version": self.versions[place], "Statement": list(statements) or idle}

        whole = {place: document(place, statements) for place, statements in documents.items()}
        identity = [whole["identity"]] if "identity" in whole else []
        if identity and self.apart:
            identity = [document("identity", [statement]) for statement in documents["identity"]]
        return Asked(
            caller=self.maker.caller,
            action=self.maker.action,
            resource=self.maker.resource,
            context=self.context,
            key_account=HOME if "key" in whole else None,
            key_policy=whole.get("key"),
            identity_policies=identity,
            boundary=whole.get("boundary"),
            session_policies=[whole["session"]] if "session" in whole else None,
            grants=grants,
            encryption_context=self.encryption_context,
            source_arn=self.source_arn,
        )


def own_context(caller: Caller, thing: str) -> dict[str, list[str]]:
    """What every request of the caller says."""
    context = {
        "aws:PrincipalArn": [caller.role_arn or caller.arn],
        "aws:PrincipalAccount": [caller.account],
        "kms:CallerAccount": [caller.account],
        "aws:PrincipalTag/Team": ["blue"],
        "aws:PrincipalTag/Star": ["*"],
        "aws:PrincipalTag/Thing": [thing],
        "aws:FederatedProviders": ["one", "two"],
        "aws:SecureTransport": ["true"],
    }
    return context | ({"aws:username": ["alice"]} if ":user/" in caller.arn else {})


def request(rng: Random, *, unclear: bool) -> tuple[Maker, bool]:
    """Who asks for what, and whether a key is involved."""
    caller: Caller = rng.choice(CALLERS)
    kinds = ["key"] * 16 + ([] if caller.arn == caller.root_arn else ["account", "account", "alias"])
    kind = rng.choice(kinds)
    if kind == "key":
        return Maker(rng, caller, rng.choice(ACTIONS), KEY, unclear), True
    if kind == "alias":
        return Maker(rng, caller, "kms:CreateAlias", rng.choice(ALIASES), unclear), False
    return Maker(rng, caller, rng.choice(ACCOUNT_ACTIONS), "*", unclear), False


def allowing(maker: Maker, way: str, *, keyed: bool) -> tuple[Documents, list[str]]:
    """Documents that allow the request ("granted": if a grant does), and which of them it takes."""
    caller = maker.caller
    documents: Documents = {}
    if keyed:
        documents["key"] = [maker.statement("key", "Allow", "other" if way == "granted" else way)]
    needed = [] if way == "granted" else list(documents)
    if caller.arn == caller.root_arn:
        return documents, needed
    at_home = keyed and caller.account == HOME
    free = {"identity": at_home and way != "account"}
    if way != "granted" or maker.unclear:
        free["boundary"] = at_home and way == "itself"
        if ":sts:" in caller.arn:
            free["session"] = at_home and way == "itself"
    for place, superfluous in free.items():
        if (place == "identity" and not superfluous) or maker.odds(7):
            documents[place] = [] if superfluous and maker.odds(10) else [maker.statement(place, "Allow", "")]
            needed += [] if superfluous else [place]
    return documents, needed


def cases(*, unclear: bool = False, shrinks: bool = False) -> st.SearchStrategy[Case]:
    """Cases; the unclear ones may rest on decisions of the naive evaluator where the rules are silent.

    Each is made from one seed, which spreads them evenly and is fast; those that shrink are drawn choice by choice.
    """
    return st.randoms(use_true_random=not shrinks).map(lambda rng: made(rng, unclear=unclear))


def made(rng: Random, *, unclear: bool) -> Case:
    """One case."""
    maker, keyed = request(rng, unclear=unclear)
    operator, condition, about_key = conditions(rng, unclear=unclear)
    if "Bool" not in condition and odds(rng, 3):
        condition |= {"Bool": {"aws:securetransport": "true"}}
    frame = framed(rng, maker, about_key)

    granted = keyed and (unclear or maker.caller.arn != maker.caller.root_arn) and odds(rng, 3)
    way = "granted" if granted else maker.pick(ways_to_name(maker.caller))
    documents, needed = allowing(maker, way, keyed=keyed)
    turn = maker.pick(TURNS)
    fits = bool(needed) or turn == "deny decides" or (turn == "allow decides" and odds(rng, 10))
    grant = maker.grant(frame.encryption_context, frame.source_arn, fits=fits)
    grants = [grant] if granted else []
    if odds(rng, 5):
        place = maker.pick(sorted(documents))
        documents[place] = [maker.noise(place), *documents[place]]

    if turn == "allow decides" and not needed:
        asked, never = frame.asked(documents, grants), frame.asked(documents, [])
        fitting = maker.grant(frame.encryption_context, frame.source_arn, fits=True) | {"Constraints": {}}
        return Case(asked, "grant", frame.asked(documents, [fitting]), never)
    place, statement = deciding(maker, turn, documents, needed)

    def variant(*statements: Statement) -> Asked:
        return frame.asked(documents | {place: [*documents[place], *statements]}, grants)

    return Case(variant(statement | {"Condition": condition}), operator, variant(statement), variant())


def framed(rng: Random, maker: Maker, about_key: dict[str, list[str]]) -> Frame:
    encryption_context = {"tenant": maker.pick(["t1", "t2"])} | ({"shard": "3"} if odds(rng, 6) else {})
    prefix = "kms:EncryptionContext:"
    context = own_context(maker.caller, maker.resource.rsplit("/", 1)[-1])
    context = {cased(rng, name): values for name, values in context.items()} | about_key
    for name, values in about_key.items():
        if name.lower().startswith(prefix.lower()):
            encryption_context[name[len(prefix) :]] = values[0]
    known = {name.lower() for name in context}
    for name, value in encryption_context.items():
        if (prefix + name).lower() not in known:
            context[prefix + name] = [value]
    versions = {
        place: maker.pick(["2012-10-17"] * 6 + ["2008-10-17"])
        for place in ("key", "identity", "boundary", "session")
    }
    source_arn = TOPIC if odds(rng, 10) else None
    return Frame(maker, context, encryption_context, source_arn, versions, apart=odds(rng, 6))


def deciding(maker: Maker, turn: str, documents: Documents, needed: list[str]) -> tuple[str, Statement]:
    """The statement that decides, and where; it is not in the documents."""
    if turn == "allow decides":
        place = maker.pick(needed)
        return place, documents[place].pop()
    if turn == "deny decides without allow" and needed:
        documents[maker.pick(needed)].pop()
    place = maker.pick(sorted(documents))
    return place, maker.statement(place, "Deny", maker.pick(ways_to_name(maker.caller)))
