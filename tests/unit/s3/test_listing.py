"""Listings as clients see them: pages put together are the whole, and say what S3 says."""

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, cast
from urllib.parse import unquote
from uuid import uuid4
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kms_server.s3.call import S3Answer, S3Call
from kms_server.s3.errors import InvalidArgument
from kms_server.s3.operations import listing
from kms_server.s3.wire.xml_writer import NAMESPACE
from kms_server.storage import objects, uploads
from kms_server.storage.buckets import Bucket
from kms_server.storage.database import Database
from kms_server.storage.objects import Version
from tests.unit.storage.object_rows import marker, stored_bucket, upload, version

OWNER = "111122223333".rjust(64, "0")
Handler = Callable[[S3Call], S3Answer]


@pytest.fixture
def held(database: Database) -> Bucket:
    return stored_bucket(database, f"photos-{uuid4().hex}")


def ask(database: Database, held: Bucket, handler: Handler, **query: str) -> Element:
    """The answer of a listing; underscores in the names of parameters stand for hyphens."""

    def open_etags(region: str, versions: list[Version]) -> list[str]:
        assert region == held.region
        return [one.etag or "opened" for one in versions]

    services = SimpleNamespace(
        shared=SimpleNamespace(database=database), encryption=SimpleNamespace(open_etags=open_etags)
    )
    call = SimpleNamespace(
        services=services, bucket=held, bucket_name=held.name,
        query={name.replace("_", "-"): value for name, value in query.items()},
    )  # fmt: skip
    answer = handler(cast("S3Call", call))
    assert answer.status == 200
    root = ElementTree.fromstring(answer.body)
    for element in root.iter():
        assert element.tag.startswith(f"{{{NAMESPACE}}}")
        element.tag = element.tag.rpartition("}")[2]
    return root


def texts(root: Element, path: str) -> list[str]:
    return [element.text or "" for element in root.findall(path)]


def members(element: Element) -> dict[str, Any]:
    return {child.tag: members(child) if len(child) else child.text or "" for child in element}


def fill(database: Database, held: Bucket, *keys: str) -> None:
    with database.index() as connection:
        for key in keys:
            objects.add(connection, version(held, key), ())


def pages(
    database: Database, held: Bucket, handler: Handler, carried: dict[str, str], **query: str
) -> Iterator[Element]:
    """All pages of a listing; `carried` tells which elements become which parameters of the next."""
    for _ in range(100):
        root = ask(database, held, handler, **query)
        yield root
        if root.findtext("IsTruncated") == "false":
            return
        for element, parameter in carried.items():
            found = root.findtext(element)
            query.pop(parameter, None)
            if found is not None:
                query[parameter] = found
    raise AssertionError("there is no end of pages")


def grouped(names: list[tuple[str, str]], prefix: str, delimiter: str) -> tuple[list[str], list[str]]:
    """What an independent listing of (key, what is shown of it) in order shows, and its common prefixes."""
    shown, groups = [], []
    for key, name in names:
        head, tail = key[: len(prefix)], key[len(prefix) :]
        if head != prefix:
            continue
        parts = tail.split(delimiter, 1) if delimiter else [tail]
        if len(parts) == 1:
            shown.append(name)
        elif (group := prefix + parts[0] + delimiter) not in groups:
            groups.append(group)
    return shown, groups


KEY = st.text("ab/ +%Ω\U0001f600&<", min_size=1, max_size=5)
PREFIX, DELIMITER = st.text("ab/", max_size=2), st.sampled_from(["", "/", "a", "b/", "Ω", " "])
EXAMPLES = settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])


@EXAMPLES
@given(
    keys=st.lists(KEY, unique=True, max_size=25), hidden=st.sets(st.integers(0, 24)), prefix=PREFIX,
    delimiter=DELIMITER, size=st.integers(1, 6),
)  # fmt: skip
def test_pages_of_objects_are_the_whole(
    database: Database, keys: list[str], hidden: set[int], prefix: str, delimiter: str, size: int
) -> None:
    held = stored_bucket(database, uuid4().hex)
    fill(database, held, *keys)
    gone = {key for number, key in enumerate(keys) if number in hidden}
    with database.index() as connection:
        for key in gone:
            objects.add(connection, marker(held, key, "m"), ())
    expected = grouped([(key, key) for key in sorted(set(keys) - gone, key=str.encode)], prefix, delimiter)
    asked = {"prefix": prefix, "delimiter": delimiter, "max_keys": str(size)}
    for handler, carried in (
        (listing.list_objects, {"NextMarker": "marker"}),
        (listing.list_objects_v2, {"NextContinuationToken": "continuation_token"}),
    ):
        shown: list[str] = []
        groups: list[str] = []
        # Without a delimiter the first form leaves it to the client to go on behind the last key.
        last = {} if delimiter else {"Contents[last()]/Key": "marker"}
        for root in pages(
            database, held, handler, last or carried if handler is listing.list_objects else carried, **asked
        ):
            page = texts(root, "Contents/Key"), texts(root, "CommonPrefixes/Prefix")
            assert len(page[0]) + len(page[1]) == size or root.findtext("IsTruncated") == "false"
            shown, groups = shown + page[0], groups + page[1]
        assert (shown, groups) == expected


@EXAMPLES
@given(
    actions=st.lists(st.tuples(st.sampled_from(["a", "b", "a/", "a/b", "a/c", "Ω"]), st.booleans()), max_size=25),
    prefix=PREFIX, delimiter=DELIMITER, size=st.integers(1, 6), removing=st.booleans(),
)  # fmt: skip
def test_pages_of_versions_are_the_whole_even_while_they_are_deleted(
    database: Database,
    actions: list[tuple[str, bool]],
    prefix: str,
    delimiter: str,
    size: int,
    removing: bool,
) -> None:
    held = stored_bucket(database, uuid4().hex)
    stored: list[Version] = []
    with database.index() as connection:
        for key, marks in actions:
            made = (marker if marks else version)(held, key, uuid4().hex)
            stored.append(objects.add(connection, made, ()))
    ordered = sorted(stored, key=lambda one: (one.key.encode(), -one.number))
    expected = grouped([(one.key, one.version_id) for one in ordered], prefix, delimiter)
    newest = {one.key: one.version_id for one in stored}
    shown: list[str] = []
    groups: list[str] = []
    carried = {"NextKeyMarker": "key_marker", "NextVersionIdMarker": "version_id_marker"}
    asked = {"prefix": prefix, "delimiter": delimiter, "max_keys": str(size)}
    for root in pages(database, held, listing.list_object_versions, carried, **asked):
        for element in root:
            if element.tag in ("Version", "DeleteMarker"):
                name = element.findtext("VersionId") or ""
                shown.append(name)
                if not removing:
                    latest = name == newest[element.findtext("Key") or ""]
                    assert element.findtext("IsLatest") == str(latest).lower()
        groups += texts(root, "CommonPrefixes/Prefix")
        if removing:
            with database.index() as connection:
                for one in stored:
                    if one.version_id in shown:
                        objects.remove(connection, one)
    assert (shown, groups) == expected


@EXAMPLES
@given(
    keys=st.lists(st.sampled_from(["a", "b", "a/", "a/b", "a/c", "Ω"]), max_size=20), prefix=PREFIX,
    delimiter=DELIMITER, size=st.integers(1, 6),
)  # fmt: skip
def test_pages_of_uploads_are_the_whole(
    database: Database, keys: list[str], prefix: str, delimiter: str, size: int
) -> None:
    held = stored_bucket(database, uuid4().hex)
    begun = [upload(held, key) for key in keys]
    with database.index() as connection:
        for one in begun:
            uploads.add(connection, one)
    ordered = sorted(begun, key=lambda one: (one.key.encode(), one.upload_id))
    expected = grouped([(one.key, one.upload_id) for one in ordered], prefix, delimiter)
    shown: list[str] = []
    groups: list[str] = []
    carried = {"NextKeyMarker": "key_marker", "NextUploadIdMarker": "upload_id_marker"}
    asked = {"prefix": prefix, "delimiter": delimiter, "max_uploads": str(size)}
    for root in pages(database, held, listing.list_multipart_uploads, carried, **asked):
        shown += texts(root, "Upload/UploadId")
        groups += texts(root, "CommonPrefixes/Prefix")
    assert (shown, groups) == expected


def test_an_object_is_told_as_s3_tells_it(database: Database, held: Bucket) -> None:
    with database.index() as connection:
        sealed = version(
            held, "a&b", etag=None, sealed_etag=b"s", size=7, modified_at=1_700_000_000.987, checksum="SHA256/COMPOSITE",
            storage_class="GLACIER",
        )  # fmt: skip
        objects.add(connection, sealed, ())
    told = {
        "Key": "a&b", "LastModified": "2023-11-14T22:13:20.000Z", "ETag": '"opened"', "ChecksumAlgorithm": "SHA256",
        "ChecksumType": "COMPOSITE", "Size": "7", "StorageClass": "GLACIER",
    }  # fmt: skip
    owner = {"Owner": {"ID": OWNER, "DisplayName": "111122223333"}}
    assert members(ask(database, held, listing.list_objects)) == {
        "Name": held.name, "Prefix": "", "Marker": "", "MaxKeys": "1000", "IsTruncated": "false",
        "Contents": told | owner,
    }  # fmt: skip
    newer = {"Name": held.name, "Prefix": "", "KeyCount": "1", "MaxKeys": "1000", "IsTruncated": "false"}
    assert members(ask(database, held, listing.list_objects_v2)) == newer | {"Contents": told}
    found = ask(database, held, listing.list_objects_v2, fetch_owner="true", start_after="A", max_keys="5000")
    assert members(found) == newer | {"Contents": told | owner, "StartAfter": "A", "MaxKeys": "5000"}


def test_versions_are_told_in_their_order(database: Database, held: Bucket) -> None:
    with database.index() as connection:
        objects.add(connection, version(held, "b", "v1", etag="e"), ())
        objects.add(connection, marker(held, "b", "v2"), ())
        objects.add(connection, version(held, "b", etag="f"), ())
        objects.add(connection, marker(held, "a", "v3"), ())
    root = ask(database, held, listing.list_object_versions, delimiter="/")
    rows = [(one.tag, one.findtext("VersionId"), one.findtext("IsLatest"), one.findtext("ETag"))
            for one in root if one.tag in ("Version", "DeleteMarker")]  # fmt: skip
    assert rows == [
        ("DeleteMarker", "v3", "true", None), ("Version", "null", "true", '"f"'), ("DeleteMarker", "v2", "false", None),
        ("Version", "v1", "false", '"e"'),
    ]  # fmt: skip
    assert members(root)["DeleteMarker"] == {
        "Key": "b", "VersionId": "v2", "IsLatest": "false", "Owner": {"ID": OWNER, "DisplayName": "111122223333"},
        "LastModified": "1970-01-01T00:00:03.000Z",
    }  # fmt: skip
    assert [root.findtext(name) for name in ("KeyMarker", "VersionIdMarker", "NextKeyMarker", "Delimiter")] == [
        "", "", None, "/",
    ]  # fmt: skip
    rest = ask(database, held, listing.list_object_versions, key_marker="b", version_id_marker="null")
    assert texts(rest, "*/VersionId") == ["v2", "v1"]
    assert texts(rest, "*/IsLatest") == ["false", "false"]


def test_an_upload_is_told_as_s3_tells_it(database: Database, held: Bucket) -> None:
    begun = upload(held, "a", started_at=1_700_000_000.5, checksum="CRC32/FULL_OBJECT")
    with database.index() as connection:
        uploads.add(connection, begun)
    assert members(ask(database, held, listing.list_multipart_uploads)) == {
        "Bucket": held.name, "KeyMarker": "", "UploadIdMarker": "", "NextKeyMarker": "a",
        "NextUploadIdMarker": begun.upload_id, "Prefix": "", "MaxUploads": "1000", "IsTruncated": "false",
        "Upload": {
            "Key": "a", "UploadId": begun.upload_id,
            "Initiator": {"ID": begun.initiator, "DisplayName": begun.initiator},
            "Owner": {"ID": OWNER, "DisplayName": "111122223333"}, "StorageClass": "STANDARD",
            "Initiated": "2023-11-14T22:13:20.000Z", "ChecksumAlgorithm": "CRC32", "ChecksumType": "FULL_OBJECT",
        },
    }  # fmt: skip


def test_a_page_ends_as_s3_ends_it(database: Database, held: Bucket) -> None:
    fill(database, held, "a", "b/1", "b/2", "c")
    plain = ask(database, held, listing.list_objects, max_keys="2")
    assert (plain.findtext("IsTruncated"), plain.findtext("NextMarker")) == ("true", None)
    rolled = ask(database, held, listing.list_objects, max_keys="2", delimiter="/")
    assert (rolled.findtext("NextMarker"), texts(rolled, "CommonPrefixes/Prefix")) == ("b/", ["b/"])
    for marker_ in ("b/", "b/1"):
        rest = ask(database, held, listing.list_objects, marker=marker_, delimiter="/")
        assert (texts(rest, "Contents/Key"), texts(rest, "CommonPrefixes/Prefix")) == (["c"], [])
    rest = ask(database, held, listing.list_objects_v2, start_after="b/1", delimiter="/")
    assert texts(rest, "CommonPrefixes/Prefix") == ["b/"]
    full = ask(database, held, listing.list_objects, max_keys="4")
    assert (full.findtext("IsTruncated"), len(full.findall("Contents"))) == ("false", 4)
    none = ask(database, held, listing.list_objects_v2, max_keys="0")
    assert (none.findtext("IsTruncated"), none.findtext("KeyCount")) == ("false", "0")


def test_no_page_has_more_than_a_thousand(database: Database, held: Bucket) -> None:
    fill(database, held, *[f"{number:04}" for number in range(1_001)])
    found = ask(database, held, listing.list_objects_v2, max_keys="2000")
    assert (len(found.findall("Contents")), found.findtext("IsTruncated")) == (1_000, "true")


def test_keys_are_encoded_where_it_is_asked_for(database: Database, held: Bucket) -> None:
    key = "x/\x01 +%Ω"
    fill(database, held, key, "y")
    asked = {"prefix": "x/\x01", "delimiter": "\x02+", "encoding_type": "url", "marker": "x/\x01 "}
    found = ask(database, held, listing.list_objects, **asked)
    shown = found.findtext("Contents/Key")
    assert shown == "x/%01%20%2B%25%CE%A9"
    assert unquote(shown) == key
    assert [found.findtext(name) for name in ("Prefix", "Delimiter", "Marker", "EncodingType")] == [
        "x/%01", "%02%2B", "x/%01%20", "url",
    ]  # fmt: skip
    assert ask(database, held, listing.list_objects).findtext("Contents/Key") == "x/\ufffd +%Ω"


@pytest.mark.parametrize(
    ("handler", "query", "message", "name"),
    [
        *(
            (listing.list_objects, {"max_keys": value}, "Provided max-keys not an integer or within integer range",
             "max-keys")
            for value in ("", "abc", " 5", "1.0", "2147483648", "-2147483649", "٣", "1" * 5_000)
        ),
        (listing.list_objects_v2, {"max_keys": "-1"}, "Argument maxKeys must be an integer between 0 and 2147483647",
         "maxKeys"),
        (listing.list_multipart_uploads, {"max_uploads": "-1"},
         "Argument max-uploads must be an integer between 0 and 2147483647", "max-uploads"),
        (listing.list_object_versions, {"encoding_type": "URL"}, "Invalid Encoding Method specified in Request",
         "encoding-type"),
        (listing.list_object_versions, {"version_id_marker": "v"},
         "A version-id marker cannot be specified without a key marker.", "version-id-marker"),
        *(
            (listing.list_object_versions, {"key_marker": "a", "version_id_marker": value},
             "Invalid version id specified", "version-id-marker")
            for value in ("", "v", "v.x", "v.-1", "v." + "9" * 19, "v." + "9" * 5_000, "v.²")
        ),
        *(
            (listing.list_objects_v2, {"continuation_token": value}, "The continuation token provided is incorrect",
             "continuation-token")
            for value in ("", "a", "YQ==", "AWE", "AWE=\n", "Ω", "AWF=")
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(
    database: Database, held: Bucket, handler: Handler, query: dict[str, str], message: str, name: str
) -> None:
    with pytest.raises(InvalidArgument) as refused:
        ask(database, held, handler, **query)
    assert refused.value.message == message
    assert refused.value.details["ArgumentName"] == name
