"""Connections to public addresses only, so that a feed cannot make us read the inside of our own network."""

import ipaddress
import socket
import threading
from collections.abc import Callable, Iterable
from ssl import SSLContext
from typing import Any

import httpcore

__all__ = ["AddressRefused", "CheckedBackend", "is_public"]

_EMBEDDING = (
    (ipaddress.IPv6Network("64:ff9b::/96"), 0),  # NAT64
    (ipaddress.IPv6Network("2002::/16"), 80),  # 6to4
)


class AddressRefused(Exception):
    """Raised when a host has no address that we may connect to."""


def is_public(address: str) -> bool:
    """Whether an address is neither private, loopback, link-local, reserved, multicast nor a wrapping of one."""
    ip: ipaddress.IPv4Address | ipaddress.IPv6Address = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            ip = ip.ipv4_mapped
        for network, shift in _EMBEDDING:
            if ip in network:
                ip = ipaddress.IPv4Address(int(ip) >> shift & 0xFFFF_FFFF)
                break
    if isinstance(ip, ipaddress.IPv6Address) and ip.is_site_local:  # fec0::/10, of which `is_global` knows nothing
        return False
    return ip.is_global and not ip.is_multicast and not ip.is_reserved and not ip.is_unspecified


class CheckedBackend(httpcore.NetworkBackend):
    """Resolves a name, checks the address and connects to that same address: nothing can change in between.

    TLS still asks for the name's certificate. Every wait, the resolver's included, ends when `remaining()`
    seconds are over, however slowly the other side drips.
    """

    def __init__(self, *, allow_private: bool, remaining: Callable[[], float]) -> None:
        self._allow_private = allow_private
        self._remaining = remaining
        self._inner = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to the first allowed address that answers; AddressRefused when none is allowed."""
        addresses = self._resolve(host, port)
        allowed = [address for address in addresses if self._allow_private or is_public(address)]
        if not allowed:
            message = f"{host} is at {addresses[0]}, which is no public address; ingest.allow_private_addresses is off"
            raise AddressRefused(message)
        for address in allowed[:-1]:
            try:
                return self._connect(address, port, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        return self._connect(allowed[-1], port, local_address, socket_options)

    def _connect(
        self, address: str, port: int, local_address: str | None, socket_options: Iterable[Any] | None
    ) -> httpcore.NetworkStream:
        timeout = _positive(self._remaining())
        stream = self._inner.connect_tcp(address, port, timeout, local_address, socket_options)
        return _LimitedStream(stream, self._remaining)

    def _resolve(self, host: str, port: int) -> list[str]:
        """Addresses of a host, in the order of the resolver, which has no time limit of its own."""
        found: list[str] = []
        errors: list[OSError] = []

        def ask() -> None:
            try:
                answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
                found.extend(dict.fromkeys(str(answer[4][0]) for answer in answers))
            except (OSError, UnicodeError) as error:
                errors.append(OSError(str(error)))

        resolver = threading.Thread(target=ask, name="resolve", daemon=True)
        resolver.start()
        resolver.join(_positive(self._remaining()))
        if errors:
            message = f"{host} cannot be resolved: {errors[0]}"
            raise httpcore.ConnectError(message)
        if not found:
            message = f"{host} was not resolved in time"
            raise httpcore.ConnectTimeout(message)
        return found


class _LimitedStream(httpcore.NetworkStream):
    def __init__(self, inner: httpcore.NetworkStream, remaining: Callable[[], float]) -> None:
        self._inner = inner
        self._remaining = remaining

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, self._limit(httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, self._limit(httpcore.WriteTimeout))

    def start_tls(
        self, ssl_context: SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        limit = self._limit(httpcore.ConnectTimeout)
        return _LimitedStream(self._inner.start_tls(ssl_context, server_hostname, limit), self._remaining)

    def close(self) -> None:
        self._inner.close()

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)

    def _limit(self, error: type[Exception]) -> float:
        remaining = self._remaining()
        if remaining <= 0:
            message = "the time for the whole fetch is over"
            raise error(message)
        return remaining


def _positive(seconds: float) -> float:
    return max(seconds, 0.001)
