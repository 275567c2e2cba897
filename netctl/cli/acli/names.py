"""Names as acli's people write them (`vlan.10`, `fooVM`), and the resources that they mean.

A name that is no id of ours is the display name of an id made from it, always the same one: `vlan.10` is `vlan-10`,
`fooVM` is `foovm`. Resources are found by either. A NIC that is of no virtual machine of the controller says by its
label `vm` whose it is.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any

from netctl.cli import api
from netctl.cli.acli.grammar import expand_names
from netctl.cli.client import Client
from netctl.cli.failures import NOT_FOUND, Failure
from netctl.cli.kinds import BY_COLLECTION, Kind, nearest
from netctl.cli.show import quote
from netctl.cli.tables import id_of

NETWORKS, NICS = BY_COLLECTION["subnets"], BY_COLLECTION["nics"]
HOSTS, SWITCHES = BY_COLLECTION["hosts"], BY_COLLECTION["virtualSwitches"]
VMS, IMAGES, GROUPS = BY_COLLECTION["vms"], BY_COLLECTION["images"], BY_COLLECTION["affinityPolicies"]
VM_LABEL, ANNOTATION_LABEL = "vm", "annotation"

ID_MAX = 63
_DIGEST = 8
_PREFIXES = {"subnets": "net", "vms": "vm", "affinityPolicies": "group"}  # `10` becomes `net-10`
_WORDS = {
    "subnets": "network",
    "hosts": "host",
    "virtualSwitches": "virtual switch",
    "vms": "virtual machine",
    "images": "image",
    "affinityPolicies": "group",
    "clusters": "cluster",
}


def to_id(name: str, *, prefix: str = "n", room: int = ID_MAX) -> str:
    """Return the id that a name becomes, at most `room` long; `prefix` goes before one that begins with a digit."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    made = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")
    if not made:
        return f"{prefix}-{_digest(name)}"
    if not made[0].isalpha():
        made = f"{prefix}-{made}"
    if len(made) > room:  # cut, yet two long names that begin alike stay two
        made = f"{made[: room - _DIGEST - 1].rstrip('-')}-{_digest(name)}"
    return made


def display_of(resource: Any) -> str:
    """Return the name that people gave a resource."""
    return str(resource.display_name or id_of(resource.name))


def vm_of(nic: Any) -> str:
    """Return the virtual machine that a NIC is said to be of, or ""."""
    return str(nic.labels.get(VM_LABEL, ""))


def find(client: Client, kind: Kind, name: str) -> Any:
    """Read the one resource that a name means: its id, display name, resource name or uid."""
    found = _find_by_id(client, kind, name.removeprefix(f"{kind.collection}/"))
    if found is not None:
        return found
    made = _find_by_id(client, kind, to_id(name, prefix=_PREFIXES.get(kind.collection, "n")))
    if made is not None and made.display_name == name:  # as acli itself made it: nothing else is read
        return made
    everything = list(api.list_all(client, kind))
    same = [it for it in everything if name in (it.display_name, it.uid) or name in _addresses(it)]
    same = same or [it for it in everything if display_of(it).lower() == name.lower()]
    if len(same) == 1:
        return same[0]
    word = _WORDS[kind.collection]
    if same:
        ids = ", ".join(id_of(it.name) for it in same)
        raise Failure.usage(f"{len(same)} {word}s are called {name!r}: {ids}", hint="say the id")
    hint = nearest(name, [display_of(it) for it in everything])
    raise not_found(f"there is no {word} {name!r}", hint or f"`{_LISTS[kind.collection]}` lists them")


def find_many(client: Client, kind: Kind, text: str) -> list[Any]:
    """Read the resources that a list of names means; `*` and `?` stand for any characters."""
    found: dict[str, Any] = {}
    for name in expand_names(text):
        if "*" in name or "?" in name:
            matching = [it for it in api.list_all(client, kind) if fnmatchcase(display_of(it), name)]
            if not matching:
                raise not_found(f"no {_WORDS[kind.collection]} matches {name!r}")
        else:
            matching = [find(client, kind, name)]
        found |= {it.name: it for it in matching}
    return list(found.values())


def nics_of_vms(client: Client) -> dict[str, list[Any]]:
    """Read all virtual machines with their NICs, by name; machines and NICs in order."""
    known = {vm.name: display_of(vm) for vm in api.list_all(client, VMS)}
    found: dict[str, list[Any]] = {name: [] for name in known.values()}
    for nic in api.list_all(client, NICS):
        vm = known.get(nic.vm) or vm_of(nic)
        if vm:
            found.setdefault(vm, []).append(nic)
    return {vm: sorted(found[vm], key=_by_number) for vm in sorted(found)}


def nics_of(client: Client, vm: str) -> list[Any]:
    """Read the NICs of one virtual machine, in their order; `foovm` is fooVM where the NIC foovm-nic-0 is its."""
    machine = machine_of(client, vm)
    if machine is not None:
        return sorted(api.list_all(client, NICS, f"vm = {quote(machine.name)}"), key=_by_number)
    exact = list(api.list_all(client, NICS, f"labels.{VM_LABEL} = {quote(vm)}"))
    if not exact:
        first = _find_by_id(client, NICS, f"{vm}-nic-0")
        if first is not None and vm_of(first) != vm and to_id(vm_of(first), prefix="vm") == vm:
            return nics_of(client, vm_of(first))
    return sorted(exact, key=_by_number)


def machine_of(client: Client, vm: str) -> Any:
    """Read the virtual machine of a name; None where only NICs say that there is one, or nobody does."""
    try:
        return find(client, VMS, vm)
    except Failure as failure:
        if failure.exit_status != NOT_FOUND:
            raise
        return None


def expand_vms(client: Client, text: str) -> list[str]:
    """Return the names of virtual machines that a list means; `*` and `?` among those that there are."""
    names: dict[str, None] = {}
    for name in expand_names(text):
        if "*" in name or "?" in name:
            matching = [vm for vm in nics_of_vms(client) if fnmatchcase(vm, name)]
            if not matching:
                raise not_found(f"no virtual machine matches {name!r}")
            names |= dict.fromkeys(matching)
        else:
            names[name] = None
    return list(names)


def find_nic(client: Client, vm: str, mac: str) -> Any:
    """Read a virtual machine's NIC by its MAC address, or by its id."""
    nics = nics_of(client, vm)
    wanted = mac.lower().replace("-", ":")
    found = [nic for nic in nics if nic.mac_address == wanted or mac in (id_of(nic.name), nic.name)]
    if not found:
        has = ", ".join(nic.mac_address for nic in nics)
        raise not_found(f"{vm} has no NIC {mac}", f"it has {has}" if has else "it has none")
    return found[0]


def not_found(message: str, hint: str = "") -> Failure:
    """Make a failure for something that does not exist."""
    return Failure(message, exit_status=NOT_FOUND, code="NOT_FOUND", hint=hint)


def names_of(client: Client, refers: str) -> Sequence[str]:
    """Return the names that an option which refers to this kind of object can have."""
    if refers == "vm":
        return list(nics_of_vms(client))
    if refers == "mac":
        return [nic.mac_address for nics in nics_of_vms(client).values() for nic in nics]
    kind = {"network": NETWORKS, "host": HOSTS, "vswitch": SWITCHES, "image": IMAGES, "group": GROUPS}[refers]
    return sorted(display_of(it) for it in api.list_all(client, kind))


_LISTS = {
    "subnets": "net.list",
    "hosts": "host.list",
    "virtualSwitches": "net.list_virtual_switch",
    "vms": "vm.list",
    "images": "netctl get images",
    "affinityPolicies": "vm_group.list",
    "clusters": "netctl get clusters",
}


def _find_by_id(client: Client, kind: Kind, id_: str) -> Any:
    if not re.fullmatch(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?", id_):
        return None
    try:
        return api.get(client, f"{kind.collection}/{id_}")
    except Failure as failure:
        if failure.exit_status != NOT_FOUND:
            raise
        return None


def _addresses(resource: Any) -> list[str]:
    """Return what a host is known by beside its name: the addresses of its tunnels and bridges."""
    if resource.DESCRIPTOR.name != "Host":
        return []
    texts = [resource.tunnel_address, *(text for uplink in resource.uplinks for text in uplink.addresses)]
    return [text.partition("/")[0] for text in texts if text]


def _by_number(nic: Any) -> tuple[int, str]:
    """Sort `foovm-nic-10` after `foovm-nic-9`."""
    number = nic.name.rpartition("-")[2]
    return (int(number) if number.isdigit() else ID_MAX, nic.name)


def _digest(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:_DIGEST]
