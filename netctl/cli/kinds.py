"""The kinds as people type them: words, collections, and which fields refer to which collection.

A plain table, so that help and completion need no protobuf. The order is that in which people meet them: what comes
later mostly refers to what comes earlier.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from netctl.cli.failures import Failure


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind: `message` and `many` are its names in the API, `module` holds its messages."""

    message: str
    many: str
    collection: str
    field: str
    shorts: tuple[str, ...]
    module: str

    @property
    def word(self) -> str:
        """The word in commands: `virtualswitch`."""
        return self.message.lower()

    @property
    def plural(self) -> str:
        """The plural in commands: `virtualswitches`."""
        return self.many.lower()

    @property
    def plural_field(self) -> str:
        """The repeated field of a List answer: `virtual_switches`."""
        return _snake(self.many)


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def _kind(message: str, many: str, module: str, *shorts: str) -> Kind:
    collection = many[0].lower() + many[1:]
    return Kind(
        message=message,
        many=many,
        collection=collection,
        field=_snake(message),
        shorts=shorts,
        module=f"netctl.v1.{module}_pb2",
    )


KINDS = (
    _kind("Cluster", "Clusters", "infra", "cl"),
    _kind("VirtualSwitch", "VirtualSwitches", "infra", "vs"),
    _kind("Host", "Hosts", "infra", "h"),
    _kind("Vpc", "Vpcs", "vpc"),
    _kind("Subnet", "Subnets", "network", "sn"),
    _kind("Nic", "Nics", "network"),
    _kind("FloatingIp", "FloatingIps", "vpc", "fip"),
    _kind("Route", "Routes", "vpc", "rt"),
    _kind("RoutingPolicy", "RoutingPolicies", "vpc", "rp"),
    _kind("AddressReservation", "AddressReservations", "vpc", "ar"),
    _kind("Category", "Categories", "security", "cat"),
    _kind("AddressGroup", "AddressGroups", "security", "ag"),
    _kind("ServiceGroup", "ServiceGroups", "security", "sg"),
    _kind("EntityGroup", "EntityGroups", "security", "eg"),
    _kind("SecurityPolicy", "SecurityPolicies", "security", "sp"),
    _kind("NetworkFunction", "NetworkFunctions", "chain", "nf"),
    _kind("ServiceChain", "ServiceChains", "chain", "sc", "chain"),
    _kind("TrafficMirror", "TrafficMirrors", "chain", "tm", "mirror"),
    _kind("Image", "Images", "compute", "img"),
    _kind("Vm", "Vms", "compute"),
    _kind("VmTemplate", "VmTemplates", "compute", "template", "tpl"),
    _kind("AffinityPolicy", "AffinityPolicies", "compute", "affinity", "ap"),
    _kind("VmMigration", "VmMigrations", "compute", "migration", "mig"),
)

# Fields that name another resource: people may write the id alone. With the message where the word has other meanings.
REFERENCES = {
    "cluster": "clusters",
    "clusters": "clusters",
    "virtual_switch": "virtualSwitches",
    "virtual_switches": "virtualSwitches",
    "tunnel_virtual_switch": "virtualSwitches",
    "host": "hosts",
    "gateway_hosts": "hosts",
    "gateways": "hosts",
    "subnet": "subnets",
    "external_subnet": "subnets",
    "nic": "nics",
    "vpc": "vpcs",
    "vpcs": "vpcs",
    "categories": "categories",
    "service_groups": "serviceGroups",
    "service_chain": "serviceChains",
    "network_functions": "networkFunctions",
    "ingress_nic": "nics",
    "egress_nic": "nics",
    "destinations": "nics",
    "vm": "vms",
    "vms": "vms",
    "source_vm": "vms",
    "image": "images",
    "images": "images",
    "template": "vmTemplates",
    "hosts": "hosts",
    "affinity_hosts": "hosts",
    "VmMigration.destination": "hosts",
    "vm_categories": "categories",
    "host_categories": "categories",
}
# Fields that name resources of several collections: people write the kind, in any spelling (`cat/web`).
_SECURED = ("categories", "entityGroups")
TERMS = {
    "secured": _SECURED,
    "applied_to": _SECURED,
    "peers": (*_SECURED, "addressGroups"),
    "all_of": (*_SECURED, "subnets", "vpcs", "nics"),
}

_ABBREVIATION_MAX = 3
BY_COLLECTION = {kind.collection: kind for kind in KINDS}
_BY_WORD = {word: kind for kind in KINDS for word in (kind.word, kind.plural, *kind.shorts)}
# `get templates`, `get migrations`: what is short for a kind and a word of its own has a plural.
_BY_WORD |= {f"{short}s": kind for kind in KINDS for short in kind.shorts if len(short) > _ABBREVIATION_MAX}
WORDS = tuple(kind.word for kind in KINDS)
# For help texts: each word with its short form.
WORDS_AND_SHORTS = ", ".join(
    " ".join((kind.word, *(f"({short})" for short in kind.shorts))) for kind in KINDS
)


def find_kind(word: str) -> Kind | None:
    """Return the kind that a word names, in any spelling: `vs`, `virtual-switch`, `VirtualSwitches`."""
    return _BY_WORD.get(word.replace("-", "").replace("_", "").lower())


def parse_kind(word: str) -> Kind:
    """Return the kind that a word names; refuse with the nearest one."""
    kind = find_kind(word)
    if kind is None:
        raise Failure.usage(
            f"{word!r} is no kind", hint=nearest(word, _BY_WORD) or f"kinds: {', '.join(WORDS)}"
        )
    return kind


def parse_kinds(words: list[str]) -> list[Kind]:
    """Return the kinds of a comma-separated or repeated list; all of them for `all` or none."""
    parts = [part for word in words for part in word.split(",") if part]
    if not parts or parts == ["all"]:
        return list(KINDS)
    return [parse_kind(part) for part in parts]


def resource_name(kind: Kind, text: str) -> str:
    """Return `subnets/web` for `web`, `subnets/web` or `subnet/web`."""
    word, slash, id_ = text.partition("/")
    if not slash:
        return f"{kind.collection}/{text}"
    if find_kind(word) is not kind:
        raise Failure.usage(
            f"{text!r} does not name a {kind.word}", hint=f"write {kind.collection}/ID, or ID alone"
        )
    return f"{kind.collection}/{id_}"


def parse_name(text: str) -> str:
    """Return the resource name of `subnet/web` or `subnets/web`."""
    word, slash, id_ = text.partition("/")
    kind = find_kind(word)
    if kind is None or not slash:
        raise Failure.usage(
            f"{text!r} does not name a resource", hint="write KIND/NAME, e.g. subnet/web or nics/web-1"
        )
    return f"{kind.collection}/{id_}"


def kind_of_name(name: str) -> Kind:
    """Return the kind of a full resource name."""
    return BY_COLLECTION[name.partition("/")[0]]


def complete_reference(field: str, text: str) -> str:
    """Return the resource name that a reference field means: `web` in `subnet` is `subnets/web`, as `sn/web` is."""
    collections = TERMS.get(field) or ((REFERENCES[field],) if field in REFERENCES else ())
    word, slash, id_ = text.partition("/")
    if not slash:
        return f"{collections[0]}/{text}" if len(collections) == 1 and text else text
    kind = find_kind(word)
    return f"{kind.collection}/{id_}" if kind is not None and kind.collection in collections else text


def nearest(word: str, known: object) -> str:
    """Return "did you mean ...?" with the known word that is most like `word`, or "" when none is."""
    import difflib

    assert isinstance(known, dict | list | tuple | set | frozenset)
    found = difflib.get_close_matches(word, [str(item) for item in known], n=1, cutoff=0.5)
    return f"did you mean {found[0]!r}?" if found else ""
