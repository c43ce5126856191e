"""Secrets are compared in constant time: nothing that has the name of one is compared by `==`."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import kms_server

ROOT = Path(kms_server.__file__).parent
# What a stranger could guess byte by byte, if a comparison told by its time how far it went.
SECRET = re.compile(
    r"(^|_)(signature|mac|hmac|tag|commitment|committed|fingerprint|secret|password|passphrase|token|proof|tagged|nonce)$"
)
# Comparisons that tell a stranger nothing.
PUBLIC = {
    "audit/verification/digests.py": {"row.signature != digest.signature"},  # both are in the bucket for all to read
    "backup/protection.py": {"said.get('kind') != PASSPHRASE"},  # how a backup says that it is protected
    "cli/secrets_given.py": {"said.get('kind') != PASSPHRASE"},
    "doctor/sntp.py": {"answer[24:32] != nonce"},  # one answer, of a server that the operator names
    # Fingerprints that the database and this process have; neither is anybody's guess.
    "server/root_custody.py": {
        "keys.fingerprint(current.version) == current.fingerprint", "keys.fingerprint(one.version) != one.fingerprint",
    },
    "cli/quota_usage.py": {"about.kind == subjects.TAG"},  # a kind of limit
    "crypto/rsa.py": {"len(signature) * 8 != self._public.key_size"},
    "keyring/session_token.py": {"_encoded(wrapped) != token"},  # both are what the client sent
    "quotas/buckets.py": {"words[tat - 1] != tag"},  # which limit a slot of a table is for
    "quotas/subjects.py": {"kind == TAG"},
    "quotas/usage.py": {"about.kind == subjects.TAG"},
    "s3/operations/listing.py": {"urlsafe_b64encode(place).decode() != token"},  # both are what the client sent
    "s3/wire/xml_reader.py": {"found.tag != root"},  # an XML element
    # Columns that SQL compares; what they hold is the hash of a public key.
    "storage/signing_keys.py": {
        "signing_keys.c.fingerprint == fingerprint", "signing_keys.c.fingerprint == values.pop('fingerprint')",
    },
}  # fmt: skip
# Where each kind of secret is compared.
COMPARED = {
    "signatures of requests": ("protocol/sigv4.py", "verify"),
    "signatures of S3": ("s3/wire/verification.py", "check_signature"),
    "signatures of chunks": ("s3/wire/aws_chunked.py", "ChunkedDecoder"),
    "signatures of version 2": ("s3/wire/signature_v2.py", "verify"),
    "MACs of VerifyMac": ("operations/signing.py", "verify_mac"),
    "claims of peers": ("protocol/forwarding.py", "open_claim"),
    "commitments of ciphertexts": ("crypto/blob.py", "MessageCipher"),
    "commitments of objects": ("crypto/stream_header.py", "_committed"),
    "root fingerprints": ("server/root_custody.py", ""),
    "imported material": ("operations/material.py", ""),
    "seeded material": ("operations/seeding.py", ""),
    "customers' keys": ("s3/encryption/sse_c.py", "matches"),
    "session tokens' access keys": ("keyring/keyring.py", ""),
    "proofs of signing keys": ("audit/signing.py", ""),
}


def named(node: ast.expr) -> Iterator[str]:
    """The names in an operand: of variables, attributes, members and functions."""
    for one in ast.walk(node):
        if isinstance(one, ast.Name):
            yield one.id
        elif isinstance(one, ast.Attribute):
            yield one.attr
        elif isinstance(one, ast.Constant) and isinstance(one.value, str):
            yield one.value


def is_public(operands: list[ast.expr]) -> bool:
    """Whether something is compared with what stands in the source itself, or one of its constants."""
    return any(
        isinstance(one, ast.Constant) or (isinstance(one, ast.Name) and one.id.startswith("_") and one.id.isupper())
        for one in operands
    )  # fmt: skip


def suspicious(source: str) -> set[str]:
    """Comparisons by `==` or `!=` of which an operand has a secret's name."""
    compared = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Compare)]
    return {
        ast.unparse(node)
        for node in compared
        if any(isinstance(one, ast.Eq | ast.NotEq) for one in node.ops)
        and not is_public([node.left, *node.comparators])
        and any(SECRET.search(name.lower()) for one in (node.left, *node.comparators) for name in named(one))
    }


def test_no_secret_is_compared_by_equality() -> None:
    found = {str(path.relative_to(ROOT)): suspicious(path.read_text()) for path in ROOT.rglob("*.py")}
    left = {name: lines - PUBLIC.get(name, set()) for name, lines in found.items()}
    assert {name: lines for name, lines in left.items() if lines} == {}
    gone = {name: lines - found.get(name, set()) for name, lines in PUBLIC.items()}
    assert {name: lines for name, lines in gone.items() if lines} == {}


@pytest.mark.parametrize(
    "source",
    [
        "a.signature == b",
        "expected_mac != given",
        "x['Mac'] == y",
        "tag.hex() == told",
        "1 < 2 and secret.encode() == b",
    ],
)
def test_such_a_comparison_is_noticed(source: str) -> None:
    assert suspicious(source)


@pytest.mark.parametrize("kind", COMPARED)
def test_each_kind_of_secret_is_compared_in_constant_time(kind: str) -> None:
    path, name = COMPARED[kind]
    tree: ast.AST = ast.parse((ROOT / path).read_text())
    if name:
        (tree,) = [
            one
            for one in ast.walk(tree)
            if isinstance(one, ast.FunctionDef | ast.ClassDef) and one.name == name
        ]
    assert "compare_digest" in set(named(tree))  # type: ignore[arg-type]  # it walks any node
