"""Bugs of admission: addresses, relations between intents, batches, repeated requests."""

from __future__ import annotations

from tests.planted.bug import Bug

ADDRESSES = (
    Bug(
        "requests judged together do not see each other",
        "netctl/server/group.py",
        "        mark = self._draft.mark()\n",
        "        self._draft = self._base.draft()\n        mark = self._draft.mark()\n",
        "tests/functional/server/test_races.py",
    ),
    Bug(
        "a pool is exhausted one too early",
        "netctl/model/ipam.py",
        "return number + skip if number + skip <= high else None",
        "return number + skip if number + skip < high else None",
        "tests/unit/model/test_admit_nic.py",
    ),
    Bug(
        "the broadcast address is handed out",
        "netctl/model/ipam.py",
        "usable = (low + 1, high - 1 if config.version == 4 else high)",
        "usable = (low + 1, high)",
        "tests/unit/model/test_admit_nic.py",
    ),
    Bug(
        "the gateway is handed out",
        "netctl/model/indexes.py",
        "found.append(((Space.IPV4, subnet.id), address_number(4, subnet.ipv4.gateway)))",
        "pass",
        "tests/unit/model/test_admit_nic.py",
    ),
    Bug(
        "the IPv6 gateway is handed out",
        "netctl/model/indexes.py",
        "found.append(((Space.IPV6, subnet.id), address_number(6, subnet.ipv6.gateway)))",
        "pass",
        "tests/unit/model/test_admit_nic.py",
    ),
    Bug(
        "an exclusion ends one too early",
        "netctl/model/ipam.py",
        "            low = out_high + 1\n",
        "            low = out_high\n",
        "tests/unit/model/test_admit_nic.py",
    ),
    Bug(
        "a freed address is given to the next",
        "netctl/model/ipam.py",
        "draft.set_cursor(scope, found + 1)",
        "draft.set_cursor(scope, 0)",
        "tests/unit/model/test_admit_nic.py",
    ),
    Bug(
        "an address leaks when its NIC goes",
        "netctl/model/snapshot.py",
        "&= ~(1 << (value & _BLOCK_MASK))",
        "&= ~0",
        "tests/unit/model/test_snapshot.py tests/unit/model/test_admit_nic.py",
    ),
    Bug(
        "a changed NIC loses the addresses that it keeps",
        "netctl/model/snapshot.py",
        "[claim for claim in claimed if claim not in claims]",
        "claimed",
        "tests/unit/model/test_snapshot.py",
    ),
    Bug(
        "a rollback forgets a claim",
        "netctl/model/snapshot.py",
        "                self._put(cast(Key, name), before)",
        "                self._put(name, before) if before else self._tables[name[0]].pop(name[1])",
        "tests/unit/model/test_admit.py tests/unit/model/test_snapshot.py",
    ),
)

RELATIONS = (
    Bug(
        "a VLAN id may be used twice",
        "netctl/model/indexes.py",
        "found.append(((Space.VLAN, subnet.virtual_switch), subnet.vlan_id))",
        "found.append(((Space.VLAN, subnet.id), subnet.vlan_id))",
        "tests/unit/model/test_admit_subnet.py",
    ),
    Bug(
        "two virtual switches share VLAN ids",
        "netctl/model/indexes.py",
        "found.append(((Space.VLAN, subnet.virtual_switch), subnet.vlan_id))",
        "found.append(((Space.VLAN, subnet.cluster), subnet.vlan_id))",
        "tests/unit/model/test_admit_subnet.py",
    ),
    Bug(
        "a network around another of its VPC is accepted",
        "netctl/model/admit_subnet.py",
        'found = spans.floor((high, high, "~"))',
        'found = spans.floor((low, low, "~"))',
        "tests/unit/model/test_admit_subnet.py",
    ),
    Bug(
        "a cluster with overlay subnets can be deleted",
        "netctl/model/admit.py",
        "        (Relation.OVERLAYS_OF_CLUSTER, Kind.SUBNET),\n",
        "",
        "tests/unit/model/test_admit.py",
    ),
    Bug(
        "a virtual switch with uplinks can be deleted",
        "netctl/model/admit.py",
        "        (Relation.HOSTS_OF_VIRTUAL_SWITCH, Kind.HOST),\n",
        "",
        "tests/unit/model/test_admit.py",
    ),
    Bug(
        "a gateway moves onto a NIC's address",
        "netctl/model/admit_subnet.py",
        '    reserved = [(f"{family}.gateway", "the gateway", new.gateway)]',
        '    reserved = [(f"{family}.gateway", "the gateway", "")]',
        "tests/unit/model/test_admit_subnet.py",
    ),
    Bug(
        "a larger underlay leaves MTUs small",
        "netctl/model/mtu.py",
        "return before.underlay_mtu_bytes != after.underlay_mtu_bytes",
        "return before.underlay_mtu_bytes > after.underlay_mtu_bytes",
        "tests/unit/model/test_admit_subnet.py tests/unit/model/test_admit_infra.py",
    ),
    Bug(
        "if_revision refuses only what is yet to come",
        "netctl/model/admit.py",
        "if if_revision and if_revision != before.meta.revision:",
        "if if_revision > before.meta.revision:",
        "tests/unit/model/test_admit.py",
    ),
    Bug(
        "a removal ignores if_revision",
        "netctl/model/admit.py",
        "_check_revision(edit.if_revision, edit.key, before)",
        "_check_revision(0, edit.key, before)",
        "tests/unit/model/test_admit.py",
    ),
)

REQUESTS = (
    Bug(
        "a refused batch leaves its first edits",
        "netctl/server/group.py",
        "            self._draft.rollback(mark)\n            return Verdict(outcome=error)",
        "            return Verdict(outcome=error)",
        "tests/unit/server/test_admission.py",
    ),
    Bug(
        "a request's id is forgotten",
        "netctl/server/group.py",
        "self.answers.append(answer)",
        "pass",
        "tests/unit/server/test_admission.py",
    ),
    Bug(
        "another body gets the answer of its id",
        "netctl/server/group.py",
        "    if known.body_hash != request.body_hash:",
        "    if not known.body_hash:",
        "tests/unit/server/test_admission.py",
    ),
    Bug(
        "an id is remembered for 24 minutes",
        "netctl/store/records.py",
        "REMEMBER_S = 24 * 3600.0",
        "REMEMBER_S = 24 * 60.0",
        "tests/unit/server/test_admission.py",
    ),
    Bug(
        "what is not durable is published",
        "netctl/server/admission.py",
        "            self._commit(group)\n        except",
        "            self._publish(group)\n            self._commit(group)\n        except",
        "tests/unit/server/test_admission_faults.py",
    ),
)

BUGS = (*ADDRESSES, *RELATIONS, *REQUESTS)
