"""One-line forms of small messages, as people write them: a text into texts of fields, and back.

    AddressRange        10.0.0.10-10.0.0.99, or one address
    StaticRoute         10.9.0.0/16=10.0.0.1
    Uplink              vs0=eth1,eth2, with more words: active eth2, address 192.0.2.5/24
    InternalPort        storage0=vs0/20, with more words: address 192.0.2.5/24, mtu 9000
    InternalBridge      virbr0, with more words: address 192.168.5.1/24, port vnet0,vnet1
    NicPair             fw1-in,fw1-out, or tap-1 (of mode tap), with `disabled`
    MirrorSource        nic/web-1, vs/vs0, with `ingress` or `egress`
    ExternalConnection  internet, or internet=h1,h2 (the gateway hosts)
    NextHop             10.0.0.1, or the id of an external subnet
    PolicyEndpoint      any, external, or a network
    PortRange           443, or 8000-8010
    TrunkVlan           20, or 20=db (the subnet behind it)
    Bfd                 on, or 300x3 (milliseconds and multiplier)
    Disk                20G, image=debian, image=debian,20G, cdrom, cdrom=tools, vm=web/0 (a copy of its disk), with
                        more words: bus scsi, index 1
    Service, EntitySelector, SecurityRule       see `rule_forms.py`

A single message that may be unset is unset by `off` and by nothing (`values.py`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from netctl.cli.kinds import find_kind
from netctl.cli.rule_forms import (
    Parts,
    parse_rule,
    parse_selector,
    parse_service,
    render_rule,
    render_service,
)


def parse_short_form(message: str, text: str, fields: Sequence[str]) -> Parts:
    """Return what a text says of the fields of a message; ValueError when it has no such form, or another."""
    parse = _PARSERS.get(message)
    if parse is None:
        raise ValueError(f"{text!r} is a single value, but this has fields: {', '.join(fields)}")
    return parse(text.strip())


def _pair(left: str, right: str, form: str) -> Callable[[str], Parts]:
    def parse(text: str) -> Parts:
        before, found, after = text.partition("=")
        if not found:
            raise ValueError(f"{text!r} is not {form}")
        return [(left, before.strip()), (right, after.strip())]

    return parse


def _optional_pair(left: str, right: str) -> Callable[[str], Parts]:
    def parse(text: str) -> Parts:
        before, found, after = text.partition("=")
        return [(left, before.strip()), *([(right, after.strip())] if found else [])]

    return parse


def _range(left: str, right: str) -> Callable[[str], Parts]:
    def parse(text: str) -> Parts:
        before, found, after = text.partition("-")
        return [(left, before.strip()), (right, (after if found else before).strip())]

    return parse


def _hop(text: str) -> Parts:
    # Ids begin with a letter and have no colon, addresses have one or begin with a digit.
    is_address = ":" in text or text[:1].isdigit()
    return [("ip_address" if is_address else "external_subnet", text)]


def _endpoint(text: str) -> Parts:
    return [(text, "true")] if text in ("any", "external") else [("cidr", text)]


def _bfd(text: str) -> Parts:
    if text.lower() in ("on", "true", "yes"):
        return []
    found = re.fullmatch(r"([0-9]+)(?:ms)?x([0-9]+)", text)
    if found is None:
        raise ValueError(f"{text!r} is neither `on` nor MILLISECONDSxMULTIPLIER, e.g. 300x3")
    return [("min_rx_ms", found[1]), ("min_tx_ms", found[1]), ("multiplier", found[2])]


def _words(text: str, known: Mapping[str, str]) -> tuple[str, Parts]:
    """Return the first word of a text, and the fields that the words after it name, each with its value."""
    first, *words = text.split() or [""]
    if len(words) % 2:
        raise ValueError(f"{text!r}: nothing follows {words[-1]!r}")
    parts = []
    for word, value in zip(words[::2], words[1::2], strict=True):
        if word.lower() not in known:
            raise ValueError(f"{word!r} is none of {', '.join(known)}")
        parts.append((known[word.lower()], value))
    return first, parts


def _uplink(text: str) -> Parts:
    first, parts = _words(text, _OF_UPLINKS)
    return [*_pair("virtual_switch", "interfaces", "VIRTUAL_SWITCH=INTERFACE,...")(first), *parts]


def _internal_port(text: str) -> Parts:
    first, parts = _words(text, _OF_INTERNAL_PORTS)
    name, where = _pair("name", "virtual_switch", "NAME=VIRTUAL_SWITCH or NAME=VIRTUAL_SWITCH/VLAN")(first)
    switch, slash, vlan_id = where[1].rpartition("/")
    if slash and vlan_id.isdecimal():
        return [name, ("virtual_switch", switch), ("vlan_id", vlan_id), *parts]
    return [name, where, *parts]


def _internal_bridge(text: str) -> Parts:
    first, parts = _words(text, _OF_INTERNAL_BRIDGES)
    return [("name", first), *parts]


def _nic_pair(text: str) -> Parts:
    names, *words = text.split() or [""]
    if words not in ([], ["disabled"]):
        raise ValueError(f"{text!r} is not INGRESS_NIC,EGRESS_NIC with or without `disabled` after it")
    ingress, comma, egress = names.partition(",")
    parts = [("ingress_nic", ingress), *([("egress_nic", egress)] if comma else [])]
    return [*parts, *([("disabled", "true")] if words else [])]


def _mirror_source(text: str) -> Parts:
    name, *words = text.split() or [""]
    kind = find_kind(name.partition("/")[0])
    field = _SOURCES.get(kind.word) if kind is not None and "/" in name else None
    if field is None or len(words) > 1:
        raise ValueError(f"{text!r} is not nic/ID or vs/ID with or without `ingress` or `egress` after it")
    return [(field, name), *(("direction", word) for word in words)]


_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


def _disk(text: str) -> Parts:
    first, parts = _words(text, _OF_DISKS)
    for word in first.split(","):
        what, equals, value = word.partition("=")
        if what.lower() == "cdrom":
            parts += [("kind", "cdrom"), *([("image", value)] if equals else [])]
        elif what.lower() == "image" and equals:
            parts.append(("image", value))
        elif what.lower() == "vm" and equals:
            vm, slash, index = value.rpartition("/")
            parts += [("source_vm", vm), ("source_index", index)] if slash else [("source_vm", value)]
        else:
            parts.append(("size_bytes", _bytes(word)))
    return parts


def _bytes(text: str) -> str:
    found = re.fullmatch(r"([0-9]+)([KMGT]?)(?:i?B)?", text, re.IGNORECASE)
    if found is None:
        raise ValueError(f"{text!r} is none of SIZE (as 20G), image=IMAGE, cdrom, cdrom=IMAGE, vm=VM/INDEX")
    return str(int(found[1]) * _UNITS[found[2].upper()])


_OF_DISKS = {"bus": "bus", "index": "index"}
_SOURCES = {"nic": "nic", "virtualswitch": "virtual_switch"}
_OF_UPLINKS = {"active": "active_interface", "address": "addresses"}
_OF_INTERNAL_PORTS = {"address": "addresses", "mtu": "mtu_bytes"}
_OF_INTERNAL_BRIDGES = {"address": "addresses", "port": "interfaces"}

_PARSERS: Mapping[str, Callable[[str], Parts]] = {
    "AddressRange": _range("start", "end"),
    "StaticRoute": _pair("destination", "next_hop", "DESTINATION=NEXT_HOP"),
    "Uplink": _uplink,
    "InternalPort": _internal_port,
    "InternalBridge": _internal_bridge,
    "NicPair": _nic_pair,
    "MirrorSource": _mirror_source,
    "Disk": _disk,
    "ExternalConnection": _optional_pair("subnet", "gateway_hosts"),
    "NextHop": _hop,
    "PolicyEndpoint": _endpoint,
    "PortRange": _range("first", "last"),
    "TrunkVlan": _optional_pair("vlan_id", "subnet"),
    "Bfd": _bfd,
    "Service": parse_service,
    "EntitySelector": parse_selector,
    "SecurityRule": parse_rule,
}


def render_short_form(message: str, values: Mapping[str, str]) -> str:
    """Return the texts of a message's fields on one line, as it is read above where that can say all."""
    match message:
        case "AddressRange":
            return "-".join(dict.fromkeys(values.values()))
        case "PortRange":  # a zero is unset
            return "-".join(dict.fromkeys(values.get(name, "0") for name in ("first", "last")))
        case "Uplink" | "InternalPort" | "InternalBridge" | "NicPair" | "MirrorSource":
            return _render_words(message, values)
        case "StaticRoute":
            return "=".join(text.replace(", ", ",") for text in values.values())
        case "NextHop":
            return " ".join(values.values())
        case "PolicyEndpoint":
            return values.get("cidr") or " ".join(values) or "any"
        case "TrunkVlan":
            addresses = [values[name] for name in ("ipv4_address", "ipv6_address") if name in values]
            vlan = "=".join(values[name] for name in ("vlan_id", "subnet") if name in values)
            return f"{vlan} ({' '.join(addresses)})" if addresses else vlan
        case "Service":
            return render_service(values)
        case "EntitySelector":
            return values.get("all_of", "").replace(", ", ",")
        case "SecurityRule":
            return render_rule(values)
        case "Bfd" if values.get("min_rx_ms") == values.get("min_tx_ms"):
            return f"{values.get('min_rx_ms')}x{values.get('multiplier')}"
        case _:
            return " ".join(f"{path}={text}" for path, text in values.items())


def _render_words(message: str, values: Mapping[str, str]) -> str:
    """Return a message whose form is a word and more words after it."""
    get = {name: text.replace(", ", ",") for name, text in values.items()}.get
    if message == "NicPair":
        names = ",".join(text for text in (get("ingress_nic"), get("egress_nic")) if text)
        return f"{names} disabled" if get("disabled") else names
    if message == "MirrorSource":
        direction = (get("direction") or "").lower()
        return " ".join(text for text in (get("nic") or get("virtual_switch"), direction) if text)
    if message == "InternalPort":
        first = "=".join((get("name", "?"), "/".join(_given(get("virtual_switch"), get("vlan_id")))))
    elif message == "Uplink":
        first = "=".join(_given(get("virtual_switch"), get("interfaces")))
    else:
        first = get("name", "?")
    known = {"Uplink": _OF_UPLINKS, "InternalPort": _OF_INTERNAL_PORTS}.get(message, _OF_INTERNAL_BRIDGES)
    return " ".join((first, *(f"{word} {get(field)}" for word, field in known.items() if get(field))))


def _given(*texts: str | None) -> list[str]:
    return [text for text in texts if text]
