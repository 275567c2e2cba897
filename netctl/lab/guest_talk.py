"""Talking to the lab's guest from a network namespace: scripts in, what they print out.

The guest serves `/cgi-bin/run` (guest_image). Its address may be of DHCP, or the one that it always has on a tap,
`link_local`, which needs no server and no route.
"""

from __future__ import annotations

import http.client
import re
from functools import partial

from netctl.errors import Unavailable
from netctl.lab import namespaces

_EXIT = re.compile(r"\n?exit (\d+)\n\Z")


def link_local(mac_address: str, interface: str) -> str:
    """Return the IPv6 address that a guest has on its NIC from the start, as seen on this interface (RFC 4291, A)."""
    octets = [int(octet, 16) for octet in mac_address.split(":")]
    octets[0] ^= 2
    halves = [*octets[:3], 0xFF, 0xFE, *octets[3:]]
    groups = (f"{high << 8 | low:x}" for high, low in zip(halves[::2], halves[1::2], strict=True))
    return f"fe80::{':'.join(groups)}%{interface}"


def ask(namespace: str, address: str, script: str, *, timeout_s: float = 5.0) -> str:
    """Run a shell script in the guest at an address; return what it prints, or raise Unavailable."""
    return namespaces.run_in(namespace, partial(_ask, address, script, timeout_s))


def facts(namespace: str, address: str, *, timeout_s: float = 5.0) -> dict[str, str]:
    """Return what the guest's machine looks like from inside; the keys are in guest.c."""
    lines = ask(namespace, address, "facts", timeout_s=timeout_s).splitlines()
    return dict(line.split("=", 1) for line in lines)


def _ask(address: str, script: str, timeout_s: float) -> str:
    connection = http.client.HTTPConnection(address, 80, timeout=timeout_s)
    try:
        connection.request("POST", "/cgi-bin/run", script.encode())
        said = connection.getresponse().read().decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        raise Unavailable(
            f"the guest at {address} does not answer: {error or type(error).__name__}"
        ) from None
    finally:
        connection.close()
    code = _EXIT.search(said)
    if code is None or code[1] != "0":
        raise Unavailable(f"the guest at {address}: {script[:80]!r} failed: {said.strip()[-500:]}")
    return said[: code.start()].rstrip("\n")
