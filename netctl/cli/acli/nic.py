"""acli's `vm.nic_*` that change NICs.

`mode`, `kind` and subnet of a NIC cannot change in the API: acli's change of them makes the NIC anew, in one atomic
change, with its name, MAC address and (on the same network) addresses.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from netctl.cli import api
from netctl.cli.acli import answer
from netctl.cli.acli.answer import Answer
from netctl.cli.acli.change import Create, Delete, Edit, Update, send, send_again
from netctl.cli.acli.grammar import Call
from netctl.cli.acli.names import (
    HOSTS,
    ID_MAX,
    NETWORKS,
    NICS,
    VM_LABEL,
    expand_vms,
    find,
    find_nic,
    machine_of,
    nics_of,
    to_id,
)
from netctl.cli.acli.network import small
from netctl.cli.client import Client
from netctl.cli.failures import NOT_FOUND, Failure
from netctl.cli.messages import new_message
from netctl.v1 import network_pb2 as network

KINDS = {
    "kNormalNic": network.NIC_KIND_NORMAL,
    "kDirectNic": network.NIC_KIND_DIRECT,
    "kNetworkFunctionNic": network.NIC_KIND_NETWORK_FUNCTION,
    "kSpanDestinationNic": network.NIC_KIND_SPAN_DESTINATION,
}
SIDES = {
    "kIngress": network.NETWORK_FUNCTION_SIDE_INGRESS,
    "kEgress": network.NETWORK_FUNCTION_SIDE_EGRESS,
    "kTap": network.NETWORK_FUNCTION_SIDE_TAP,
}
MODELS = {"virtio": network.NIC_MODEL_VIRTIO, "e1000": network.NIC_MODEL_E1000}
_WITH_NETWORK = (network.NIC_KIND_NORMAL, network.NIC_KIND_DIRECT)
_TRUNKS = ("vlan_mode", "trunked_networks")
_NUMBERED = "-nic-9999"


def create(client: Client, call: Call) -> Answer:
    """Add a NIC to each of the virtual machines, to all or to none."""
    vms = expand_vms(client, call.get("name"))
    single = [key for key in ("mac", "ip") if key in call]
    if len(vms) > 1 and single:
        raise Failure.usage(f"vm.nic_create: {len(vms)} NICs cannot share one {single[0]}")
    if call.get("request_ip") == "false":
        hint = "leave request_ip out; a network without ip_config has NICs without an address"
        raise Failure.usage("request_ip=false: where a network has addresses, its NICs get one", hint=hint)
    subnet = _subnet_of(client, call)

    def plan() -> list[Edit]:
        return [Create(resource=_new(client, vm, subnet, call)) for vm in vms]

    return answer.made(send_again(client, plan, call))


def update(client: Client, call: Call) -> Answer:
    """Change a NIC in place, or make it anew where the API cannot change it."""
    if len(call.values) == 2:
        raise Failure.usage(f"{call.command.name}: nothing to change", hint=f"usage: {call.command.usage}")
    if any(key in call for key in _TRUNKS) and call.get("update_vlan_trunk_info") != "true":
        hint = (
            "add update_vlan_trunk_info=true (acli itself would leave the VLANs as they are, without a word)"
        )
        raise Failure.usage("vm.nic_update: vlan_mode and trunked_networks stay as they are", hint=hint)
    notes: list[str] = []

    def plan() -> list[Edit]:
        before = find_nic(client, call.get("name"), call.get("mac"))
        after = type(before)()
        after.CopyFrom(before)
        _change(client, after, call)
        notes.clear()
        if (after.subnet, after.mode) != (before.subnet, before.mode):
            notes.append("made anew: the guest's tap has another name, see tap_name")
            return [Delete(resource=before), Create(resource=_anew(before, after, call))]
        return [Update(before=before, resource=after, paths=_paths(call))]

    outcomes = send_again(client, plan, call)
    return answer.made(outcomes, notes)


def delete(client: Client, call: Call) -> Answer:
    """Remove a NIC."""
    nic = find_nic(client, call.get("name"), call.get("mac"))
    return answer.made(send(client, [Delete(resource=nic)], call))


def get(client: Client, call: Call) -> Answer:
    """Show a NIC."""
    nic = find_nic(client, call.get("name"), call.get("mac"))
    return answer.sheet({nic.mac_address: nic})


def _subnet_of(client: Client, call: Call) -> str:
    kind = KINDS[call.get("type", "kNormalNic")]
    if kind in _WITH_NETWORK and not call.get("network"):
        raise Failure.usage("vm.nic_create: network is missing", hint=f"usage: {call.command.usage}")
    return find(client, NETWORKS, call.get("network")).name if call.get("network") else ""


def _new(client: Client, vm: str, subnet: str, call: Call) -> Any:
    others, machine = nics_of(client, vm), machine_of(client, vm)
    nic = new_message(NICS, next(_free_names(client, vm)))
    if machine is None:
        nic.labels[VM_LABEL] = others[0].labels[VM_LABEL] if others else vm
        nic.host = next((other.host for other in others if other.host), "") or _only_host(client)
    else:  # whose host is the NIC's
        nic.vm = machine.name
    nic.subnet = subnet
    nic.kind = KINDS[call.get("type", "kNormalNic")]
    if "network_function_nic_type" in call:
        nic.network_function_side = SIDES[call.get("network_function_nic_type")]
    nic.mac_address = call.get("mac")
    _change(client, nic, call)
    return nic


def _free_names(client: Client, vm: str) -> Iterator[str]:
    """Yield names for NICs of a virtual machine that nobody has: `nics/foovm-nic-0`, ..."""
    base = to_id(vm, prefix="vm", room=ID_MAX - len(_NUMBERED))
    number = 0
    while True:
        name = f"{NICS.collection}/{base}-nic-{number}"
        try:
            api.get(client, name)
        except Failure as failure:
            if failure.exit_status != NOT_FOUND:
                raise
            yield name
        number += 1


def _only_host(client: Client) -> str:
    """Return the host that there is, or "" when there is a choice: the NIC then floats."""
    hosts = list(api.list_all(client, HOSTS))
    return str(hosts[0].name) if len(hosts) == 1 else ""


def _change(client: Client, nic: Any, call: Call) -> None:
    """Set what a line says; what it does not say stays."""
    if call.get("network"):
        nic.subnet = find(client, NETWORKS, call.get("network")).name
    if "host" in call:
        nic.host = find(client, HOSTS, call.get("host")).name if call.get("host") else ""
    for address in call.list("ip"):
        setattr(nic, "ipv6_address" if ":" in address else "ipv4_address", address)
    if "connected" in call:
        nic.connected = call.get("connected") == "true"
    if "model" in call:
        nic.model = MODELS[call.get("model")]
    if "queues" in call:
        nic.queues = small("queues", call.get("queues"))
    if any(key in call for key in _TRUNKS):
        _set_trunk(client, nic, call)


def _set_trunk(client: Client, nic: Any, call: Call) -> None:
    """Set mode and tags: tags alone mean a trunk; a trunk without tags may use all of them.

    acli's list names the network's own VLAN too. That one is untagged in the guest, so it is none of our tags; a list
    of it alone is access, as an empty one would be every tag.
    """
    access = call.get("vlan_mode") == "kAccess"
    if access and call.get("trunked_networks"):
        raise Failure.usage("vlan_mode=kAccess has no trunked_networks", hint="say vlan_mode=kTrunked")
    nic.mode = network.NIC_MODE_ACCESS if access else network.NIC_MODE_TRUNK
    if access or "trunked_networks" in call:
        known = {vlan.vlan_id: vlan for vlan in nic.trunk_vlans}
        said = [small("trunked_networks", text) for text in call.list("trunked_networks")]
        own = api.get(client, nic.subnet).vlan_id if nic.subnet else 0
        vlans = [vlan_id for vlan_id in said if vlan_id != own]
        if said and not vlans:
            nic.mode = network.NIC_MODE_ACCESS
        kept = [known.get(vlan_id, network.TrunkVlan(vlan_id=vlan_id)) for vlan_id in vlans]
        del nic.trunk_vlans[:]
        nic.trunk_vlans.extend(kept)


def _anew(before: Any, after: Any, call: Call) -> Any:
    """Return the NIC to be made in place of another; addresses of another network are not taken along."""
    nic = type(after)()
    nic.CopyFrom(after)
    if after.subnet != before.subnet:
        nic.ipv4_address = next((it for it in call.list("ip") if ":" not in it), "")
        nic.ipv6_address = next((it for it in call.list("ip") if ":" in it), "")
        for vlan in nic.trunk_vlans:
            vlan.subnet = vlan.ipv4_address = vlan.ipv6_address = ""
    for field in ("uid", "revision", "create_time", "update_time", "status", "tap_name"):
        nic.ClearField(field)
    if nic.vm:
        nic.ClearField("host")
    return nic


def _paths(call: Call) -> list[str]:
    paths = {
        "host": ["host"],
        "ip": [f"ipv{6 if ':' in it else 4}_address" for it in call.list("ip")],
        "connected": ["connected"],
        "model": ["model"],
        "queues": ["queues"],
        "trunked_networks": ["trunk_vlans"],
        "vlan_mode": ["mode"],
        "network": ["subnet"],
    }
    return list(dict.fromkeys(path for key, fields in paths.items() if key in call for path in fields))
