"""Bugs of what hosts are told beside OVN: uplinks and turns, NICs of every kind, migration, status."""

from __future__ import annotations

from tests.planted.bug import Bug

BUGS = (
    Bug(
        "settings of a bridge are named without its MTU",
        "netctl/compiler/assignment_uplinks.py",
        '_NO_SETTINGS = frozenset({"settings_id", "held"})',
        '_NO_SETTINGS = frozenset({"settings_id", "held", "mtu_bytes"})',
        "tests/unit/compiler/test_assignment_uplinks.py",
    ),
    Bug(
        "LACP's default is off with balance-tcp as well",
        "netctl/compiler/assignment_uplinks.py",
        "(LacpMode.ACTIVE if switch.bond_mode is BondMode.BALANCE_TCP else LacpMode.OFF).value",
        "LacpMode.OFF.value",
        "tests/unit/compiler/test_assignment_uplinks.py",
    ),
    Bug(
        "what an uplink gets from the wire is mirrored as what goes out",
        "netctl/compiler/assignment_mirrors.py",
        "wanted = direction if source.nic else _turned(direction)",
        "wanted = direction",
        "tests/unit/compiler/test_assignment_kinds.py",
    ),
    Bug(
        "the host answers DHCP on a direct NIC",
        "netctl/compiler/assignment_nics.py",
        " if subnet is not None and nic.kind is NicKind.NORMAL else None,",
        " if subnet is not None else None,",
        "tests/unit/compiler/test_assignment_kinds.py",
    ),
    Bug(
        "a subnet leaves OVN while a NIC of it has a port",
        "netctl/compiler/membership.py",
        "return any(nic.has_port for nic in chain.from_iterable(nics))",
        "return False",
        "tests/unit/compiler/test_basic.py",
    ),
    Bug(
        "the first port of a basic subnet does not bring its switch",
        "netctl/compiler/dependents.py",
        "            if nic.has_port:\n                yield from _kept_by(snapshot, nic)\n",
        "",
        "tests/unit/compiler/test_basic.py",
    ),
    Bug(
        "a NIC moves to brAtlas before northd has its port",
        "netctl/reconciler/assignments.py",
        "        now.waiting[nic.id] = nic.meta.revision\n        return old\n",
        "        return one\n",
        "tests/unit/reconciler/test_assignments.py",
    ),
    Bug(
        "a chain on a VLAN of a trunk is not told to its host",
        "netctl/reconciler/concerns.py",
        "return nic.subnet == subnet or any(vlan.subnet == subnet for vlan in nic.trunk_vlans)",
        "return nic.subnet == subnet",
        "tests/unit/reconciler/test_assignments.py",
    ),
    Bug(
        "the next host has its turn though the one before has no carrier",
        "netctl/reconciler/rollout.py",
        "return self.done and self.connected and self.is_up and not self.problems",
        "return self.done and self.connected and not self.problems",
        "tests/unit/reconciler/test_rollout.py",
    ),
    Bug(
        "a rolled-back host stops nobody",
        "netctl/reconciler/rollout.py",
        "    if rolling and not rolled_back:\n",
        "    if rolling:\n",
        "tests/unit/reconciler/test_rollout.py",
    ),
    Bug(
        "an edit in the middle of a turn gives it to another host",
        "netctl/reconciler/rollout.py",
        "        if last.connected and not last.done:\n            return last, ()",
        "        if last.connected and last.wanted == given.settings_id:\n            return last, ()",
        "tests/unit/reconciler/test_rollout.py",
    ),
    Bug(
        "a controller that starts anew gives a turn in the middle of a trial",
        "netctl/reconciler/rollouts.py",
        "until_s = self._started_s + TRIAL_OVER_S if silent else -math.inf",
        "until_s = -math.inf",
        "tests/unit/reconciler/test_rollout.py",
    ),
    Bug(
        "a NIC that does not come up stays where it is",
        "netctl/reconciler/migration.py",
        "            self._submit(snapshot, nic, basic=not move.basic)\n",
        "",
        "tests/unit/reconciler/test_migration.py",
    ),
    Bug(
        "a subnet that rests goes on without an edit",
        "netctl/reconciler/migration.py",
        "if subnet is None or subnet.meta.revision != failure.revision:",
        "if True:",
        "tests/unit/reconciler/test_migration.py",
    ),
    Bug(
        "a basic NIC is PROGRAMMED before its host was told",
        "netctl/reconciler/status_nic.py",
        "(not nic.has_port and heard.report.assignment_revision < told)",
        "False",
        "tests/unit/reconciler/test_status_hosts.py",
    ),
    Bug(
        "a chained host without a pair of the function is no failure",
        "netctl/reconciler/status_chain.py",
        "without = sorted(hosts - here)",
        "without: list[HostId] = []",
        "tests/unit/reconciler/test_status_hosts.py",
    ),
)
