"""Writes `openapi.yaml`, or checks that it is current; run by `make openapi` and `make lint`."""

import sys
from pathlib import Path

import click

from kms_server.operations.openapi import openapi_text


@click.command()
@click.argument("path", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--check", is_flag=True, help="Write nothing; fail when the file is out of date.")
def openapi(path: Path, *, check: bool) -> None:
    """Derive the OpenAPI document from the operation table."""
    text = openapi_text()
    if not check:
        path.write_text(text)
    elif path.read_text() != text:
        click.echo(f"{path} is out of date: run `make openapi`", err=True)
        sys.exit(1)


if __name__ == "__main__":
    openapi()
