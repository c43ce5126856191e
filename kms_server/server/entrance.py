"""What both doors ask first of a request: where it comes from, and whether it may come that way."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import NamedTuple

from kms_server.config import LOOPBACK, Network
from kms_server.protocol.message import Request, TlsDetails
from kms_server.server.door_types import OWN_PATHS

# A proxy says that its client used TLS, but not which.
_PROXIED = TlsDetails("", "")


class Origin(NamedTuple):
    """Where a request comes from, and what secured it on the way; `tls` is None on plain HTTP."""

    source_ip: str
    tls: TlsDetails | None


@dataclass(frozen=True, slots=True)
class Entrance:
    """The operator's rules: `proxies` are the networks whose word counts, `require_tls` refuses plain HTTP."""

    proxies: tuple[Network, ...] = ()
    require_tls: bool = False

    def trusts(self, peer: str) -> bool:
        """Whether a socket's peer is a proxy whose X-Forwarded-For and X-Forwarded-Proto count."""
        return bool(self.proxies) and is_within(peer, self.proxies)

    def origin(self, peer: Origin, headers: Mapping[str, str]) -> Origin:
        """The origin of a request that a trusted peer passes on.

        The client is the last address in X-Forwarded-For that is no trusted proxy. What stands before it the client
        may have made up. An entry that is no address ends the search at the proxy that passed it on.
        """
        source_ip = peer.source_ip
        for hop in reversed(headers.get("x-forwarded-for", "").split(",")):
            address = _address(hop.strip())
            if address is None:
                break
            source_ip = str(address)
            if not self._is_proxy(address):
                break
        scheme = headers.get("x-forwarded-proto")
        if scheme is None:
            return Origin(source_ip, peer.tls)
        # Several proxies may each have added how they were reached: one hop in clear is enough.
        secure = all(hop.strip().lower() == "https" for hop in scheme.split(","))
        return Origin(source_ip, _PROXIED if secure else None)

    def refuses(self, request: Request) -> bool:
        """Whether a request must not come over plain HTTP; our own paths may."""
        return self.require_tls and request.tls is None and not request.target.startswith(OWN_PATHS)

    def _is_proxy(self, address: IPv4Address | IPv6Address) -> bool:
        return any(address in network for network in self.proxies)


OPEN = Entrance()


def address_of(peer: str) -> str:
    """A client's address as policies have it: a socket for both families has IPv4 addresses in IPv6's form."""
    return peer.removeprefix("::ffff:") if "." in peer else peer


def is_within(peer: str, networks: Iterable[Network]) -> bool:
    """Whether a client's address is in one of the networks."""
    address = _address(peer)
    return address is not None and any(address in network for network in networks)


def is_loopback(peer: str) -> bool:
    """Whether a client's address is one of this machine."""
    return is_within(peer, LOOPBACK)


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
