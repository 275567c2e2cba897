"""What netlink does with links, for `FakeHost`: addresses, routes and Linux bridges."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import assert_never

from netctl_host.actions_uplinks import (
    AddLinuxBridge,
    AddRoute,
    MoveAddresses,
    RemoveAddress,
    RemoveLinuxBridge,
    SetMaster,
    UplinkLinkAction,
)
from netctl_host.state import OWNER, Link


def change_links(links: Mapping[str, Link], action: UplinkLinkAction) -> dict[str, Link]:
    """Return the links after one action."""
    now = dict(links)
    match action:
        case RemoveAddress(link=name, address=address):
            if name in now:  # it may have gone with its port
                now[name] = _without(now[name], {address})
        case MoveAddresses(link=name, to=to):
            now[to] = replace(now[to], addresses=tuple(sorted({*now[to].addresses, *action.addresses})))
            if name in now:
                routes = tuple(sorted({*now[to].routes, *now[name].routes}, key=str))
                now[to] = replace(now[to], routes=routes)
                now[name] = replace(_without(now[name], set(action.leaving)), routes=())
        case AddRoute(link=name, route=route):
            now[name] = replace(now[name], routes=tuple(sorted({*now[name].routes, route}, key=str)))
        case AddLinuxBridge(link=name):
            now[name] = Link(name=name, kind="bridge", alias=OWNER, up=True)
        case RemoveLinuxBridge(link=name):
            del now[name]
            now = {
                other: replace(link, master="") if link.master == name else link
                for other, link in now.items()
            }
        case SetMaster(link=name, master=master):
            now[name] = replace(now[name], master=master)
        case _:
            assert_never(action)
    return now


def _without(link: Link, addresses: set[str]) -> Link:
    return replace(link, addresses=tuple(one for one in link.addresses if one not in addresses))
