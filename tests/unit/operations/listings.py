"""The paged lists: what is listed, and how items come and go."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from tests.unit.operations.service import ACCOUNT, REGION, Service

ROOT = f"arn:aws:iam::{ACCOUNT}:root"
Members = dict[str, Any]


@dataclass(frozen=True)
class Listing:
    """One paged operation; `begin` gives the members of its request, `drop` is None where items stay for ever."""

    operation: str
    items: str
    name: Callable[[Any], str]
    begin: Callable[[Service], Members]
    add: Callable[[Service, Members], str]
    drop: Callable[[Service, Members, str], object] | None = None
    region: str = REGION

    def page(self, service: Service, members: Members, **place: Any) -> tuple[list[str], str | None]:
        """The names of one page and the marker of the next."""
        answer = service.ok(self.operation, region=self.region, **members, **place)
        assert answer["Truncated"] == ("NextMarker" in answer)
        return [self.name(item) for item in answer[self.items]], answer.get("NextMarker")

    def all(self, service: Service, members: Members, **place: Any) -> list[str]:
        """The names of all pages."""
        names, marker = self.page(service, members, **place)
        while marker is not None:
            more, marker = self.page(service, members, **place, Marker=marker)
            names += more
        return names


def _key(service: Service) -> Members:
    return {"KeyId": service.key()["KeyId"]}


def _nothing(_: Service) -> Members:
    return {}


def _add_key(service: Service, _: Members) -> str:
    key_id: str = service.ok("CreateKey", region=_KEYS_REGION)["KeyMetadata"]["KeyId"]
    return key_id


def _delete_key(service: Service, _: Members, key_id: str) -> None:
    service.ok("ScheduleKeyDeletion", region=_KEYS_REGION, KeyId=key_id, PendingWindowInDays=7)
    service.advance(8 * 86_400)


def _add_alias(service: Service, members: Members) -> str:
    name = f"alias/{uuid4().hex}"
    target = members.get("KeyId") or service.key()["KeyId"]
    service.ok("CreateAlias", AliasName=name, TargetKeyId=target)
    return name


def _add_grant(service: Service, members: Members) -> str:
    key_id = members.get("KeyId") or service.key()["KeyId"]
    asked = {"KeyId": key_id, "GranteePrincipal": ROOT, "Operations": ["Decrypt"]}
    retiring = {name: value for name, value in members.items() if name == "RetiringPrincipal"}
    grant_id: str = service.ok("CreateGrant", **asked, **retiring)["GrantId"]
    return f"{key_id}/{grant_id}"


def _drop_grant(service: Service, _: Members, name: str) -> None:
    key_id, grant_id = name.split("/")
    service.ok("RevokeGrant", KeyId=key_id, GrantId=grant_id)


def _name_of_grant(grant: Any) -> str:
    return f"{grant['KeyId'].rpartition('/')[2]}/{grant['GrantId']}"


def _add_tag(service: Service, members: Members) -> str:
    name = f"{uuid4().hex[:4]} \u00fc\U0001f600"
    service.ok("TagResource", **members, Tags=[{"TagKey": name, "TagValue": ""}])
    return name


def _rotate(service: Service, members: Members) -> str:
    service.ok("RotateKeyOnDemand", **members)
    described = service.ok("DescribeKey", **members)["KeyMetadata"]
    return str(described["CurrentKeyMaterialId"])


_KEYS_REGION = "ap-south-1"
LISTINGS = {
    "ListKeys": Listing(
        "ListKeys", "Keys", lambda key: str(key["KeyId"]), _nothing, _add_key, _delete_key, _KEYS_REGION
    ),
    "ListAliases": Listing(
        "ListAliases", "Aliases", lambda alias: str(alias["AliasName"]), _nothing, _add_alias,
        lambda service, _, name: service.ok("DeleteAlias", AliasName=name),
    ),
    "ListAliases-of-a-key": Listing(
        "ListAliases", "Aliases", lambda alias: str(alias["AliasName"]), _key, _add_alias,
        lambda service, _, name: service.ok("DeleteAlias", AliasName=name),
    ),
    "ListGrants": Listing("ListGrants", "Grants", _name_of_grant, _key, _add_grant, _drop_grant),
    "ListRetirableGrants": Listing(
        "ListRetirableGrants", "Grants", _name_of_grant,
        lambda service: {"RetiringPrincipal": service.user(uuid4().hex)[0]}, _add_grant, _drop_grant,
    ),
    "ListResourceTags": Listing(
        "ListResourceTags", "Tags", lambda tag: str(tag["TagKey"]), _key, _add_tag,
        lambda service, members, name: service.ok("UntagResource", **members, TagKeys=[name]),
    ),
    "ListKeyRotations": Listing(
        "ListKeyRotations", "Rotations", lambda rotation: str(rotation["KeyMaterialId"]), _key, _rotate
    ),
}  # fmt: skip
