"""What a host's switch does now, asked of the host while one waits: bonds with LACP, MAC tables."""

from __future__ import annotations

from collections.abc import Iterator

from netctl.cli.client import Client
from netctl.cli.messages import render_json
from netctl.cli.output import note, print_data, print_table
from netctl.v1 import agent_pb2, infra_pb2

_BONDS = (
    *("BRIDGE", "BOND", "MODE", "LACP", "PARTNER", "INTERFACE", "STATE", "LINK", "MEMBER-LACP", "ACTOR"),
    *("PARTNER-STATE", "BYTES"),
)
_MACS = ("BRIDGE", "PORT", "VLAN", "MAC", "AGE")


def print_bonds(client: Client, name: str, bridge: str, output: str) -> None:
    """Print the bonds of a host as they are now."""
    seen = _inspect(client, name, agent_pb2.INSPECTED_BONDS, bridge)
    if output in ("json", "yaml"):
        print_data([render_json(bond, zeros=True) for bond in seen.bonds], output)
    elif output == "name":
        for bond in seen.bonds:
            print(bond.bond)
    else:
        print_table(_BONDS, [row for bond in seen.bonds for row in _rows(bond)])


def print_macs(client: Client, name: str, bridge: str, output: str) -> None:
    """Print whom a host's bridges learned where."""
    seen = _inspect(client, name, agent_pb2.INSPECTED_MAC_TABLE, bridge)
    if output in ("json", "yaml"):
        print_data([render_json(entry, zeros=True) for entry in seen.mac_entries], output)
    elif output == "name":
        for entry in seen.mac_entries:
            print(entry.mac_address)
    else:
        rows = (
            [entry.bridge, entry.port, str(entry.vlan_id or ""), entry.mac_address, f"{entry.age_s}s"]
            for entry in seen.mac_entries
        )
        print_table(_MACS, rows)


def _inspect(
    client: Client, name: str, inspected: agent_pb2.Inspected.ValueType, bridge: str
) -> agent_pb2.Inspection:
    request = infra_pb2.InspectHostRequest(name=name, inspected=inspected, bridge=bridge)
    seen = client.call("HostService/InspectHost", request, infra_pb2.InspectHostResponse).inspection
    if seen.problem:
        note(f"note: this is not whole: {seen.problem}")
    return seen


def _rows(bond: agent_pb2.BondState) -> Iterator[list[str]]:
    lacp = f"{bond.lacp_status}, fallen back" if bond.fallback else bond.lacp_status
    first = [bond.bridge, bond.bond, bond.bond_mode or "none", lacp, bond.partner_system_id]
    for member in bond.members:
        active = member.interface == bond.active_interface
        state = "active" if active else "enabled" if member.enabled else "disabled"
        carrier = "up" if member.carrier else "down"
        yield [
            *(*first, member.interface, state, carrier, member.lacp_status),
            *(member.actor_state, member.partner_state, str(member.bytes or "")),
        ]
