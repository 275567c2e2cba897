"""Link actions that uplinks, internal ports and the Linux bridge need: netlink, for `links.py`.

Addresses move so that the way to the controller is never without a route longer than one netlink request: the address
is on the new link first, each route is replaced in one step, then the address leaves the old link. Interrupted
anywhere, it may be done again.
"""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, assert_never

from pyroute2 import NetlinkError

from netctl_host.actions_uplinks import (
    AddLinuxBridge,
    AddRoute,
    MoveAddresses,
    RemoveAddress,
    RemoveLinuxBridge,
    SetMaster,
    UplinkLinkAction,
)
from netctl_host.link_dump import Dumps
from netctl_host.state import OWNER, Route

_GONE = (errno.EADDRNOTAVAIL, errno.ENODEV, errno.ENXIO)


def apply_move(action: UplinkLinkAction, netlink: Any, dumps: Dumps) -> None:
    """Do one action; raise NetlinkError or OSError."""
    match action:
        case RemoveAddress(link=name, address=address):
            with _unless_gone():
                _remove_address(netlink, _index(name), address)
        case MoveAddresses():
            _move(action, netlink, dumps)
        case AddRoute(link=name, route=route):
            _set_route(netlink, _index(name), route)
        case AddLinuxBridge(link=name):
            netlink.link("add", ifname=name, kind="bridge")
            netlink.link("set", index=_index(name), ifalias=OWNER, state="up")
        case RemoveLinuxBridge(link=name):
            netlink.link("del", index=_index(name))
        case SetMaster(link=name, master=master):
            number = _index(master) if master else 0
            netlink.link("set", index=_index(name), master=number)
        case _:
            assert_never(action)


def add_address(netlink: Any, index: int, address: str) -> None:
    """Have an address (with prefix length) on a link."""
    interface = ipaddress.ip_interface(address)
    # An IPv6 address that was in use a moment ago on the other link needs no duplicate detection.
    flags = {"flags": _IFA_F_NODAD} if interface.version == 6 else {}
    netlink.addr(
        "replace",
        index=index,
        address=str(interface.ip),
        prefixlen=interface.network.prefixlen,
        **flags,
    )


_IFA_F_NODAD = 0x02  # linux/if_addr.h


def _remove_address(netlink: Any, index: int, address: str) -> None:
    interface = ipaddress.ip_interface(address)
    with _unless_gone():
        netlink.addr("del", index=index, address=str(interface.ip), prefixlen=interface.network.prefixlen)


def _index(name: str) -> int:
    try:
        return socket.if_nametoindex(name)
    except OSError as error:  # without a number
        raise OSError(errno.ENODEV, f"{name}: {os.strerror(errno.ENODEV)}") from error


@contextmanager
def _unless_gone() -> Iterator[None]:
    """The link went with its port, the address with its link: there is nothing to remove."""
    try:
        yield
    except NetlinkError as error:
        if error.code not in _GONE:
            raise
    except OSError as error:
        if error.errno not in _GONE:
            raise


def _move(action: MoveAddresses, netlink: Any, dumps: Dumps) -> None:
    new = _index(action.to)
    for address in action.addresses:
        add_address(netlink, new, address)
    try:
        old = _index(action.link)
    except OSError:  # it went with its bridge, and its routes with it
        return
    networks = [ipaddress.ip_interface(address).network for address in action.addresses]
    for route in dumps.routes(old):
        gateway = ipaddress.ip_address(route.gateway) if route.gateway else None
        # A gateway that none of the addresses reaches would be refused, and is still reached by what stays.
        if gateway is None or gateway.is_link_local or any(gateway in network for network in networks):
            _set_route(netlink, new, route)
            with suppress(NetlinkError):  # IPv4 has replaced it
                _delete_route(netlink, old, route)
    for address in action.leaving:
        _remove_address(netlink, old, address)


def _set_route(netlink: Any, index: int, route: Route) -> None:
    netlink.route("replace", oif=index, **_words(route))


def _delete_route(netlink: Any, index: int, route: Route) -> None:
    netlink.route("del", oif=index, **_words(route))


def _words(route: Route) -> dict[str, Any]:
    words: dict[str, Any] = {
        "dst": route.destination,
        "family": socket.AF_INET6 if ":" in route.destination else socket.AF_INET,
    }
    if route.gateway:
        words["gateway"] = route.gateway
    if route.metric:
        words["priority"] = route.metric
    return words
