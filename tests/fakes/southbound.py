"""A southbound database in memory: flows of policies and holders of gateway ports, as a test says; or away."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from netctl.errors import SouthboundUnavailable
from netctl.model.hits import AclFlow, RouterFlows


class FakeSouthbound:
    """What northd and the hosts would have written; `away` makes every question fail."""

    remote = "unix:/nowhere/sb.sock"

    def __init__(self) -> None:
        self.flows: dict[str, RouterFlows] = {}
        self.acls: list[AclFlow] = []
        self.holders: dict[str, str] = {}
        self.away = False

    def policy_flows(
        self, routers: Collection[str], *, priorities: tuple[int, int]
    ) -> Mapping[str, RouterFlows]:
        self._check()
        low, high = priorities
        asked = {router: self.flows[router] for router in routers if router in self.flows}
        return {
            router: RouterFlows(found.datapath, tuple(f for f in found.flows if low <= f.priority <= high))
            for router, found in asked.items()
        }

    def acl_flows(self) -> Sequence[AclFlow]:
        self._check()
        return tuple(self.acls)

    def chassis_of_ports(self, ports: Collection[str]) -> Mapping[str, str]:
        self._check()
        return {port: self.holders[port] for port in ports if port in self.holders}

    def _check(self) -> None:
        if self.away:
            raise SouthboundUnavailable(f"southbound database {self.remote}: connection refused")
