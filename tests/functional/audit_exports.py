"""What docs/audit.md loads into other databases, the questions it asks there, and the answers that a real log has."""

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.functional.s3_client import read, refusal, s3_client, somebody
from tests.functional.s3_kinds import allow, new_key, under
from tests.functional.server_process import ServerProcess

DOCUMENT = Path(__file__).parents[2] / "docs" / "audit.md"
KEY = "arn:aws:kms:us-east-1:000000000000:key/1234abcd-12ab-34cd-56ef-1234567890ab"
OBJECT = "arn:aws:s3:::reports/2026/q3.csv"
OBJECTS = ("2026/q3.csv", "2026/q4.csv", '2025/a, "b"\nc', "top")


@dataclass(frozen=True)
class Export:
    """A directory with both exports, and what the server recorded in it."""

    directory: Path
    key: str
    user: str
    records: list[dict[str, Any]]


def exported(server: ServerProcess, directory: Path) -> Export:
    """Exports of calls about objects, those of a user who is denied among them."""
    key, other = new_key(server), new_key(server)
    server.client("s3").create_bucket(Bucket="reports")
    user, access = somebody(server, allow())
    s3 = s3_client(access)
    for name in OBJECTS:
        s3.put_object(Bucket="reports", Key=name, Body=b"x", **under(key))
    s3.put_object(Bucket="reports", Key="2026/q3.csv", Body=b"x", **under(other))
    s3.put_object(Bucket="reports", Key="2026/q3.csv", Body=b"x", **under(key))
    s3.put_object(Bucket="reports", Key="x", Body=b"x", **under(key, bucket_key=True))
    read(s3, "reports", "2026/q3.csv")
    for _ in range(2):
        refusal(access.client("kms").encrypt, KeyId=key, Plaintext=b"x")
    for style in ("csv", "jsonl"):
        told = server.cli("audit", "query", "--format", style).stdout
        (directory / f"audit.{style}").write_text(told, newline="")
    return Export(directory, key, user, server.audit_records())


def blocks(section: str, language: str) -> list[str]:
    """The blocks of a language in a section of the document, in their order."""
    text = DOCUMENT.read_text().split(f"\n### {section}\n")[1].split("\n##")[0]
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def questions(section: str, export: Export) -> list[str]:
    """The three questions of a section, about what is there."""
    found = [one.replace(KEY, export.key) for one in blocks(section, "sql")[-3:]]
    assert export.key in found[0]
    assert OBJECT in found[0]
    return found


def expected(export: Export) -> list[list[tuple[Any, ...]]]:
    """The answers, but for times."""
    uses = [
        (one["eventName"], one["userIdentity"]["arn"], one["sourceIPAddress"], None)
        for one in export.records
        if (one["requestParameters"] or {}).get("encryptionContext") == {"aws:s3:arn": OBJECT}
        and export.key in [resource["ARN"] for resource in one["resources"]]
    ]
    assert [name for name, *_ in uses] == ["GenerateDataKey", "GenerateDataKey", "Decrypt"]
    made = Counter({("reports", "2026/"): 4, ("reports", "2025/"): 1, ("reports", ""): 2})
    return [uses, [(export.user, 2)], [(*place, count) for place, count in made.most_common()]]


def answers(rows: list[list[tuple[Any, ...]]]) -> list[list[tuple[Any, ...]]]:
    """What a database answered, without the times, which come first in two questions; what is empty is null."""
    uses, denied, made = rows
    return [[tuple(value or None for value in one[1:]) for one in uses], [one[1:] for one in denied], made]
