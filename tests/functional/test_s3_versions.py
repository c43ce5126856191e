"""What objects have beside their bytes: versions, tags, a storage class that must be restored first."""

from typing import Any

from tests.functional.s3_client import new_bucket, read, refusal, s3_client, upload
from tests.functional.server_process import StartServer

BODY = b"an object"


def test_versions(s3: Any) -> None:
    place = {"Bucket": new_bucket(s3), "Key": "v"}
    bucket = place["Bucket"]
    assert "VersionId" not in s3.put_object(**place, Body=b"before")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    made = [s3.put_object(**place, Body=str(number).encode())["VersionId"] for number in range(2)]
    made.append(upload(s3, bucket, "v", [b"2"])["VersionId"])
    copied = s3.copy_object(**place, CopySource=f"{bucket}/v?versionId={made[0]}")
    assert copied["CopySourceVersionId"] == made[0]
    assert read(s3, bucket, "v") == b"0"
    for version, body in (("null", b"before"), (made[0], b"0"), (made[1], b"1"), (made[2], b"2")):
        assert read(s3, bucket, "v", VersionId=version) == body
    marker = s3.delete_object(**place)
    assert marker["DeleteMarker"] is True
    gone = refusal(s3.get_object, **place)
    assert gone[:2] == (404, "NoSuchKey")
    assert refusal(s3.get_object, **place, VersionId=marker["VersionId"])[:2] == (405, "MethodNotAllowed")
    listed = s3.list_object_versions(Bucket=bucket)
    assert [one["VersionId"] for one in listed["Versions"]] == [copied["VersionId"], *reversed(made), "null"]
    assert [one["VersionId"] for one in listed["DeleteMarkers"]] == [marker["VersionId"]]
    assert [one["IsLatest"] for one in listed["Versions"]] == [False] * 5
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)
    s3.delete_object(**place, VersionId=marker["VersionId"])
    assert read(s3, bucket, "v") == b"0"
    s3.delete_object(**place, VersionId=copied["VersionId"])
    assert read(s3, bucket, "v") == b"2"
    assert refusal(s3.get_object, **place, VersionId=copied["VersionId"])[:2] == (404, "NoSuchVersion")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
    s3.put_object(**place, Body=b"null now")
    assert read(s3, bucket, "v", VersionId="null") == b"null now"
    assert s3.delete_object(**place)["VersionId"] == "null"
    assert refusal(s3.get_object, **place)[:2] == (404, "NoSuchKey")
    assert read(s3, bucket, "v", VersionId=made[1]) == b"1"
    assert refusal(s3.delete_bucket, Bucket=bucket).code == "BucketNotEmpty"
    found = s3.list_object_versions(Bucket=bucket)
    every = [
        {"Key": "v", "VersionId": one["VersionId"]} for one in found["Versions"] + found["DeleteMarkers"]
    ]
    assert len(s3.delete_objects(Bucket=bucket, Delete={"Objects": every})["Deleted"]) == 4
    s3.delete_bucket(Bucket=bucket)


def test_tags(s3: Any, bucket: str) -> None:
    place = {"Bucket": bucket, "Key": "tags"}
    s3.put_object(**place, Body=b"", Tagging="a=1&b=%C3%BC")
    assert s3.get_object(**place)["TagCount"] == 2
    assert s3.get_object_tagging(**place)["TagSet"] == [
        {"Key": "a", "Value": "1"},
        {"Key": "b", "Value": "ü"},
    ]
    s3.copy_object(
        Bucket=bucket, Key="tags-2", CopySource=f"{bucket}/tags", Tagging="c=3", TaggingDirective="REPLACE"
    )
    assert s3.get_object_tagging(Bucket=bucket, Key="tags-2")["TagSet"] == [{"Key": "c", "Value": "3"}]
    eleven = [{"Key": str(number), "Value": ""} for number in range(11)]
    doubled = [{"Key": "a", "Value": ""}] * 2
    for wrong in (eleven, doubled, [{"Key": "aws:x", "Value": ""}], [{"Key": "k" * 129, "Value": ""}]):
        refused = refusal(s3.put_object_tagging, **place, Tagging={"TagSet": wrong})
        assert refused[:2] == (400, "InvalidTag")
    s3.put_object_tagging(**place, Tagging={"TagSet": eleven[:10]})
    assert s3.head_object(**place)["TagCount"] == 10
    s3.delete_object_tagging(**place)
    assert s3.get_object_tagging(**place)["TagSet"] == []


def test_archives(start_server: StartServer) -> None:
    server = start_server(workers=1, env={"KMS_SERVER_CLOCK_CONTROL": "1"})
    s3 = s3_client(server.access)
    bucket = new_bucket(s3)
    place = {"Bucket": bucket, "Key": "ice"}
    s3.put_object(Bucket=bucket, Key="instant", Body=BODY, StorageClass="GLACIER_IR")
    assert read(s3, bucket, "instant") == BODY
    for kind in ("GLACIER", "DEEP_ARCHIVE"):
        s3.put_object(**place, Body=BODY, StorageClass=kind)
        frozen = (403, "InvalidObjectState", "The operation is not valid for the object's storage class")
        copy = {"Bucket": bucket, "Key": "copy", "CopySource": f"{bucket}/ice"}
        for refused in (refusal(s3.get_object, **place), refusal(s3.copy_object, **copy)):
            assert refused[:3] == frozen
            assert refused.details["StorageClass"] == kind
        assert s3.head_object(**place)["StorageClass"] == kind
        asked = s3.restore_object(**place, RestoreRequest={"Days": 2})
        assert asked["ResponseMetadata"]["HTTPStatusCode"] == 202
        assert s3.head_object(**place)["Restore"] == 'ongoing-request="true"'
        again = refusal(s3.restore_object, **place, RestoreRequest={"Days": 2})
        assert again[:2] == (409, "RestoreAlreadyInProgress")
        assert refusal(s3.get_object, **place)[:3] == frozen
        server.cli("clock", "advance", "1m")
        assert read(s3, bucket, "ice") == BODY
        assert s3.head_object(**place)["Restore"].startswith('ongoing-request="false", expiry-date="')
        again = s3.restore_object(**place, RestoreRequest={"Days": 2})
        assert again["ResponseMetadata"]["HTTPStatusCode"] == 200
        server.cli("clock", "advance", "3d")
        assert refusal(s3.get_object, **place)[:3] == frozen
    refused = refusal(s3.put_object, **place, Body=b"", StorageClass="SNOW")
    assert refused[:2] == (400, "InvalidStorageClass")
    assert refused.details == {"StorageClassRequested": "SNOW"}
