"""A Parquet pipeline: who writes or is asked, then a bucket.

None of them is told a word of encryption, but for DuckDB when it writes: its secrets have a word for a KMS key.
"""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import duckdb
import duckdb_extension_httpfs
import polars
import pyarrow
import pyarrow.dataset
from pyarrow import fs

_ENDPOINT = os.environ["AWS_ENDPOINT_URL"]
_ROWS = 300_000
_CITIES = ["Bern", "Oslo", "Zürich"]


def _table() -> pyarrow.Table:
    numbers = range(_ROWS)
    return pyarrow.table(
        {
            "city": [_CITIES[number % 3] for number in numbers],
            "amount": list(numbers),
            "note": [f"planted-secret-{number}" for number in numbers],
        }
    )


def _arrow() -> fs.S3FileSystem:
    return fs.S3FileSystem(endpoint_override=_ENDPOINT, region=os.environ["AWS_REGION"])


def write_by_pyarrow(bucket: str) -> None:
    """One directory of several files for each city."""
    pyarrow.dataset.write_dataset(
        _table(), f"{bucket}/sales", filesystem=_arrow(), format="parquet", partitioning=["city"],
        partitioning_flavor="hive", max_rows_per_file=60_000, max_rows_per_group=20_000,
    )  # fmt: skip


def write_by_polars(bucket: str) -> None:
    """The same, by Polars."""
    frame: Any = polars.from_arrow(_table())
    for (city,), part in frame.group_by("city"):
        for number, piece in enumerate(part.iter_slices(60_000)):
            piece.drop("city").write_parquet(f"s3://{bucket}/sales/city={city}/{number}.parquet")


def ask_pyarrow(bucket: str) -> Any:
    """Sums by cities."""
    found = pyarrow.dataset.dataset(f"{bucket}/sales", filesystem=_arrow(), partitioning="hive")
    summed = found.to_table(columns=["city", "amount"]).group_by("city").aggregate([("amount", "sum")])
    return sorted((row["city"], row["amount_sum"]) for row in summed.to_pylist())


def ask_polars(bucket: str) -> Any:
    """Sums by cities."""
    found = polars.scan_parquet(f"s3://{bucket}/sales/**/*.parquet", hive_partitioning=True)
    return found.group_by("city").agg(polars.col("amount").sum()).sort("city").collect().rows()


def ask_duckdb(bucket: str) -> Any:
    """Sums by cities."""
    return _duckdb().sql(
        f"SELECT city, sum(amount)::BIGINT FROM 's3://{bucket}/sales/**/*.parquet' GROUP BY city ORDER BY city"
    ).fetchall()  # fmt: skip


def write_by_duckdb(bucket: str, kms_key: str) -> None:
    """A copy of what is there, under a key."""
    _duckdb(kms_key).sql(
        f"COPY (FROM 's3://{bucket}/sales/**/*.parquet') TO 's3://{bucket}/copy' (FORMAT parquet, PARTITION_BY city)"
    )


def _duckdb(kms_key: str | None = None) -> Any:
    (extension,) = Path(duckdb_extension_httpfs.__file__).parent.rglob("httpfs.duckdb_extension")
    connection = duckdb.connect()
    connection.load_extension(str(extension))
    where = urlsplit(_ENDPOINT)
    connection.execute(
        "CREATE SECRET (TYPE s3, KEY_ID $key, SECRET $secret, REGION $region, ENDPOINT $endpoint, URL_STYLE 'path', "
        f"USE_SSL $tls{', KMS_KEY_ID $kms' if kms_key else ''})",
        {
            "key": os.environ["AWS_ACCESS_KEY_ID"], "secret": os.environ["AWS_SECRET_ACCESS_KEY"],
            "region": os.environ["AWS_REGION"], "endpoint": where.netloc, "tls": where.scheme == "https", **({"kms": kms_key} if kms_key else {}),
        },
    )  # fmt: skip
    return connection


VERBS: dict[str, Callable[..., Any]] = {
    "write-pyarrow": write_by_pyarrow, "write-polars": write_by_polars, "write-duckdb": write_by_duckdb,
    "pyarrow": ask_pyarrow, "polars": ask_polars, "duckdb": ask_duckdb,
}  # fmt: skip
json.dump(VERBS[sys.argv[1]](*sys.argv[2:]), sys.stdout)
