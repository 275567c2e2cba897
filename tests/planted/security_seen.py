"""Bugs of what is seen of security policies: hits by rule, the log in names, syslog, learned addresses."""

from __future__ import annotations

from tests.planted.bug import Bug

HITS = "tests/functional/server/test_security_hits.py"
LOG = "tests/functional/server/test_policy_log.py"
LEARNED = "tests/unit/reconciler/test_learned.py"

BUGS = (
    Bug(
        "hits of ACLs that only begin alike are taken for each other's",
        "netctl/server/hits_flows.py",
        "    return match in flow.match\n",
        "    return True\n",
        HITS,
    ),
    Bug(
        "packets of open connections are not counted",
        "netctl/server/hits_flows.py",
        "            if _is_of(flow, acls[uuid].match):\n",
        '            if _is_of(flow, acls[uuid].match) and "reg0[8]" not in flow.match:\n',
        f"{HITS} tests/functional/northd/test_acl_flows.py",
    ),
    Bug(
        "a stateless rule counts each packet twice",
        "netctl/ovsdb/southbound.py",
        'ACL_STAGES = ("ls_in_acl", "ls_out_acl", ',
        'ACL_STAGES = ("ls_in_acl", "ls_out_acl", "ls_in_pre_acl", "ls_out_pre_acl", ',
        "tests/functional/northd/test_acl_flows.py",
    ),
    Bug(
        "what MONITOR looks at is not counted for who allows it",
        "netctl/analysis/acls.py",
        "    for clause in (acl.clause, acl.front):\n",
        "    for clause in (acl.front or acl.clause,):\n",
        HITS,
    ),
    Bug(
        "a would-drop counts and is logged as a drop",
        "netctl/analysis/acls.py",
        "        would_drop=acl.would_drop_of is not None,\n",
        "        would_drop=False,\n",
        LOG,
    ),
    Bug(
        "asking for one policy ends the skipping of another's old counts",
        "netctl/analysis/hits.py",
        "        for policy in silent.difference(partly):\n",
        "        for policy in silent:\n",
        f"tests/unit/analysis/test_hits.py {HITS}",
    ),
    Bug(
        "hits of netctl before security policies are lost",
        "netctl/server/hits_file.py",
        "        rules = tally.rules if tally.hosts is msgspec.UNSET else [_Rule(hosts=tally.hosts)]\n",
        "        rules = tally.rules\n",
        HITS,
    ),
    Bug(
        "a log line behind a router has no NIC",
        "netctl/analysis/log_names.py",
        "            self._found[realm, address] = self._by_address(realm, address)\n",
        "            self._found[realm, address] = _NOBODY\n",
        LOG,
    ),
    Bug(
        "a slow reader of the log is not told what it missed",
        "netctl/server/policy_log.py",
        "        return entries, missed\n",
        "        return entries, 0\n",
        LOG,
    ),
    Bug(
        "text of a host goes into the log as it is",
        "netctl/server/convert_policy_log.py",
        '    return text if pattern.fullmatch(text) else ""\n',
        "    return text\n",
        LOG,
    ),
    Bug(
        "values are not escaped for syslog",
        "netctl/server/syslog.py",
        """    return text.replace("\\\\", "\\\\\\\\").replace('"', '\\\\"').replace("]", "\\\\]")\n""",
        "    return text\n",
        "tests/functional/server/test_syslog.py",
    ),
    Bug(
        "a line that syslog did not take is gone",
        "netctl/server/syslog.py",
        "                    self._queue.appendleft(entry)\n",
        "",
        "tests/functional/server/test_syslog.py",
    ),
    Bug(
        "a guest learns the gateway's address as its own",
        "netctl/model/learnable.py",
        "    return owner is None or (claim[0][0] == Space.MAC and owner == (Kind.NIC, nic))\n",
        "    return True\n",
        LEARNED,
    ),
    Bug(
        "the last NIC that reports an address gets it",
        "netctl/reconciler/learned.py",
        "            if holding not in self._held:\n",
        "            if True:\n",
        LEARNED,
    ),
    Bug(
        "an agent that restarts takes its guests out of their groups",
        "netctl/reconciler/learned.py",
        "            return _Word.SILENT\n",
        "            return None\n",
        LEARNED,
    ),
    Bug(
        "a restarted controller forgets what was learned",
        "netctl/reconciler/recall.py",
        "                if address not in port.given:\n",
        "                if False:\n",
        LEARNED,
    ),
    Bug(
        "every report of a learned address is a pass",
        "netctl/reconciler/learned.py",
        "            self._pending = wait_s > 0\n",
        "            wait_s = 0.0\n",
        LEARNED,
    ),
)
