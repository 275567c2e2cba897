"""acli's `vm.list`, `vm.get` and `vm.nic_list`: what NICs tell of virtual machines."""

from __future__ import annotations

from typing import Any

from netctl.cli.acli import answer
from netctl.cli.acli.answer import Answer
from netctl.cli.acli.grammar import Call
from netctl.cli.acli.names import (
    NETWORKS,
    VMS,
    display_of,
    expand_vms,
    machine_of,
    nics_of,
    nics_of_vms,
    not_found,
    to_id,
    vm_of,
)
from netctl.cli.api import list_all
from netctl.cli.client import Client
from netctl.cli.kinds import nearest
from netctl.cli.messages import render_json
from netctl.cli.tables import id_of, phase_of
from netctl.cli.tables_compute import cpus, runs, size, word
from netctl.v1 import network_pb2 as network

_NIC_HEADERS = {
    "mac_addr": "MAC",
    "network_name": "NETWORK",
    "ip": "IP",
    "vlan_mode": "VLAN-MODE",
    "trunked_networks": "TRUNKED",
    "type": "TYPE",
    "connected": "CONNECTED",
    "host": "HOST",
    "nic": "NIC",
    "phase": "PHASE",
}


def list_(client: Client, call: Call) -> Answer:
    """List virtual machines, and those that only NICs tell of."""
    machines = {display_of(vm): vm for vm in list_all(client, VMS)}
    rows = [
        {
            "name": vm,
            **_machine(machines.get(vm)),
            "nics": len(nics),
            "host": [id_of(machines[vm].host)] if vm in machines and machines[vm].host else _hosts(nics),
            "ip": [ip for nic in nics for ip in _addresses(nic)],
        }
        for vm, nics in nics_of_vms(client).items()
    ]
    headers = {"name": "VM", "power": "POWER", "runs": "RUNS", "vcpus": "VCPUS", "memory": "MEMORY"}
    return answer.table({**headers, "nics": "NICS", "host": "HOST", "ip": "IP"}, rows)


def _machine(vm: Any) -> dict[str, Any]:
    """Return what a row says of a machine itself; nothing where only NICs tell of it."""
    if vm is None:
        return {}
    return {
        "uuid": vm.uid,
        "power": f"k{word(vm, 'power_state').capitalize()}",
        "runs": runs(vm),
        "vcpus": cpus(vm),
        "memory": size(vm.memory_mib << 20),
    }


def get(client: Client, call: Call) -> Answer:
    """Show virtual machines and their NICs."""
    lines: list[str] = []
    data: dict[str, Any] = {}
    names = _network_names(client)
    for vm in expand_vms(client, call.get("name")):
        nics, machine = nics_of(client, vm), machine_of(client, vm)
        if machine is not None:
            shown, config = _shown(machine, [_row(nic, names) for nic in nics])
            lines += shown
            data[display_of(machine)] = config
            continue
        if not nics:
            known = [name for vm_ in nics_of_vms(client) for name in (vm_, to_id(vm_, prefix="vm"))]
            hint = nearest(vm, known) or "`vm.list` lists them"
            raise not_found(f"there is no virtual machine {vm!r}", hint)
        vm = vm_of(nics[0])
        rows = [_row(nic, names) for nic in nics]
        one = answer.table(_NIC_HEADERS, rows)
        lines += [vm, f"  id: {to_id(vm, prefix='vm')}", f"  host: {','.join(_hosts(nics)) or '-'}"]
        lines += [f"  {line}" for line in one.lines]
        config = {"name": vm, "nic_list": rows, "resources": [render_json(nic) for nic in nics]}
        data[vm] = {"config": config, "host_name": ",".join(_hosts(nics))}
    return Answer(lines=lines, data=data)


def _shown(machine: Any, rows: list[dict[str, Any]]) -> tuple[list[str], dict[str, Any]]:
    """Return a machine with its NICs: lines, and data."""
    name = display_of(machine)
    one, nics = answer.sheet({name: machine}), answer.table(_NIC_HEADERS, rows)
    config = {"name": name, "nic_list": rows, "resources": [render_json(machine)]}
    shown = [*one.lines, *(f"  {line}" for line in nics.lines if rows)]
    return shown, {"config": config, "host_name": id_of(machine.host)}


def list_nics(client: Client, call: Call) -> Answer:
    """List the NICs of virtual machines; one that has none yet has an empty list, as long as nobody knows it."""
    names = _network_names(client)
    vms = {vm: nics_of(client, vm) for vm in expand_vms(client, call.get("name"))}
    rows = [{**_row(nic, names), "vm_name": vm} for vm, nics in vms.items() for nic in nics]
    headers = _NIC_HEADERS if len(vms) == 1 else {**_NIC_HEADERS, "vm_name": "VM"}
    shown = answer.table(headers, rows)
    empty = [f"no NIC is of a virtual machine {vm!r}" for vm, nics in vms.items() if not nics]
    return Answer(lines=shown.lines, data=shown.data, notes=empty)


def _network_names(client: Client) -> dict[str, str]:
    return {subnet.name: display_of(subnet) for subnet in list_all(client, NETWORKS)}


def _row(nic: Any, names: dict[str, str]) -> dict[str, Any]:
    kind = network.NicKind.Name(nic.kind or network.NIC_KIND_NORMAL).removeprefix("NIC_KIND_")
    trunk = nic.mode == network.NIC_MODE_TRUNK
    tags = [vlan.vlan_id for vlan in nic.trunk_vlans]
    return {
        "mac_addr": nic.mac_address,
        "network_name": names.get(nic.subnet, id_of(nic.subnet)),
        "ip": _addresses(nic),
        "vlan_mode": "kTrunked" if trunk else "kAccess",
        "trunked_networks": (tags or ["all"]) if trunk else [],
        "type": "k" + "".join(word.capitalize() for word in kind.split("_")) + "Nic",
        "connected": "true" if not nic.HasField("connected") or nic.connected else "false",
        "host": id_of(nic.host),
        "nic": id_of(nic.name),
        "phase": phase_of(nic),
    }


def _addresses(nic: Any) -> list[str]:
    return [address for address in (nic.ipv4_address, nic.ipv6_address) if address]


def _hosts(nics: list[Any]) -> list[str]:
    return sorted({id_of(nic.host) for nic in nics if nic.host})
