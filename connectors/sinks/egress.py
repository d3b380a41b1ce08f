"""Connections to the outside that cannot be turned inwards (SSRF), and that end in time.

A name is resolved once for each connection; every address it has must be allowed; the socket is opened to the very address
that was checked. The HTTP layer above still knows the name, so Host, SNI and the certificate check are those of the name.
So a name server that answers differently the second time gains nothing, and neither does a URL with an address in disguise
(`0x7f000001`, `::ffff:127.0.0.1`): what is checked is what the resolver made of it.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Iterable
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

import httpcore2

from engine.errors import Permanent

Resolve = Callable[[str, int], list[str]]
SocketOption = tuple[int, int, int] | tuple[int, int, bytes | bytearray] | tuple[int, int, None, int]

_NAT64 = IPv6Network("64:ff9b::/96")
_INSIDE_TOO = (
    ip_network("168.63.129.16/32"),  # public by number, answered by a cloud's own host (Azure's wire server)
    ip_network("192.0.0.0/24"),  # protocol assignments; a cloud's metadata lives here (Oracle's 192.0.0.192)
    ip_network("64:ff9b:1::/48"),  # NAT64 with a local meaning
)
"""What `ipaddress` calls global, at least in some versions, and is not."""


def resolve(host: str, port: int) -> list[str]:
    """Every address of a name, in the resolver's order. Raises `httpcore2.ConnectError` when it has none."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise httpcore2.ConnectError(f"cannot resolve {host}") from error
    return [str(entry[4][0]) for entry in found]


def is_outside(address: str) -> bool:
    """Whether an address belongs to the public internet, looking through the ways in which IPv6 wraps an IPv4 address."""
    parsed = ip_address(address.partition("%")[0])
    if isinstance(parsed, IPv6Address):
        inner = _inner(parsed)
        if inner is not None:
            return is_outside(str(inner))
        if parsed.teredo is not None or parsed.is_site_local:
            return False
    return (
        parsed.is_global and not parsed.is_multicast and not parsed.is_reserved and not any(parsed in net for net in _INSIDE_TOO)
    )


def _inner(address: IPv6Address) -> IPv4Address | None:
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    low = int(address) & 0xFFFFFFFF
    if address in _NAT64 or int(address) >> 32 == 0:  # ::a.b.c.d too, long deprecated and still understood by some
        return IPv4Address(low)
    return None


class GuardedBackend(httpcore2.NetworkBackend):
    """Opens sockets for `httpcore2`: only to allowed addresses, and everything on one socket within `timeout_seconds`."""

    def __init__(self, timeout_seconds: float, *, allow_private: bool, resolver: Resolve = resolve) -> None:
        self._timeout_seconds = timeout_seconds
        self._allow_private = allow_private
        self._resolve = resolver
        self._sockets = httpcore2.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[SocketOption] | None = None,
    ) -> httpcore2.NetworkStream:
        """Raises Permanent for a name with any address inside, `httpcore2.ConnectError` when none of them answers."""
        deadline = time.monotonic() + min(self._timeout_seconds, timeout or self._timeout_seconds)
        addresses = self._resolve(host, port)
        if not self._allow_private and not all(is_outside(address) for address in addresses):
            raise Permanent(f"{host} is, or also is, an address inside: set allow_private if that is meant")
        failure = httpcore2.ConnectError(f"{host} has no address")
        for address in addresses:
            try:
                stream = self._sockets.connect_tcp(address, port, _left(deadline), local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = httpcore2.ConnectError(f"cannot connect to {host}: {error}")
                continue
            return DeadlineStream(stream, deadline)
        raise failure


class DeadlineStream(httpcore2.NetworkStream):
    """A stream whose every call ends by one deadline: a peer that sends a byte now and then cannot hold us."""

    def __init__(self, stream: httpcore2.NetworkStream, deadline: float) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002 - the deadline is what holds
        return self._stream.read(max_bytes, _left(self._deadline))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002
        self._stream.write(buffer, _left(self._deadline))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002
    ) -> httpcore2.NetworkStream:
        return DeadlineStream(self._stream.start_tls(ssl_context, server_hostname, _left(self._deadline)), self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _left(deadline: float) -> float:
    """Seconds that are left; raises when none are, because a timeout of 0 would mean `do not wait` and not `too late`."""
    left = deadline - time.monotonic()
    if left <= 0.0:
        raise httpcore2.ReadTimeout("no answer in time")
    return left
