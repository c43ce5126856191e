"""Policy documents: strict parsing into compiled statements.

Source: AWS "IAM JSON policy elements" and, for key policies, "Key policies in AWS KMS".
"""

import json
from functools import lru_cache
from typing import Any

from kms_server.errors import LimitExceededException, MalformedPolicyDocumentException
from kms_server.iam.policy_parser import Dialect, Parser
from kms_server.iam.statement import CompiledPolicy

_MOST_KEY_POLICY_BYTES = 32_768
# The most AWS takes for the inline policies of one role, its largest identity; white space is free.
_MOST_IDENTITY_POLICY_CHARACTERS = 10_240
_DOCUMENT = frozenset({"Version", "Id", "Statement"})
_WITH_VARIABLES = "2012-10-17"
_VERSIONS = (_WITH_VARIABLES, "2008-10-17", None)

_KEY = Dialect(
    principals=True, resources=True, set_operators_refused=True, optional=frozenset({"Action", "Resource"})
)
_IDENTITY = Dialect(principals=False, resources=True)
_TRUST = Dialect(principals=True, resources=False)
_BUCKET = Dialect(principals=True, resources=True, any_character=True)


@lru_cache(maxsize=4_096)
def compile_key_policy(text: str) -> CompiledPolicy:
    """Compile a key policy (AWS PutKeyPolicy).

    Raises:
        MalformedPolicyDocumentException: it is not a policy, or a statement names no valid principal.
        LimitExceededException: it has more than 32,768 bytes.
    """
    if len(text.encode(errors="replace")) > _MOST_KEY_POLICY_BYTES:
        raise LimitExceededException(f"The key policy is larger than {_MOST_KEY_POLICY_BYTES} bytes.")
    return _compile(text, _KEY)


@lru_cache(maxsize=4_096)
def compile_identity_policy(text: str) -> CompiledPolicy:
    """Compile a policy of a user, group, role or session, or a permissions boundary.

    Raises:
        MalformedPolicyDocumentException: it is not a policy, or it names a principal.
        LimitExceededException: it has more than 10,240 characters, white space not counted.
    """
    if len("".join(text.split())) > _MOST_IDENTITY_POLICY_CHARACTERS:
        raise LimitExceededException(
            f"The policy is larger than {_MOST_IDENTITY_POLICY_CHARACTERS} characters."
        )
    return _compile(text, _IDENTITY)


@lru_cache(maxsize=4_096)
def compile_trust_policy(text: str) -> CompiledPolicy:
    """Compile the policy that says who may assume a role (AWS CreateRole).

    Raises:
        MalformedPolicyDocumentException: it is not a policy, names no valid principal, or names a resource.
    """
    return _compile(text, _TRUST)


@lru_cache(maxsize=4_096)
def compile_bucket_policy(text: str) -> CompiledPolicy:
    """Compile a bucket policy (AWS PutBucketPolicy). Object keys may have any character, and so may the policy.

    Raises:
        MalformedPolicyDocumentException: it is not a policy, or a statement names no valid principal.
    """
    return _compile(text, _BUCKET)


def _compile(text: str, dialect: Dialect) -> CompiledPolicy:
    document = _read(text, dialect)
    version = document.get("Version")
    if not document.keys() <= _DOCUMENT or version not in _VERSIONS:
        raise MalformedPolicyDocumentException("The policy has unknown elements or an unknown Version.")
    if not isinstance(document.get("Id", ""), str):
        raise MalformedPolicyDocumentException("The policy's Id must be a string.")
    statements = document.get("Statement")
    if isinstance(statements, dict):
        statements = [statements]
    if not isinstance(statements, list) or not statements:
        raise MalformedPolicyDocumentException("The policy has no Statement.")
    parser = Parser(dialect, variables=version == _WITH_VARIABLES)
    compiled = tuple(parser.statement(one, place) for place, one in enumerate(statements, 1))
    return CompiledPolicy(compiled, text)


def _read(text: str, dialect: Dialect) -> dict[str, Any]:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        members = dict(pairs)
        if len(members) != len(pairs):
            raise MalformedPolicyDocumentException("The policy has a member twice.")
        return members

    try:
        document = json.loads(text, object_pairs_hook=unique)
        written = json.dumps(document, ensure_ascii=False, allow_nan=False)
        # A lone surrogate is no character.
        written.encode()
    except (ValueError, RecursionError):
        raise MalformedPolicyDocumentException("The policy is not valid JSON.") from None
    # The form without escapes is judged: what an escape spells is under the rule for characters too.
    if not dialect.any_character and max(written) > "\u00ff":
        raise MalformedPolicyDocumentException("The policy has characters beyond U+00FF.")
    if not isinstance(document, dict):
        raise MalformedPolicyDocumentException("The policy is not a JSON object.")
    return document
