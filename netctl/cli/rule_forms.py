"""One-line forms of security rules and what they are made of, as people write and read them.

    Service          tcp, tcp/443, udp/53-60,5353, icmp, icmp/8, icmp/3/4 (type and code), icmpv6/128, 47 (a protocol)
    EntitySelector   cat/web, or cat/web,vpc/blue (in both)
    SecurityRule     NAME ACTION WAY PEERS [SERVICE ...] [MORE ...]

    web-in allow from cat/clients tcp/443        IN: `from` who opens the connection
    dns allow to ag/resolvers udp/53 tcp/53      OUT: `to` whom
    ping allow with any icmp/8 log               both ways
    old deny from eg/old sg/web at cat/db priority 10 until 2026-12-31
    scan allow from any tcp/80 through inspect      a service chain

In: a text; out: texts by field (`short_forms.py`), and back.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import pairwise

from netctl.cli.kinds import find_kind

# Field names with the text for each.
Parts = list[tuple[str, str]]

_ACTIONS = ("allow", "deny", "reject")
_WAYS = {"from": "in", "to": "out", "with": "in_out"}
_WORDS_OF_WAYS = {direction: word for word, direction in _WAYS.items()}
# Words with a value after them, and words that are all.
_VALUES = {
    "at": "applied_to",
    "priority": "priority",
    "until": "expire_time",
    "through": "service_chain",
}
_FLAGS = {"log": "log", "stateless": "stateless", "disabled": "disabled"}
_VERSIONS = {"ipv4": "4", "ipv6": "6"}
_FORM = (
    "NAME allow|deny|reject from|to|with PEER,... [SERVICE ...], e.g. 'web-in allow from cat/clients tcp/443'"
)
_ANY = "any"
_SERVICE = "tcp/443, udp/53-60, icmp/8, icmpv6, or the number of a protocol"


def parse_service(text: str) -> Parts:
    """Return what `tcp/443` says of the fields of a service."""
    protocol, *rest = text.lower().split("/")
    if protocol.isdecimal() and not rest:
        return [("protocol", "number"), ("protocol_number", protocol)]
    if protocol in ("tcp", "udp") and len(rest) <= 1:
        return [("protocol", protocol), *(("ports", _listed(ports, text)) for ports in rest)]
    if protocol in ("icmp", "icmpv6", "icmp6") and len(rest) <= 2:
        names = zip(("icmp_type", "icmp_code"), rest, strict=False)
        return [("protocol", protocol.replace("icmp6", "icmpv6")), *names]
    raise ValueError(f"{text!r} is not a service; write {_SERVICE}")


def parse_selector(text: str) -> Parts:
    """Return what `cat/web,vpc/blue` says of the fields of a selector."""
    return [("all_of", _listed(text, text))]


def render_service(values: Mapping[str, str]) -> str:
    """Return a service on one line."""
    protocol = values.get("protocol", "").lower()
    if protocol == "number":
        return values.get("protocol_number", "0")
    details = [values[name] for name in ("icmp_type", "icmp_code") if name in values]
    ports = values.get("ports", "").replace(", ", ",")
    text = "/".join([protocol, *([ports] if ports else details)])
    source = values.get("source_ports", "").replace(", ", ",")
    return f"{text}(from-ports:{source})" if source else text


def parse_rule(text: str) -> Parts:
    """Return what a line says of the fields of a rule; ValueError says how lines are written."""
    words = text.split()
    if len(words) < 4 or words[1].lower() not in _ACTIONS or words[2].lower() not in _WAYS:
        raise ValueError(f"{text!r} is not a rule; write {_FORM}")
    name, action, way, peers = words[:4]
    parts = [("name", name), ("action", action.lower()), ("direction", _WAYS[way.lower()])]
    parts += [] if peers == _ANY else [("peers", _listed(peers, text))]
    before = ""
    for word, after in pairwise([*words[4:], ""]):
        if before in _VALUES:
            before = ""
            continue
        before = word.lower()
        parts.append(_parse_word(word, after))
    return parts


def _parse_word(word: str, after: str) -> tuple[str, str]:
    low = word.lower()
    if low in _VALUES:
        if not after:
            raise ValueError(f"nothing follows {word!r}")
        return _VALUES[low], _listed(after, f"{word} {after}")
    if low in _FLAGS:
        return _FLAGS[low], "true"
    if low in _VERSIONS:
        return "ip_version", _VERSIONS[low]
    kind = find_kind(word.partition("/")[0])
    if kind is not None and kind.word == "servicegroup" and "/" in word:
        return "service_groups", f"{kind.collection}/{word.partition('/')[2]}"
    if re.match(r"(?:tcp|udp|icmp(?:v?6)?)(?:/|$)|[0-9]+$", low) is None:
        known = ", ".join((*_VALUES, *_FLAGS, *_VERSIONS))
        raise ValueError(f"{word!r} is neither a service ({_SERVICE}, sg/ID) nor one of {known}")
    return "services", word


def _listed(parts: str, text: str) -> str:
    """Return what commas separate. A part left out is an empty variable in a script: taken as nothing said, it would
    open every port, or mean everybody.
    """
    if not all(part.strip() for part in parts.split(",")):
        raise ValueError(f"{text!r} leaves something out: write it, or take the comma or slash away")
    return parts


def render_rule(values: Mapping[str, str]) -> str:
    """Return a rule on one line without its name, as it is read above; what only files say comes last."""
    way = _WORDS_OF_WAYS.get(values.get("direction", "").lower(), "?")
    parts = [values.get("action", "?").lower(), way, _joined(values, "peers") or _ANY]
    for field in ("service_groups", "services"):
        parts += values[field].split(", ") if field in values else []
    for word, field in _VALUES.items():
        parts += [word, _joined(values, field)] if field in values else []
    parts += [word for word, version in _VERSIONS.items() if values.get("ip_version") == version]
    parts += [word for word, field in _FLAGS.items() if field in values]
    texts = (f"{field}={values[field]!r}" for field in ("owner", "ticket", "description") if field in values)
    return " ".join((*parts, *texts))


def _joined(values: Mapping[str, str], field: str) -> str:
    return values.get(field, "").replace(", ", ",")
