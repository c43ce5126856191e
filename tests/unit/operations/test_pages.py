"""Lists in pages: nothing twice, nothing left out, whatever comes and goes between two pages, on both databases."""

import base64
from collections.abc import Iterator
from typing import Any

import pytest

from tests.databases import new_url
from tests.unit.operations.listings import LISTINGS, ROOT, Listing
from tests.unit.operations.service import ACCOUNT, Refusal, Service

INVALID = Refusal("InvalidMarkerException")
each = pytest.mark.parametrize("listing", LISTINGS.values(), ids=LISTINGS)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def paged(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service on a database of either kind."""
    directory = tmp_path_factory.mktemp("paged")
    url = None
    if request.param == "postgresql":
        url = new_url(request.getfixturevalue("postgres"))
    made = Service(directory / "data", url=url)
    yield made
    made.close()


def filled(service: Service, listing: Listing, count: int) -> tuple[dict[str, Any], list[str]]:
    """The members of a request, and all names that are listed once `count` items were added."""
    members = listing.begin(service)
    for _ in range(count):
        listing.add(service, members)
    return members, listing.all(service, members)


@each
def test_pages_of_any_size_are_the_whole_list(paged: Service, listing: Listing) -> None:
    members, names = filled(paged, listing, 4)
    assert len(names) == len(set(names)) >= 4
    for size in (1, 2, 3, 4, 5):
        assert listing.all(paged, members, Limit=size) == names
    first, marker = listing.page(paged, members, Limit=len(names) - 1)
    assert (first, marker is None) == (names[:-1], False)
    first, marker = listing.page(paged, members, Limit=len(names))
    assert (first, marker) == (names, None)


@each
def test_the_size_may_change_from_page_to_page(paged: Service, listing: Listing) -> None:
    members, names = filled(paged, listing, 2)
    first, marker = listing.page(paged, members, Limit=1)
    assert listing.page(paged, members, Limit=100, Marker=marker) == (names[1:], None)
    assert first == names[:1]


@each
def test_a_marker_stays_good_while_items_come_and_go(paged: Service, listing: Listing) -> None:
    members, names = filled(paged, listing, 5)
    seen, marker = listing.page(paged, members, Limit=2)
    added: list[str] = []
    dropped: list[str] = []
    while marker is not None:
        added.append(listing.add(paged, members))
        removable = [name for name in seen[-1:] if not name.startswith("alias/aws/")]
        if listing.drop is not None and removable and len(dropped) < 2:
            dropped += removable
            listing.drop(paged, members, removable[0])
        more, marker = listing.page(paged, members, Limit=2, Marker=marker)
        assert len(more) == 2 or marker is None
        seen += more
        if len(added) == 5:
            break
    seen += listing.all(paged, members, Marker=marker) if marker is not None else []
    assert len(seen) == len(set(seen))
    assert set(names) <= set(seen) <= set(names) | set(added)
    left = set(listing.all(paged, members))
    assert left == (set(names) | set(added)) - set(dropped)


@pytest.mark.parametrize("name", [name for name, listing in LISTINGS.items() if listing.drop is not None])
def test_a_marker_stays_good_when_all_that_follows_is_gone(paged: Service, name: str) -> None:
    listing = LISTINGS[name]
    assert listing.drop is not None
    members, names = filled(paged, listing, 3)
    mine = [name for name in names if not name.startswith("alias/aws/")]
    _, marker = listing.page(paged, members, Limit=1)
    for one in mine:
        listing.drop(paged, members, one)
    assert listing.page(paged, members, Marker=marker) == ([n for n in names[1:] if n not in mine], None)


@each
def test_markers_of_nobody_are_refused(service: Service, listing: Listing) -> None:
    members, names = filled(service, listing, 3)
    _, marker = listing.page(service, members, Limit=2)
    assert marker is not None
    for wrong in (
        "x", "AAAA", marker[:-4], marker[:-1], f"{marker}=", f"{marker}AAAA", f"A{marker}", marker.swapcase(),
        "\u00ff", "{}", base64.b64encode(names[0].encode()).decode(), "/" * 1024,
    ):  # fmt: skip
        refusal = service.refused(listing.operation, region=listing.region, **members, Marker=wrong)
        assert refusal == INVALID, wrong


@each
def test_markers_of_another_list_are_refused(service: Service, listing: Listing) -> None:
    members, _ = filled(service, listing, 2)
    _, marker = listing.page(service, members, Limit=1)
    for other in LISTINGS.values():
        if other is not listing:
            elsewhere = other.begin(service)
            refusal = service.refused(other.operation, region=other.region, **elsewhere, Marker=marker)
            assert refusal == INVALID
    if members:
        elsewhere = listing.begin(service)
        assert service.refused(listing.operation, **elsewhere, Marker=marker) == INVALID
    else:
        assert service.refused(listing.operation, region="sa-east-1", Marker=marker) == INVALID
        stranger = service.account("111122223333")
        refusal = service.refused(listing.operation, region=listing.region, by=stranger, Marker=marker)
        assert refusal == INVALID


@pytest.mark.parametrize(("name", "usual", "most"), [("ListGrants", 50, 100), ("ListRetirableGrants", 50, 100),
                                                     ("ListAliases", 50, 100), ("ListResourceTags", 50, 50)])  # fmt: skip
def test_a_page_has_its_usual_and_its_largest_size(
    service: Service, name: str, usual: int, most: int
) -> None:
    listing = LISTINGS[name]
    members = listing.begin(service)
    key: Any = {"KeyId": service.key()["KeyId"], **members}
    if name == "ListResourceTags":
        service.ok("TagResource", **members, Tags=[{"TagKey": f"{n}", "TagValue": ""} for n in range(50)])
    else:
        for number in range(101):
            if name == "ListAliases" and number % 50 == 0:
                key = {"KeyId": service.key()["KeyId"]}
            listing.add(service, key)
    expected = usual if most > 50 else 50
    assert len(listing.page(service, members)[0]) == expected
    assert len(listing.page(service, members, Limit=1000)[0]) == most


def test_keys_are_listed_by_the_hundred(service: Service) -> None:
    listing = LISTINGS["ListKeys"]
    members, names = filled(service, listing, 101)
    first, marker = listing.page(service, members)
    assert first == names[:100]
    assert listing.page(service, members, Marker=marker) == (names[100:], None)
    assert listing.page(service, members, Limit=1000) == (names, None)


def test_a_marker_of_keys_is_bound_to_their_owners(service: Service) -> None:
    for _ in range(2):
        service.key()
    own = service.ok("ListKeys", Limit=1, ResourceOwners=["SELF"])["NextMarker"]
    others = ["OTHER_ACCOUNTS_VIA_RAM"]
    assert service.refused("ListKeys", ResourceOwners=others, Marker=own) == INVALID
    assert service.ok("ListKeys", ResourceOwners=others) == {"Keys": [], "Truncated": False}
    service.ok("ListKeys", ResourceOwners=["SELF"], Marker=own)


def test_a_marker_is_bound_to_the_filters(service: Service) -> None:
    members, _ = filled(service, LISTINGS["ListGrants"], 2)
    marker = service.ok("ListGrants", **members, Limit=1)["NextMarker"]
    assert service.refused("ListGrants", **members, GranteePrincipal=ROOT, Marker=marker) == INVALID
    assert service.ok("ListGrants", **members, GranteePrincipal=f"{ROOT[:-4]}user/x")["Grants"] == []


def test_lists_that_have_one_page(service: Service) -> None:
    key = {"KeyId": service.key()["KeyId"]}
    policies = {"PolicyNames": ["default"], "Truncated": False}
    assert service.ok("ListKeyPolicies", **key, Limit=1) == policies
    assert service.ok("DescribeCustomKeyStores") == {"CustomKeyStores": [], "Truncated": False}
    assert service.refused("DescribeCustomKeyStores", Marker="m") == INVALID


def test_predefined_aliases_are_listed_before_they_have_a_key(service: Service) -> None:
    listed = LISTINGS["ListAliases"].all(service, {}, Limit=3)
    assert listed == sorted(listed)
    assert {"alias/aws/ebs", "alias/aws/s3"} <= set(listed)
    service.ok("DescribeKey", KeyId="alias/aws/ebs")
    aliases = service.ok("ListAliases", Limit=100)["Aliases"]
    assert [one["AliasName"] for one in aliases].count("alias/aws/ebs") == 1
    assert all(f":{ACCOUNT}:alias/" in one["AliasArn"] for one in aliases)
