"""Subnet to Logical_Switch and localnet ports; and, by others, DHCP_Options and what it needs of its VPC's router."""

from __future__ import annotations

from collections.abc import Iterator

from netctl.compiler.dhcp import compile_dhcp, compile_dhcp_acls
from netctl.compiler.identity import external_ids, localnet_name, localnet_uuid, switch_uuid
from netctl.compiler.membership import has_switch, realm_of
from netctl.compiler.native_chain_acls import compile_chain_of_subnet
from netctl.compiler.observed import Observed
from netctl.compiler.realms import is_secured
from netctl.compiler.router_port import compile_router_port
from netctl.compiler.steering_attached import nf_physnet, passes_chains
from netctl.model.intent import key_of
from netctl.model.keys import VirtualSwitchId
from netctl.model.snapshot import Snapshot
from netctl.model.subnet import Subnet
from netctl.nb.rows import Fact, Member, Row


def compile_subnet(snapshot: Snapshot, subnet: Subnet, owner: str, observed: Observed) -> Iterator[Fact]:
    """Yield the rows of one subnet; one that is beside OVN has none."""
    if not has_switch(snapshot, subnet):
        return
    marks = external_ids(owner, key_of(subnet))
    # requested-tnl-key (ovn-nb(5), Logical_Switch): the VNI is ours to choose, so that it never moves under guests.
    config = {"requested-tnl-key": str(subnet.vni)}
    if _passes_tags(snapshot, subnet):
        config["vlan-passthru"] = "true"
    yield Row(
        "Logical_Switch",
        switch_uuid(subnet.meta.uid),
        {"name": subnet.id, "other_config": config, "external_ids": marks},
    )
    chained = passes_chains(snapshot, subnet, observed)
    for virtual_switch in subnet.virtual_switches:
        yield from _localnet(snapshot, subnet, virtual_switch, marks, chained=chained)
    if subnet.service_chain:
        yield from compile_chain_of_subnet(snapshot, subnet, marks, observed)
    vpc = snapshot.vpc(subnet.vpc) if subnet.vpc else None
    yield from compile_dhcp(subnet, vpc, marks, observed)
    if is_secured(snapshot, realm_of(subnet)):
        yield from compile_dhcp_acls(subnet, marks, observed)
    if vpc is not None:
        yield from compile_router_port(snapshot, subnet, vpc, marks, observed)


def _passes_tags(snapshot: Snapshot, subnet: Subnet) -> bool:
    """Has the subnet a NIC whose guest may use any VLAN tag? Admission lets such a NIC on untagged subnets only."""
    if subnet.vlan_id or not subnet.has_vlan:
        return False
    return any(nic.trunks_all and nic.has_port for nic in snapshot.nics_of_subnet(subnet.id))


def _localnet(
    snapshot: Snapshot,
    subnet: Subnet,
    switch: VirtualSwitchId,
    marks: dict[str, str],
    *,
    chained: bool = False,
) -> Iterator[Fact]:
    virtual_switch = snapshot.virtual_switch(switch)
    if virtual_switch is None:  # admission refuses this; a store edited by hand must not stop the others
        return
    port = localnet_uuid(subnet.meta.uid, switch, chained=chained)
    yield Row(
        "Logical_Switch_Port",
        port,
        {
            "name": localnet_name(subnet.meta.uid, switch, chained=chained),
            "type": "localnet",
            "addresses": frozenset({"unknown"}),
            "tag": frozenset({subnet.vlan_id}) if subnet.vlan_id else frozenset(),
            "options": {"network_name": nf_physnet(virtual_switch) if chained else virtual_switch.physnet},
            "external_ids": marks,
        },
    )
    yield Member("Logical_Switch", switch_uuid(subnet.meta.uid), "ports", port)
