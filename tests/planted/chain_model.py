"""Bugs of the model of the host's network: VLAN basic, chains, mirrors, bonds."""

from __future__ import annotations

from tests.planted.bug import Bug

_UNIT = "tests/unit/model"

BUGS = (
    Bug(
        "an overlay is chained by an OVN that cannot",
        "netctl/model/chaining.py",
        "        if use.needs and not context.network_functions:\n",
        "        if use.needs and context.network_functions is None:\n",
        f"{_UNIT}/test_admit_chain.py",
    ),
    Bug(
        "a function of OVN's comes into a chain of two",
        "netctl/model/chaining.py",
        "        if len(chain.functions) > 1:\n",
        "        if len(chain.functions) > 2:\n",
        f"{_UNIT}/test_admit_chain.py",
    ),
    Bug(
        "a function gets one VLAN id of two virtual switches",
        "netctl/model/chaining.py",
        "seen.setdefault((cluster, subnet.vlan_id), (switch.id, subnet))",
        "seen.setdefault((switch.id, subnet.vlan_id), (switch.id, subnet))",
        f"{_UNIT}/test_admit_chain.py",
    ),
    Bug(
        "one NIC of a function's pair moves alone",
        "netctl/model/chaining.py",
        '                check_places(function, draft, "host")\n',
        "                pass\n",
        f"{_UNIT}/test_admit_function.py",
    ),
    Bug(
        "a basic NIC becomes one of OVN by any change of it",
        "netctl/model/admit_nic.py",
        "basic=before.basic if before is not None else _starts_basic(asked, subnet),",
        "basic=_starts_basic(asked, subnet),",
        f"{_UNIT}/test_admit_basic.py",
    ),
    Bug(
        "a subnet with a chain migrates",
        "netctl/model/admit_subnet.py",
        "before.kind is not asked.kind and (before.service_chain or asked.service_chain)",
        "before.kind is not asked.kind and (before.service_chain and asked.service_chain)",
        f"{_UNIT}/test_admit_basic.py",
    ),
    Bug(
        "tags that OVN translates go where nobody does",
        "netctl/model/stacks.py",
        "(nic.basic or to_basic) and _translates(nic, draft)",
        "nic.basic and _translates(nic, draft)",
        f"{_UNIT}/test_admit_basic.py",
    ),
    Bug(
        "two mirrors copy to one destination",
        "netctl/model/relations.py",
        "    found += ((Relation.MIRRORS_OF_NIC, id) for id in mirror.destinations)\n",
        "",
        f"{_UNIT}/test_admit_mirror.py",
    ),
    Bug(
        "hosts with two interfaces lose their bond",
        "netctl/model/admit_infra.py",
        "asked.bond_mode is BondMode.NONE and before.bond_mode is not BondMode.NONE",
        "asked.bond_mode is BondMode.NONE and before.bond_mode is BondMode.NONE",
        f"{_UNIT}/test_admit_bond.py",
    ),
    Bug(
        "LACP with any bond mode",
        "netctl/model/infra.py",
        "        if not tcp and self.lacp_mode is LacpMode.ACTIVE:\n",
        "        if not tcp and self.lacp_mode is LacpMode.AUTO:\n",
        f"{_UNIT}/test_host_shape.py",
    ),
    Bug(
        "a virtual switch carries less than its hosts' own interfaces",
        "netctl/model/mtu.py",
        "port.virtual_switch == switch.id and port.mtu_bytes > switch.mtu_bytes",
        "port.virtual_switch == switch.id and port.mtu_bytes < switch.mtu_bytes",
        f"{_UNIT}/test_admit_bond.py",
    ),
)
