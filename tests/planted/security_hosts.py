"""Bugs of what hosts do for security: the guard on taps, learned addresses, what ACLs log."""

from __future__ import annotations

from tests.planted.bug import Bug

_GUARD = "agents/netctl_host/guard_program.py"
_GUARD_TESTS = "tests/functional/host/test_guard_program.py"
_LEARNED_TESTS = "tests/unit/host/test_learned.py"
_LOG_TESTS = "tests/unit/host/test_acl_log.py"

BUGS = (
    Bug(
        "guard: a router advertisement behind a tag passes",
        _GUARD,
        '            program.jump_if(_NEXT, "==", Imm(kind), f"tag {number}")',
        '            program.jump_if(_NEXT, "==", Imm(kind), "pass")',
        _GUARD_TESTS,
    ),
    Bug(
        "guard: a router advertisement in a first fragment passes",
        _GUARD,
        '        program.jump_if(R0, ">", Imm(_FLAGS), "pass")',
        '        program.jump_if(R0, ">=", Imm(0), "pass")',
        _GUARD_TESTS,
    ),
    Bug(
        "guard: half of the MAC address of an option is compared",
        _GUARD,
        '        program.jump_if(R2, "!=", _SOURCE_LOW, "drop")\n',
        "",
        _GUARD_TESTS,
    ),
    Bug(
        "guard: only the first option is looked at",
        _GUARD,
        "    for number in range(OPTIONS_MAX):\n        program.jump_if(_LEFT",
        "    for number in range(1):\n        program.jump_if(_LEFT",
        _GUARD_TESTS,
    ),
    Bug(
        "guard: a foreign program is replaced",
        "agents/netctl_host/plan.py",
        "        elif link.xdp in (Xdp.NONE, Xdp.OLD_GUARD) and not state.guard_problem:",
        "        elif link.xdp is not Xdp.GUARD and not state.guard_problem:",
        "tests/unit/host/test_guard.py",
    ),
    Bug(
        "guard: said to stand before it does",
        "agents/netctl_host/report.py",
        "state.links[nic.tap_name].xdp is Xdp.GUARD,",
        "state.links[nic.tap_name].xdp is not Xdp.NONE,",
        "tests/unit/host/test_guard.py",
    ),
    Bug(
        "guard: put on after the tap is plugged",
        "agents/netctl_host/host.py",
        "            *_collect_problems(self._links.apply, guards),\n"
        "            *_collect_problems(self._switch.apply, [on_switch] if on_switch else []),\n",
        "            *_collect_problems(self._switch.apply, [on_switch] if on_switch else []),\n"
        "            *_collect_problems(self._links.apply, guards),\n",
        "tests/functional/host/test_guard.py",
    ),
    Bug(
        "learning: an address that is only tried counts",
        "agents/netctl_host/learn_frames.py",
        "    return [source] if kind == _NS else []",
        "    return [source, target] if kind == _NS else []",
        _LEARNED_TESTS,
    ),
    Bug(
        "learning: an address that others were given counts",
        "agents/netctl_host/learn_frames.py",
        '        and int.from_bytes(message[4:8], "big") in requests\n',
        "",
        _LEARNED_TESTS,
    ),
    Bug(
        "learning: a silent address stays for ever",
        "agents/netctl_host/learned.py",
        "        oldest = self._clock() - SILENCE_S",
        "        oldest = 0.0",
        _LEARNED_TESTS,
    ),
    Bug(
        "learning: a guest that only talks is forgotten",
        "agents/netctl_host/learn.py",
        "        for tap, opened in self._sockets.items():\n            silent =",
        "        for tap, opened in ():\n            silent =",
        "tests/functional/host/test_learn.py",
    ),
    Bug(
        "learning: a tag of no VLAN of the NIC counts",
        "agents/netctl_host/learn.py",
        "        if found.vlan_id and found.vlan_id not in tap.vlan_ids:",
        "        if found.vlan_id > 4095:",
        "tests/functional/host/test_learn.py",
    ),
    Bug(
        "learning: a tap that comes again is not heard",
        "agents/netctl_host/learned.py",
        "            index=state.links[nic.tap_name].index if",
        "            index=1 if",
        "tests/functional/host/test_learn.py",
    ),
    Bug(
        "ACL logs: what was written before the start is told",
        "agents/netctl_host/acl_log_file.py",
        "            if self._file is not None and self._is_first:",
        "            if self._file is None and self._is_first:",
        _LOG_TESTS,
    ),
    Bug(
        "ACL logs: the last lines of a rotated file are lost",
        "agents/netctl_host/acl_log_file.py",
        "        is_new = not _is_same(following, file) and os.fstat(following.fileno()).st_size > 0",
        "        is_new = not _is_same(following, file)",
        _LOG_TESTS,
    ),
    Bug(
        "ACL logs: too many lines are told",
        "agents/netctl_host/acl_log_file.py",
        "            self._lines += 1\n",
        "",
        _LOG_TESTS,
    ),
    Bug(
        "counters: datapath 0 is one of that number",
        "agents/netctl_host/flow_counts.py",
        '_OXM_METADATA.pack(_METADATA, key.datapath) if key.datapath else b""',
        "_OXM_METADATA.pack(_METADATA, key.datapath)",
        "tests/functional/host/test_flow_counts.py",
    ),
)
