"""Which interfaces of which hosts are meant: `select all 10g`, `select h1,h2 eth2,eth3`, `h1:eth2,eth3;h2:eth2`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from netctl.cli import api
from netctl.cli.acli.change import Update
from netctl.cli.acli.grammar import split_list
from netctl.cli.acli.names import HOSTS, display_of, find
from netctl.cli.client import Client
from netctl.cli.failures import Failure
from netctl.cli.host_report import read_report

_SPEED = re.compile(r"([0-9]+)g\Z", re.IGNORECASE)
_FORMS = "`select all 10g`, `select HOST eth2,eth3` or `HOST:eth2,eth3;HOST:eth2`"


def hosts_of(client: Client, switch: Any) -> list[Any]:
    """Read the hosts of a virtual switch's cluster."""
    return list(api.list_all(client, HOSTS, f"cluster = {switch.cluster}"))


def plan_uplinks(client: Client, switch: Any, text: str) -> list[Update]:
    """Return the hosts whose uplinks to a switch change."""
    wanted = _parse(client, switch, text)
    return [update for host, interfaces in wanted for update in set_uplink(switch, host, interfaces)]


def set_uplink(switch: Any, host: Any, interfaces: Sequence[str]) -> list[Update]:
    """Return the edit that makes a host's uplinks to a switch these interfaces; none when they are."""
    after = type(host)()
    after.CopyFrom(host)
    uplink = next((it for it in after.uplinks if it.virtual_switch == switch.name), None)
    if uplink is None:
        uplink = after.uplinks.add(virtual_switch=switch.name)
    if list(uplink.interfaces) == list(interfaces):
        return []
    del uplink.interfaces[:]
    uplink.interfaces.extend(interfaces)
    if uplink.active_interface not in interfaces:
        uplink.active_interface = ""
    return [Update(before=host, resource=after, paths=["uplinks"])]


def select_interfaces(client: Client, host: Any, spec: str, *, need_link: bool = True) -> list[str]:
    """Return the interfaces that `eth2,eth3`, `10g` or `all` names on a host; by speed, as its agent reports them."""
    speed = _SPEED.match(spec)
    if speed is None and spec.lower() != "all":
        return split_list(spec)
    heard = read_report(client, host.name)
    if not heard.HasField("report"):
        raise Failure(
            f"{display_of(host)} has not said which interfaces it has: {spec!r} names none",
            hint="name them: eth2,eth3",
        )
    mbps = int(speed[1]) * 1000 if speed is not None else 0
    found = [
        link.interface
        for link in heard.report.links
        if link.present and (link.up or not need_link) and mbps in (0, link.speed_mbps)
    ]
    if not found:
        linked = " with a link" if need_link else ""
        raise Failure(f"{display_of(host)} has no interface{linked} that {spec!r} names")
    return found


def _parse(client: Client, switch: Any, text: str) -> list[tuple[Any, list[str]]]:
    words = text.split()
    if words and words[0] == "select":
        if len(words) != 3:
            raise Failure.usage(f"host_uplink_config: {text!r} is none of the forms", hint=f"write {_FORMS}")
        everybody = words[1].lower() == "all"
        hosts = (
            hosts_of(client, switch)
            if everybody
            else [find(client, HOSTS, it) for it in split_list(words[1])]
        )
        return [(host, select_interfaces(client, host, words[2])) for host in hosts]
    found: list[tuple[Any, list[str]]] = []
    for part in filter(None, (part.strip() for part in text.split(";"))):
        name, colon, interfaces = part.rpartition(":")
        if not colon or not split_list(interfaces):
            raise Failure.usage(f"host_uplink_config: {part!r} is none of the forms", hint=f"write {_FORMS}")
        host = find(client, HOSTS, name)
        if any(host.name == other.name for other, _ in found):
            raise Failure.usage(f"host_uplink_config: {display_of(host)} is there twice")
        found.append((host, select_interfaces(client, host, interfaces)))
    return found
