"""From an ACL's log line to names: policy and rule by the ACL, NICs by MAC address or by address in the ACL's realm.

In: a snapshot, an ACL and what a host told. Out: a LogEntry. Pure. `Namer` belongs to one snapshot, and remembers what
it looked up: a policy that logs much logs of the same addresses.
"""

from __future__ import annotations

from collections.abc import Iterator

from netctl.analysis.acls import AclUse
from netctl.compiler.clause import VLANS, Realm
from netctl.model.indexes import Scope, Space
from netctl.model.keys import HostId, Kind, NicId, VpcId
from netctl.model.networks import subnet_at
from netctl.model.numbers import address_number, mac_number, network_numbers, version_of
from netctl.model.policy_log import AclLog, LogEntry
from netctl.model.security_policy import RuleAction
from netctl.model.snapshot import Snapshot
from netctl.model.subnet import Subnet

_VERDICTS = {"allow": RuleAction.ALLOW, "drop": RuleAction.DENY, "reject": RuleAction.REJECT}
_NOBODY = NicId("")


class Namer:
    """Names the lines of one snapshot."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self._found: dict[tuple[Realm, str], NicId] = {}
        self._networks: list[tuple[int, int, int, Scope]] | None = None

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
        version = version_of(address)
        number = address_number(version, address)
        scopes: Iterator[Scope]
        if realm == VLANS:
            networks = self._vlans()
            scopes = (scope for of, low, high, scope in networks if of == version and low <= number <= high)
        else:
            subnet = subnet_at(self.snapshot, VpcId(realm), version, number)
            scopes = iter(() if subnet is None else [_scope(version, subnet)])
        owners = {self.snapshot.owner((scope, number)) for scope in scopes}
        nics = [key[1] for key in owners if key is not None and key[0] is Kind.NIC]
        return NicId(nics[0]) if len(nics) == 1 else _NOBODY

    def _vlans(self) -> list[tuple[int, int, int, Scope]]:
        """Return the networks of subnets outside VPCs: they may overlap, and then an address may be of two NICs."""
        if self._networks is None:
            self._networks = [
                (*network_numbers(config.cidr), _scope(config.version, subnet))
                for subnet in self.snapshot.of_kind(Kind.SUBNET)
                if isinstance(subnet, Subnet) and not subnet.vpc
                for config in (subnet.ipv4, subnet.ipv6)
                if config is not None
            ]
        return self._networks


def _scope(version: int, subnet: Subnet) -> Scope:
    return (Space.IPV4 if version == 4 else Space.IPV6), subnet.id
