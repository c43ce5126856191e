"""Whatever text a policy is: it is refused as AWS refuses it, or it means what the naive evaluator says, and soon."""

import json
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from kms_server.errors import LimitExceededException, MalformedPolicyDocumentException, SerializationException
from kms_server.iam.context import FixedContext
from kms_server.iam.patterns import ANY, ONE
from kms_server.iam.policy import compile_identity_policy, compile_key_policy, compile_trust_policy
from kms_server.iam.statement import CompiledPolicy
from kms_server.protocol import json_reader
from tests.examples import examples
from tests.fuzz.mutated_policies import ODD_TEXTS, mutated
from tests.unit.iam.agreement import seeded
from tests.unit.iam.compiled import Compiled, verdict_of
from tests.unit.iam.naive import Asked, decide

# What a decision may take, with a document of a few kilobytes and on a busy machine.
SECONDS = 1.0
COMPILERS: tuple[Callable[[str], CompiledPolicy], ...] = (
    compile_key_policy.__wrapped__, compile_identity_policy.__wrapped__, compile_trust_policy.__wrapped__,
)  # fmt: skip


def accepted(text: str, compiler: Callable[[str], CompiledPolicy]) -> bool:
    """Whether a text is a policy; nothing but the errors of AWS comes of one that is not."""
    try:
        compiler(text)
    except (MalformedPolicyDocumentException, LimitExceededException):
        return False
    return True


def agree(asked: Asked) -> None:
    began = time.process_time()
    decision = Compiled(asked).decision_of(asked)
    assert time.process_time() - began < SECONDS
    assert verdict_of(decision) == decide(asked), asked


def with_odd_values(rng: Random, asked: Asked) -> Asked:
    """The request with values that no client has any business to send."""
    context = {name: list(values) for name, values in asked.context.items()}
    for name in rng.sample(sorted(context), k=min(2, len(context))):
        context[name] = [rng.choice(ODD_TEXTS) for _ in range(rng.choice([1, 1, 3]))]
    return replace(asked, context=context)


def one_mutated(seed: int) -> tuple[Asked, bool]:
    """A request with one of its documents changed, and whether any of six changed texts is still a policy."""
    rng = Random(seed)
    asked = seeded(seed).asked
    places = [place for place in ("key_policy", "boundary") if getattr(asked, place) is not None]
    places += [place for place in ("identity_policies", "session_policies") if getattr(asked, place)]
    if not places:
        return asked, True
    place = rng.choice(places)
    several = place.endswith("policies")
    original = getattr(asked, place)[0] if several else getattr(asked, place)
    texts = (mutated(rng, original) for _ in range(6))
    taken = (text for text in texts if accepted(text, COMPILERS[0 if place == "key_policy" else 1]))
    text = next(taken, None)
    if text is None:
        return asked, False
    document = json.loads(text)
    change: dict[str, Any] = {place: [document] if several else document}
    changed = replace(asked, **change)
    return with_odd_values(rng, changed), True


@settings(max_examples=examples(test=500, soak=1_500), suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 2**48))
def test_a_changed_document_is_refused_or_means_what_it_says(seed: int) -> None:
    asked, taken = one_mutated(seed)
    if taken:
        agree(asked)


def test_changes_are_neither_all_refused_nor_all_harmless() -> None:
    taken: Counter[bool] = Counter()
    verdicts: Counter[str] = Counter()
    for seed in range(600):
        asked, is_policy = one_mutated(seed)
        taken[is_policy] += 1
        verdicts[decide(asked)] += is_policy
    assert min(taken.values()) >= 150, taken
    assert min(verdicts.values()) >= 30, verdicts


@settings(max_examples=examples(test=200, soak=500))
@given(st.text(max_size=300) | st.binary(max_size=300).map(lambda data: data.decode("latin-1")))
@example("\ufeff{}")
@example('{"Statement":' + "[" * 100_000)
@example('{"Statement":' + "9" * 10_000 + "}")
def test_any_text_is_refused_or_is_a_policy(text: str) -> None:
    for compiler in COMPILERS:
        accepted(text, compiler)


# --- wildcards are lone surrogates, and these come in nowhere ---------------------------------------------


@pytest.mark.parametrize("wildcard", [ANY, ONE])
@pytest.mark.parametrize(
    "place", ["Sid", "Action", "Resource", "Principal", "condition value", "condition key", "member"]
)
def test_no_policy_has_a_lone_surrogate(wildcard: str, place: str) -> None:
    mark = f"x{wildcard}"
    resource = f"arn:aws:kms:*:*:key/{mark}"
    content: dict[str, Any] = {"Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*"}
    odd: dict[str, dict[str, Any]] = {
        "Sid": {"Sid": mark}, "Action": {"Action": f"kms:{mark}"}, "Resource": {"Resource": [resource]},
        "Principal": {"Principal": {"Service": mark}}, "member": {mark: mark},
        "condition value": {"Condition": {"StringLike": {"aws:username": mark}}},
        "condition key": {"Condition": {"StringLike": {mark: "*"}}},
    }  # fmt: skip
    content |= odd[place]
    own = {name: value for name, value in content.items() if name != "Principal" or place == "Principal"}
    for ascii_only in (True, False):
        for compiler, statement in zip(COMPILERS, (content, own, content), strict=True):
            text = json.dumps({"Version": "2012-10-17", "Statement": statement}, ensure_ascii=ascii_only)
            assert wildcard in text or "\\udc0" in text
            assert not accepted(text, compiler)


@pytest.mark.parametrize(
    "body", [b'{"a":"\\udc00"}', b'{"\\udc01":"a"}', b'{"a":"\xed\xb0\x80"}', b'{"a":["\\ud83d"]}']
)
def test_no_request_has_a_lone_surrogate(body: bytes) -> None:
    with pytest.raises(SerializationException):
        json_reader.read_object(body)


@settings(max_examples=examples(test=100, soak=300))
@given(st.text(st.sampled_from("ab*?" + ANY + ONE), max_size=6), st.text(st.sampled_from("ab*?"), max_size=6))
def test_a_value_that_had_one_would_match_nothing_but_itself(value: str, text: str) -> None:
    condition = {"StringLike": {"app:text": "${app:value}"}}
    content = {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*", "Condition": condition}
    (statement,) = compile_key_policy(json.dumps({"Version": "2012-10-17", "Statement": content})).statements
    context = FixedContext({"app:text": [text], "app:value": [value]})
    assert not statement.fits("*", context) or value == text
