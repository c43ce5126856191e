"""Policies of all kinds: each is refused, or means what the naive evaluator says."""

import json
from collections.abc import Iterator
from dataclasses import replace

from kms_server.errors import ServiceError
from kms_server.iam.policy import compile_identity_policy, compile_key_policy, compile_trust_policy
from tests.unit.iam.agreement import seeded
from tests.unit.iam.compiled import Compiled, verdict_of
from tests.unit.iam.naive import Asked, Document, decide
from tests.unit.iam.policy_statements import CALLERS, KEY
from tests.unit.iam.policy_values import HOME

EVERYBODY = {"Statement": {"Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*"}}
ASKED = Asked(
    CALLERS[0], "kms:Decrypt", KEY, {
        "aws:username": ["alice"], "aws:PrincipalTag/star": ["*"], "kms:ViaService": ["finance"], "aws:SourceVpce": ["7"],
        "aws:TagKeys": ["one", "two", "2026-01-01T00:00:00Z"], "aws:ResourceTag/Owner": ["203.0.113.9"],
        "kms:EncryptionContext:Dept": ["arn:aws:sns:eu-west-1:111122223333:alarms"], "aws:SecureTransport": ["true"],
    },
    HOME, EVERYBODY,
)  # fmt: skip


def policy(data: bytes) -> None:
    """Policies of all kinds, and what they say about a request."""
    text = data.decode("latin-1")
    for compiler in (compile_trust_policy, compile_identity_policy, compile_key_policy):
        try:
            compiler(text)
        except ServiceError:
            continue
        document = json.loads(text)
        for asked in _under(document, names_principals=compiler is not compile_identity_policy):
            assert verdict_of(Compiled(asked).decision_of(asked)) == decide(asked)


def _under(document: Document, *, names_principals: bool) -> Iterator[Asked]:
    """The request with the document where it may stand."""
    if names_principals:
        yield replace(ASKED, key_policy=document)
        return
    yield replace(ASKED, identity_policies=[document])
    yield replace(ASKED, key_account=None, resource="*", identity_policies=[document])


def examples() -> Iterator[bytes]:
    """Policies to start from."""
    for seed in range(400):
        asked = seeded(seed).asked
        for document in (asked.key_policy, *asked.identity_policies):
            if document is not None:
                yield json.dumps(document).encode("latin-1")
