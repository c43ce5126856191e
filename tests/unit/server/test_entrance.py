"""What a proxy may say of a request's origin, and who may come over plain HTTP."""

from ipaddress import ip_network

import pytest
from msgspec import structs

from kms_server.protocol.message import Request, TlsDetails
from kms_server.server.entrance import OPEN, Entrance, Origin, address_of

PROXIED = TlsDetails("", "")
OWN = TlsDetails("TLSv1.3", "TLS_AES_256_GCM_SHA384")
PROXY = Origin("10.0.0.1", None)
ENTRANCE = Entrance((ip_network("10.0.0.0/8"), ip_network("fd00::/8")))


def origin(peer: Origin = PROXY, /, **headers: str) -> Origin:
    return ENTRANCE.origin(peer, {f"x-forwarded-{name}": value for name, value in headers.items()})


@pytest.mark.parametrize(
    ("peer", "trusted"),
    [
        ("10.1.2.3", True), ("11.0.0.1", False), ("fd00::1", True), ("::1", False), ("", False), ("proxy", False),
        ("::ffff:10.1.2.3", True),
    ],
)  # fmt: skip
def test_only_peers_in_the_networks_are_trusted(peer: str, trusted: bool) -> None:
    assert ENTRANCE.trusts(peer) is trusted
    assert not OPEN.trusts(peer)


@pytest.mark.parametrize(
    ("forwarded", "source_ip"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("192.0.2.1, 203.0.113.9", "203.0.113.9"),
        ("192.0.2.1, 203.0.113.9, 10.0.0.7 ,10.0.0.8", "203.0.113.9"),
        ("10.0.0.7,10.0.0.8", "10.0.0.7"),
        ("2001:db8::1,fd00::2", "2001:db8::1"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("192.0.2.1, unknown", "10.0.0.1"),
        ("192.0.2.1, unknown, 10.0.0.8", "10.0.0.8"),
        ("203.0.113.9:80", "10.0.0.1"),
        ("192.0.2.1,", "10.0.0.1"),
        ("", "10.0.0.1"),
    ],
)
def test_the_client_is_the_last_that_is_no_proxy(forwarded: str, source_ip: str) -> None:
    assert origin(**{"for": forwarded}) == Origin(source_ip, None)


@pytest.mark.parametrize(
    ("scheme", "tls"),
    [("https", PROXIED), ("HTTPS , https", PROXIED), ("http", None), ("https,http", None), ("http,https", None), ("", None)],
)  # fmt: skip
def test_every_hop_must_have_been_secure(scheme: str, tls: TlsDetails | None) -> None:
    assert origin(Origin("10.0.0.1", OWN), proto=scheme).tls == tls


def test_a_proxy_that_says_nothing_changes_nothing() -> None:
    peer = Origin("10.0.0.1", OWN)
    assert origin(peer) == peer


def test_plain_http_is_refused_but_for_our_own_paths() -> None:
    entrance = Entrance(require_tls=True)
    plain = Request("GET", "/", {}, b"", "192.0.2.1")
    assert entrance.refuses(plain)
    assert not entrance.refuses(structs.replace(plain, tls=OWN))
    assert not entrance.refuses(structs.replace(plain, target="/_kms/health"))
    assert not OPEN.refuses(plain)


def test_an_address_of_a_socket_for_both_families_is_one_of_ipv4() -> None:
    assert [address_of(peer) for peer in ("::ffff:192.0.2.1", "192.0.2.1", "::1", "::ffff:1")] == [
        "192.0.2.1",
        "192.0.2.1",
        "::1",
        "::ffff:1",
    ]
