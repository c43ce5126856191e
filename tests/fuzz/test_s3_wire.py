"""Whatever bytes arrive for S3, readers refuse them as a service error or take them: nothing else ever happens."""

from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kms_server.errors import ServiceError
from tests.fuzz import s3_targets

PIECES = st.lists(
    st.one_of(
        st.binary(max_size=20),
        st.sampled_from([
            b"\r\n", b"\0", b"5\r\nhello\r\n", b"0\r\n\r\n", b";chunk-signature=" + b"0" * 64, b"x-amz-checksum-crc32:NhCmhg==\r\n",
            b"--b\r\n", b"\r\n--b", b"--", b'Content-Disposition: form-data; name="key"\r\n\r\n', b'; name="file"',
            b"<a>", b"</a>", b"<Delete>", b"<!DOCTYPE a [", b"<!ENTITY b 'c'>]>", b"&b;", b"<?xml version='1.0' encoding='utf-7'?>",
            b"/b/%2e%2e/k?X-Amz-Algorithm=AWS4-HMAC-SHA256", b"&X-Amz-Expires=9", b"AWS4-HMAC-SHA256 Credential=a/b/c/d/e,",
        ]),
    ),
    max_size=12,
).map(b"".join)  # fmt: skip


@pytest.mark.parametrize("target", s3_targets.TARGETS, ids=lambda target: target.__name__)
@given(PIECES)
@example(b"")
def test_readers_refuse_or_take(target: Callable[[bytes], None], data: bytes) -> None:
    with suppress(ServiceError):
        target(data)
