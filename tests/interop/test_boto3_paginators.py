"""boto3: its own paginators over every list, with pages smaller than the lists."""

from typing import Any

import boto3
import pytest

from tests.functional.server_process import ServerProcess

PAGE = {"PageSize": 3}


@pytest.fixture(scope="module")
def boto3_kms(server: ServerProcess) -> Any:
    found = server.credentials()
    return boto3.client(
        "kms",
        endpoint_url=found["AWS_ENDPOINT_URL"],
        region_name=found["AWS_DEFAULT_REGION"],
        aws_access_key_id=found["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=found["AWS_SECRET_ACCESS_KEY"],
    )


def gather(client: Any, paginator: str, member: str, **arguments: Any) -> list[Any]:
    """All that a paginator brings, after a look at its pages."""
    pages = list(client.get_paginator(paginator).paginate(PaginationConfig=PAGE, **arguments))
    assert [len(page[member]) for page in pages[:-1]] == [3] * (len(pages) - 1)
    assert all(page["Truncated"] for page in pages[:-1])
    assert not pages[-1]["Truncated"]
    return [entry for page in pages for entry in page[member]]


def test_keys_and_aliases(boto3_kms: Any) -> None:
    keys = [boto3_kms.create_key()["KeyMetadata"]["KeyId"] for _ in range(7)]
    for number, key in enumerate(keys):
        boto3_kms.create_alias(AliasName=f"alias/paged/{number}", TargetKeyId=key)
        boto3_kms.create_alias(AliasName=f"alias/paged/first-{number}", TargetKeyId=keys[0])

    listed = [entry["KeyId"] for entry in gather(boto3_kms, "list_keys", "Keys")]
    assert set(keys) <= set(listed)
    assert len(listed) == len(set(listed))

    names = {entry["AliasName"]: entry for entry in gather(boto3_kms, "list_aliases", "Aliases")}
    assert {names[f"alias/paged/{number}"]["TargetKeyId"] for number in range(7)} == set(keys)

    of_one = gather(boto3_kms, "list_aliases", "Aliases", KeyId=keys[0])
    assert {entry["AliasName"] for entry in of_one} == {
        "alias/paged/0", *(f"alias/paged/first-{number}" for number in range(7)),
    }  # fmt: skip


def test_tags_of_a_key(boto3_kms: Any) -> None:
    tags = [{"TagKey": f"key-{number:02}", "TagValue": str(number)} for number in range(10)]
    key = boto3_kms.create_key(Tags=tags)["KeyMetadata"]["KeyId"]
    found = gather(boto3_kms, "list_resource_tags", "Tags", KeyId=key)
    assert sorted(found, key=lambda tag: str(tag["TagKey"])) == tags


def test_rotations_of_a_key(boto3_kms: Any) -> None:
    key = boto3_kms.create_key()["KeyMetadata"]["KeyId"]
    for _ in range(7):
        boto3_kms.rotate_key_on_demand(KeyId=key)
    found = gather(boto3_kms, "list_key_rotations", "Rotations", KeyId=key)
    assert len(found) == 7
    assert len({rotation["KeyMaterialId"] for rotation in found}) == 7


def test_policies_of_a_key(boto3_kms: Any, key: str) -> None:
    assert gather(boto3_kms, "list_key_policies", "PolicyNames", KeyId=key) == ["default"]


def test_grants_of_a_key_and_of_who_may_retire_them(boto3_kms: Any, key: str) -> None:
    root = f"arn:aws:iam::{key.split(':')[4]}:root"
    made = {
        boto3_kms.create_grant(
            KeyId=key,
            GranteePrincipal=root,
            RetiringPrincipal=root,
            Operations=["Decrypt"],
            Name=f"grant-{number}",
        )["GrantId"]
        for number in range(7)
    }
    assert {grant["GrantId"] for grant in gather(boto3_kms, "list_grants", "Grants", KeyId=key)} == made
    retirable = gather(boto3_kms, "list_retirable_grants", "Grants", RetiringPrincipal=root)
    assert {grant["GrantId"] for grant in retirable} == made


def test_a_limit_over_pages_and_its_resumption(boto3_kms: Any) -> None:
    paginator = boto3_kms.get_paginator("list_keys")
    first = paginator.paginate(PaginationConfig={**PAGE, "MaxItems": 4}).build_full_result()
    assert len(first["Keys"]) == 4
    rest = paginator.paginate(
        PaginationConfig={**PAGE, "StartingToken": first["NextToken"]}
    ).build_full_result()
    everything = [entry["KeyId"] for entry in gather(boto3_kms, "list_keys", "Keys")]
    assert [entry["KeyId"] for entry in first["Keys"] + rest["Keys"]] == everything


def test_every_paginator_of_the_service_is_tried_here(boto3_kms: Any) -> None:
    pageable = {name for name in boto3_kms.meta.method_to_api_mapping if boto3_kms.can_paginate(name)}
    assert pageable == {
        "list_keys", "list_aliases", "list_resource_tags", "list_key_rotations", "list_key_policies", "list_grants",
        "list_retirable_grants",
        "describe_custom_key_stores",  # the service has none
    }  # fmt: skip
