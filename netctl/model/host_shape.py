"""Gate 1 of what a host has: each interface name and each address is that of one of its parts."""

from __future__ import annotations

import ipaddress
from collections.abc import Sized

from netctl.errors import InvalidIntent
from netctl.model import shape

ADDRESSES_MAX = 64


def check_count(field: str, values: Sized, limit: int) -> None:
    """Refuse a list that is longer than any host has, before each of it is looked at."""
    if len(values) > limit:
        raise InvalidIntent(field, f"has {len(values)} entries; at most {limit} are allowed")


class Parts:
    """What the parts of one host that were looked at so far are called, and which addresses they have."""

    def __init__(self) -> None:
        self._interfaces: dict[str, str] = {}
        self._addresses: dict[str, str] = {}

    def take_uplink(self, field: str, name: str) -> None:
        """Refuse an interface that cannot be in a bond, or is in one already."""
        shape.check_interface(field, name)
        if name in self._interfaces:
            raise InvalidIntent(field, f"{name} is used twice; an interface serves one bond")
        self._interfaces[name] = field

    def take_name(self, field: str, name: str) -> None:
        """Refuse a name that is not one of an interface, or is that of another part."""
        shape.check_port(field, name)
        if name in self._interfaces:
            raise InvalidIntent(field, f"{name} is in {self._interfaces[name]} too: use another name")
        self._interfaces[name] = field

    def take_addresses(self, field: str, addresses: tuple[str, ...]) -> tuple[str, ...]:
        """Return addresses with prefix length in canonical form; refuse one that another part has."""
        check_count(field, addresses, ADDRESSES_MAX)
        canonical = []
        for i, text in enumerate(addresses):
            address = shape.canonical_interface_address(f"{field}[{i}]", text)
            ip = str(ipaddress.ip_interface(address).ip)
            if ip in self._addresses:
                raise InvalidIntent(
                    f"{field}[{i}]", f"{ip} is in {self._addresses[ip]} too; a host has an address once"
                )
            self._addresses[ip] = f"{field}[{i}]"
            canonical.append(address)
        return tuple(canonical)
