"""The blob store that the operator chose."""

import re
from pathlib import Path

from obstore.exceptions import BaseError
from obstore.store import from_url

from kms_server.errors import OperatorError
from kms_server.s3.blobs.local import LocalBlobs
from kms_server.s3.blobs.remote import RemoteBlobs
from kms_server.s3.blobs.store import BlobStore

_URL = re.compile("memory://|(?:s3|gs|az)://[^/?#@\\[\\]]+(?:/[^?#]*)?")


def open_store(url: str | None, data_dir: Path) -> BlobStore:
    """The store at a URL, or the one in the data directory.

    Endpoint and credentials of a remote store come from the variables that its own tools read, such as AWS_REGION.

    Raises:
        OperatorError: the URL names no store that can be used.
    """
    if url is None:
        try:
            return LocalBlobs(data_dir / "objects")
        except OSError as error:
            raise OperatorError(f"cannot use {data_dir / 'objects'}: {error.strerror}") from None
    if not _URL.fullmatch(url):
        raise OperatorError(
            "--s3-store must be s3://BUCKET/PREFIX, gs://BUCKET/PREFIX or az://CONTAINER/PREFIX; leave it out for the local disk"
        )
    try:
        return RemoteBlobs(from_url(url))
    except (BaseError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise OperatorError(f"--s3-store {url} cannot be used: {reason}") from None
