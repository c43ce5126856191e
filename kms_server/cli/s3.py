"""`kms-server s3`: what the S3 layer needs."""

from pathlib import Path

import click

from kms_server.server import forward_secret


@click.group()
def s3() -> None:
    """The S3 layer."""


@s3.command("forward-secret")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
def make_forward_secret(file: Path) -> None:
    """Make the secret by which an s3 server and another kms-server trust each other.

    Give FILE to both by `serve --forward-secret`: the one in front then tells the other for whom it makes each call.
    """
    forward_secret.create(file)
