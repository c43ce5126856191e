"""Every row that AWS documents is covered in both directions, and the document says by what."""

from tests.unit.iam.decisions import coverage


def test_every_row_is_covered() -> None:
    assert coverage.uncovered() == []


def test_tables_and_marks_name_rows_that_there_are() -> None:
    assert coverage.unknown() == []


def test_the_document_is_up_to_date() -> None:
    written = coverage.DOCUMENT.read_text(encoding="utf-8")
    assert written == coverage.document(), "run: python -m tests.unit.iam.decisions.coverage"
