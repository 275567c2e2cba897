"""From an ACL's log line to names: policy and rule by the ACL, NICs by MAC address or by address in the ACL's realm.

In: a snapshot, an ACL and what a host told. Out: a LogEntry. Pure. `Namer` belongs to one snapshot, and remembers what
it looked up: a policy that logs much logs of the same addresses.
"""

from __future__ import annotations

from netctl.analysis.acls import AclUse
from netctl.analysis.whose import Whose
from netctl.compiler.clause import Realm
from netctl.compiler.observed import Observed
from netctl.model.indexes import Space
from netctl.model.keys import HostId, Kind, NicId
from netctl.model.numbers import mac_number
from netctl.model.policy_log import AclLog, LogEntry
from netctl.model.security_policy import RuleAction
from netctl.model.snapshot import Snapshot

_VERDICTS = {"allow": RuleAction.ALLOW, "drop": RuleAction.DENY, "reject": RuleAction.REJECT}
_NOBODY = NicId("")


class Namer:
    """Names the lines of one snapshot."""

    def __init__(self, snapshot: Snapshot, observed: Observed) -> None:
        self.snapshot = snapshot
        self._whose = Whose(snapshot, observed)
        self._found: dict[tuple[Realm, str], NicId] = {}

    def entry(self, acl: AclUse, host: HostId, log: AclLog) -> LogEntry:
        """Return a line in names.

        Its action is what OVN did (a reject may be a drop), of a would-drop what the policy would have done.
        """
        clause = acl.clause
        done = _VERDICTS.get(log.verdict, clause.action)
        return LogEntry(
            time_s=log.time_s,
            policy=clause.policy,
            policy_uid=acl.policy_uid,
            rule=clause.rule,
            direction=clause.direction,
            action=clause.action if acl.would_drop else done,
            would_drop=acl.would_drop,
            host=host,
            source_nic=self._nic(acl.realm, log.source_mac_address, log.source_address),
            destination_nic=self._nic(acl.realm, log.destination_mac_address, log.destination_address),
            source_address=log.source_address,
            destination_address=log.destination_address,
            protocol=log.protocol,
            source_port=log.source_port,
            destination_port=log.destination_port,
        )

    def _nic(self, realm: Realm, mac: str, address: str) -> NicId:
        """Return whose a MAC address is; a router's, or none of ours, says nothing: then whose the address is."""
        key = self.snapshot.owner(((Space.MAC, ""), mac_number(mac))) if mac else None
        if key is not None and key[0] is Kind.NIC:
            return NicId(key[1])
        if not address:
            return _NOBODY
        if (realm, address) not in self._found:
            self._found[realm, address] = self._by_address(realm, address)
        return self._found[realm, address]

    def _by_address(self, realm: Realm, address: str) -> NicId:
        """Return the NIC that an address is of; of none when it is of several, for subnets outside VPCs may overlap."""
        nics = {port.nic.id for port in self._whose.ports(realm, address)}
        return nics.pop() if len(nics) == 1 else _NOBODY
