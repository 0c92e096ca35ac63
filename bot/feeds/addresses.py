"""Which addresses a source may be on: public ones, unless its stanza says ``private: true``.

A name is checked after it is resolved and the checked address is the one connected to, so a name that answers
differently the second time (DNS rebinding) gains nothing. Through a proxy the proxy resolves the name, and refusing
internal names is then the proxy's work; only literal addresses can still be refused here.
"""

from __future__ import annotations

import ipaddress
import socket

from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

_NAT64 = (ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("64:ff9b:1::/48"))
_IPV4_COMPATIBLE = ipaddress.ip_network("::/96")


class PrivateAddress(OSError):
    """A name leads to no public address (an OSError, because that is what aiohttp expects of a resolver)."""


def is_public(address: str) -> bool:
    """Whether ``address`` (IPv4 or IPv6 literal) is on the public internet, also behind an IPv6 embedding of IPv4."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        inner = _embedded(ip)
        if inner is not None:
            return is_public(str(inner))
        if ip.is_site_local:
            return False
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_loopback or ip.is_link_local)


def _embedded(ip: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that an IPv6 address stands for (mapped, compatible, 6to4, NAT64), if it does."""
    if ip.ipv4_mapped or ip.sixtofour:
        return ip.ipv4_mapped or ip.sixtofour
    if any(ip in network for network in (*_NAT64, _IPV4_COMPATIBLE)):
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return None


def literal_address(url: URL) -> str:
    """The host of ``url`` when it is an IP address in any spelling the system would accept, else an empty string."""
    host = url.host or ""
    try:
        return str(ipaddress.ip_address(host.partition("%")[0]))
    except ValueError:
        pass
    try:
        return socket.inet_ntoa(socket.inet_aton(host))  # 127.1, 0x7f000001, 2130706433
    except (OSError, UnicodeError):
        return ""


class PublicResolver(AbstractResolver):
    """Wraps another resolver and keeps only public addresses; ``trusted`` names (the proxy's own) pass unchecked."""

    def __init__(self, inner: AbstractResolver, trusted: frozenset[str] = frozenset()) -> None:
        self._inner = inner
        self._trusted = trusted

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Raises PrivateAddress when no public address is left."""
        found = await self._inner.resolve(host, port, family)
        if host in self._trusted:
            return found
        public = [one for one in found if is_public(one["host"])]
        if not public:
            raise PrivateAddress(f"{host} leads to a private or reserved address")
        return public

    async def close(self) -> None:
        await self._inner.close()
