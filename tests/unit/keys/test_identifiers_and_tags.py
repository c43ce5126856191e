"""Fresh ids, malformed ARNs, names of aliases, and the limits of tags."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kms_server import errors as e
from kms_server.keys import identifiers, tags

ACCOUNT, REGION = "111122223333", "eu-central-1"
KEY_ID = "1234abcd-12ab-34cd-56ef-1234567890ab"


def parse(text: str, *, aliases: bool = True) -> identifiers.KeyReference:
    return identifiers.parse_key_identifier(text, region=REGION, account=ACCOUNT, aliases_allowed=aliases)


def test_fresh_ids() -> None:
    key_ids = {identifiers.new_key_id() for _ in range(100)}
    material_ids = {identifiers.new_material_id() for _ in range(100)}
    assert len(key_ids) == len(material_ids) == 100
    assert all(parse(key_id).key_id == key_id for key_id in key_ids)
    multi_region = identifiers.new_key_id(multi_region=True)
    assert multi_region.startswith("mrk-")
    assert parse(multi_region).key_id == multi_region
    assert all(re.fullmatch("[0-9a-f]{64}", material_id) for material_id in material_ids)


@given(st.uuids(), st.sampled_from([f"arn:aws:kms:{REGION}:999999999999:key/", ""]))
def test_every_uuid_is_a_key_id(uuid: object, prefix: str) -> None:
    found = parse(f"{prefix}{uuid}")
    assert found.key_id == str(uuid)
    assert found.account == ("999999999999" if prefix else ACCOUNT)


@pytest.mark.parametrize(
    "text",
    [
        f"arn:aws:kms:{REGION}:{ACCOUNT}:grant/{KEY_ID}",
        f"arn:aws:kms:{REGION}:{ACCOUNT}:{KEY_ID}",
        f"arn:aws:s3:{REGION}:{ACCOUNT}:key/{KEY_ID}",
        f"arn:aws-cn:kms:{REGION}:{ACCOUNT}:key/{KEY_ID}",
        f"arn:aws:kms:{REGION}:key/{KEY_ID}",
        "arn:",
    ],
)
def test_arns_that_name_no_key(text: str) -> None:
    with pytest.raises(e.InvalidArnException) as refused:
        parse(text)
    assert refused.value.message == f"Invalid arn {text}"


@pytest.mark.parametrize(
    "key_id", ["", KEY_ID[:-1], KEY_ID + "0", "mrk-" + "0" * 31, "mrk-" + "G" * 32, f"{KEY_ID}\n"]
)
def test_key_ids_that_are_none(key_id: str) -> None:
    with pytest.raises(e.NotFoundException) as refused:
        parse(f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{key_id}")
    assert refused.value.message == f"Invalid keyId {key_id}"
    with pytest.raises(e.NotFoundException) as refused:
        parse(key_id)
    assert refused.value.message == f"Invalid keyId '{key_id}'"


@pytest.mark.parametrize(
    "name", ["alias/a", "alias/a/b", "alias/A-_9", "alias/AWS/x", "alias/a/aws", "alias/aw"]
)
def test_names_of_aliases(name: str) -> None:
    identifiers.check_new_alias_name(name)
    assert parse(name).alias_name == name


@pytest.mark.parametrize(
    ("name", "error", "text"),
    [
        ("", e.ValidationException, identifiers._PREFIX_TEXT),
        ("Alias/a", e.ValidationException, identifiers._PREFIX_TEXT),
        ("alias/a:", e.ValidationException, "alias/a: contains invalid characters for an alias"),
        ("alias/", e.InvalidAliasNameException, "alias/ is not a valid alias name"),
        ("alias/a b", e.InvalidAliasNameException, "alias/a b is not a valid alias name"),
        ("alias/a\n", e.InvalidAliasNameException, "alias/a\n is not a valid alias name"),
        ("alias/ä", e.InvalidAliasNameException, "alias/ä is not a valid alias name"),
        ("alias/aws", e.NotAuthorizedException, ""),
    ],
)
def test_names_that_no_customer_may_use(name: str, error: type[e.ServiceError], text: str) -> None:
    with pytest.raises(error) as refused:
        identifiers.check_new_alias_name(name)
    assert refused.value.message == text


def test_the_predefined_aliases_are_reserved() -> None:
    assert len(set(identifiers.PREDEFINED_ALIASES)) == 16
    for name in identifiers.PREDEFINED_ALIASES:
        with pytest.raises(e.NotAuthorizedException):
            identifiers.check_new_alias_name(name)


def requested(count: int) -> list[dict[str, str]]:
    return [{"TagKey": f"key{number}", "TagValue": ""} for number in range(count)]


@pytest.mark.parametrize("count", [0, 1, 50])
def test_a_key_has_up_to_50_tags(count: int) -> None:
    assert len(tags.checked(requested(count))) == count


@pytest.mark.parametrize("count", [51, 52])
def test_a_key_has_no_more_than_50_tags(count: int) -> None:
    with pytest.raises(e.TagException, match=r"^Too many tags$"):
        tags.checked(requested(count))


@pytest.mark.parametrize("name", ["aws:", "AWS:x", "Aws:x"])
def test_reserved_tags(name: str) -> None:
    with pytest.raises(e.TagException, match=r"^Tags beginning with aws: are reserved$"):
        tags.checked_names(["mine", name])


@pytest.mark.parametrize("name", ["aws", "awsome:", " aws:", "xaws:"])
def test_tags_that_look_reserved(name: str) -> None:
    tags.checked_names([name])
