"""`kms-server s3`: what the S3 layer needs."""

from pathlib import Path

import click

from kms_server.cli.command_group import CommandGroup, Elsewhere
from kms_server.server import forward_secret

_OBJECTS = "kms_server.cli.s3_objects"


@click.group(
    cls=CommandGroup,
    elsewhere={
        "rewrap": Elsewhere(
            f"{_OBJECTS}:rewrap",
            "Rewrap all keys of objects that are under former backing keys of the SSE-S3 master.",
        ),
        "sweep": Elsewhere(
            f"{_OBJECTS}:sweep", "Delete sealed bytes that belong to no object, as the server does by itself."
        ),
        "verify": Elsewhere(
            f"{_OBJECTS}:verify",
            "Read and authenticate every version of every object, and name those that are damaged.",
        ),
    },
)
def s3() -> None:
    """The S3 layer."""


@s3.command("forward-secret")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
def make_forward_secret(file: Path) -> None:
    """Make the secret by which an s3 server and another kms-server trust each other.

    Give FILE to both by `serve --forward-secret`: the one in front then tells the other for whom it makes each call.
    """
    forward_secret.create(file)
