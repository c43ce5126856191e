"""What reads bytes from outside for S3."""

import base64

from kms_server.protocol.message import Request
from kms_server.protocol.signed import signing_key
from kms_server.s3.wire import paths, signature, verification, xml_reader
from kms_server.s3.wire.aws_chunked import MODES, ChunkedDecoder, ChunkSigning
from kms_server.s3.wire.payload import BytesBody, RequestPayload
from kms_server.s3.wire.post_form import read_form
from kms_server.s3.wire.post_policy import read_policy

_KEY = signing_key("secret", "20130524", "us-east-1", "s3")
_SIGNING = ChunkSigning(_KEY, "20130524T000000Z", "20130524/us-east-1/s3/aws4_request", "0" * 64)


def s3_chunks(data: bytes) -> None:
    """Chunked bodies, whole and byte by byte."""
    kind = data[0] if data else 0
    mode = list(MODES.values())[kind % len(MODES)]
    signing = _SIGNING if kind % 2 else None
    whole = ChunkedDecoder(mode, kind // 16, signing)
    released = b"".join(whole.feed(data[1:]))
    single = ChunkedDecoder(mode, kind // 16, signing)
    assert (
        b"".join(view for place in range(1, len(data)) for view in single.feed(data[place : place + 1]))
        == released
    )
    whole.finish()
    single.finish()


def s3_form(data: bytes) -> None:
    """Forms of POST uploads."""
    found = read_form(BytesBody(data), "multipart/form-data; boundary=b")
    payload = RequestPayload.of_form(found.fields, found.file)
    while payload.read(100):
        pass


def s3_policy(data: bytes) -> None:
    """Policies of POST forms."""
    read_policy(base64.b64encode(data).decode()).check({"key": "a"}, 0.0)


def s3_xml(data: bytes) -> None:
    """XML of requests."""
    xml_reader.text_of(xml_reader.parse(data, "a"), "b")


def s3_request(data: bytes) -> None:
    """Target, headers and body of a request."""
    target, _, rest = data.decode("latin-1").partition("\0")
    authorization, _, value = rest.partition("\0")
    names = (
        "x-amz-content-sha256",
        "content-md5",
        "x-amz-checksum-crc32",
        "x-amz-trailer",
        "host",
        "content-length",
    )
    headers = {"x-amz-date": "20130524T000000Z", names[len(data) % len(names)]: value}
    if authorization:
        headers["authorization"] = authorization
    request = Request("PUT", f"/{target}", headers, data, "")
    RequestPayload.of(request, None).whole(1_000)
    paths.locate(request, "s3.test")
    paths.with_hoisted(request, paths.parse_query(request.query))
    signed = signature.parse(request)
    if signed is not None:
        signature.check_scope(signed)
        verification.verify(request, signed, _KEY, now=1_369_353_600.0)


TARGETS = (s3_chunks, s3_form, s3_policy, s3_xml, s3_request)
