"""A PostgreSQL that cannot be used: what waiting may mend, and what it cannot."""

import pytest

from kms_server.errors import DatabaseDown, DatabaseRefuses, OperatorError
from kms_server.storage.postgresql import postgresql_engine
from kms_server.storage.waits import Waits
from tests.postgres_server import Postgres


@pytest.mark.parametrize(
    ("user", "database", "query", "cause"),
    [
        ("nobody", "postgres", "", 'role "nobody" does not exist'),
        ("kms", "none", "", 'database "none" does not exist'),
        ("kms", "postgres", "&sslmode=bogus", "invalid sslmode"),
        ("kms", "postgres", "&connect_timeout=xx", "connect_timeout"),
        ("kms", "postgres", "&nosuch=1", "nosuch"),
    ],
)
def test_what_waiting_cannot_mend(
    postgres: Postgres, user: str, database: str, query: str, cause: str
) -> None:
    url = f"postgresql://{user}:s3cret@/{database}?host={postgres.directory}{query}"
    with pytest.raises(OperatorError, match=cause) as caught:
        postgresql_engine(url, Waits())
    assert isinstance(caught.value, DatabaseRefuses) or not isinstance(caught.value, DatabaseDown)
    assert "s3cret" not in str(caught.value)


def test_a_server_that_is_not_there_may_come() -> None:
    url = "postgresql://kms@127.0.0.1:1/none?password=s3cret&sslpassword=s3cret&application_name=kms"
    with pytest.raises(DatabaseDown, match=r"does not answer: .*refused") as caught:
        postgresql_engine(url, Waits())
    assert "application_name=kms" in str(caught.value)
    assert "s3cret" not in str(caught.value)
