"""What docs/security.md names as code or as proof is there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
NAMED = sorted(set(re.findall(r"`([\w/]+\.(?:py|md))`", (ROOT / "docs" / "security.md").read_text())))


def test_what_it_names_exists() -> None:
    assert len(NAMED) > 50
    assert [
        name for name in NAMED if not any((ROOT / above / name).is_file() for above in ("", "kms_server"))
    ] == []
