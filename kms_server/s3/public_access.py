"""Which bucket policies are public, and what keeps them from being so (AWS "Blocking public access to your storage")."""

import json
from dataclasses import asdict, dataclass

from kms_server.iam.conditions import Condition
from kms_server.iam.statement import CompiledPolicy
from kms_server.iam.values import network

# Conditions on these, for fixed values, keep a statement for everybody from being public.
_NARROWING = frozenset(
    {
        "aws:principalaccount", "aws:principalarn", "aws:principalorgid", "aws:principalorgpaths", "aws:sourceaccount",
        "aws:sourcearn", "aws:sourceip", "aws:sourceorgid", "aws:sourceowner", "aws:sourcevpc", "aws:sourcevpce",
        "aws:userid", "s3:dataaccesspointaccount", "s3:dataaccesspointarn",
        "s3:x-amz-server-side-encryption-aws-kms-key-id",
    }
)  # fmt: skip
_EQUALITIES = frozenset({"StringEquals", "StringEqualsIgnoreCase", "StringLike", "ArnEquals", "ArnLike"})
_VARIABLE = frozenset("*?$")
# Wider ranges of addresses are public: bits of the mask by IP version.
_FEWEST_BITS = {4: 8, 6: 32}


@dataclass(frozen=True, slots=True)
class PublicAccessBlock:
    """The four settings by which a bucket refuses to be public; by default none of them is set."""

    block_public_acls: bool = False
    ignore_public_acls: bool = False
    block_public_policy: bool = False
    restrict_public_buckets: bool = False

    @classmethod
    def load(cls, text: str | None) -> "PublicAccessBlock":
        """The settings as they are kept with a bucket; None: nothing was ever set."""
        return cls() if text is None else cls(**json.loads(text))

    def kept(self) -> str:
        """The settings as they are kept with a bucket."""
        return json.dumps(asdict(self))


# AWS gives it to every new bucket.
BLOCKED = PublicAccessBlock(
    block_public_acls=True, ignore_public_acls=True, block_public_policy=True, restrict_public_buckets=True
)


def is_public(policy: CompiledPolicy) -> bool:
    """Whether a bucket policy lets in whoever comes: an Allow for everybody that no condition narrows."""
    return any(
        statement.allows and "*" in statement.principals and not any(map(_narrows, statement.conditions))
        for statement in policy.statements
    )


def _narrows(condition: Condition) -> bool:
    """Whether a condition lets in only who has one of some fixed values."""
    if condition.lookup not in _NARROWING or condition.if_absent:
        return False
    operator = condition.operator.rpartition(":")[2]
    if operator == "IpAddress":
        ranges = [network(text) for text in condition.texts]
        return all(one is None or one.prefixlen >= _FEWEST_BITS[one.version] for one in ranges)
    return operator in _EQUALITIES and all(_VARIABLE.isdisjoint(text) for text in condition.texts)
