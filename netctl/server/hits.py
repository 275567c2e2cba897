"""Hits of routing policies: the southbound says which flows they are, the agents how often those matched.

In: policies. Out: sums over the hosts, and which hosts did not answer. Owns: the book of sums and its file. Looked at
when somebody asks, when somebody clears, and every minute: a counter that starts anew (the flow was installed again,
the host rebooted) takes with it at most what it gained since the last look.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import structlog

from netctl.analysis.hits import Tally
from netctl.compiler.identity import router_uuid
from netctl.compiler.priority import policy_back, policy_forth
from netctl.errors import HostUnavailable, NetctlError, Unavailable
from netctl.model.hits import FlowKey, Hits
from netctl.model.keys import HostId, Kind, Uid, VpcId
from netctl.model.routing_policy import PRIORITY_MAX, PRIORITY_MIN, RoutingPolicy
from netctl.model.snapshot import Snapshot
from netctl.server.agents import AgentService
from netctl.server.hits_file import HitsFile, render
from netctl.server.ports import Ports
from netctl.server.wakes import survived

log = structlog.get_logger()

LOOK_S = 60.0
NO_SOUTHBOUND = "this controller was started without a southbound database; give it --southbound"


@dataclass(frozen=True, slots=True)
class Looked:
    """What a look found: hosts that did not answer, sorted, and the flows that northd has with their policies."""

    missing: tuple[HostId, ...]
    flows: Mapping[FlowKey, Uid]

    @property
    def installed(self) -> frozenset[Uid]:
        """The policies that northd has."""
        return frozenset(self.flows.values())


class PolicyHits:
    """The sums of all policies; on the event loop."""

    def __init__(self, ports: Ports, agents: AgentService) -> None:
        """Begin to look every minute; needs the running event loop."""
        self._intents, self._southbound, self._agents = ports.intents, ports.southbound, agents
        self._file = HitsFile(ports.hits_file)
        self._book = self._file.load()
        self._saved = render(self._book)
        self._lock = asyncio.Lock()
        self._task = asyncio.create_task(self._run())

    def close(self) -> None:
        """End."""
        self._task.cancel()

    async def look(self, vpcs: Collection[VpcId]) -> Looked:
        """Count the policies of these VPCs anew; SouthboundUnavailable when their flows cannot be known."""
        async with self._lock:
            return await self._look(vpcs)

    def tally(self, policy: Uid) -> Tally:
        """Return what has been counted of a policy."""
        return self._book.tally(policy)

    async def clear(self, policy: RoutingPolicy) -> None:
        """Count a policy from zero again."""
        async with self._lock:
            looked = await self._look([policy.vpc])
            self._book.clear(policy.meta.uid, time.time(), looked.missing)
            await self._save()

    async def _look(self, vpcs: Collection[VpcId]) -> Looked:
        snapshot = self._intents.snapshot()
        asked = await self._find_flows(snapshot, vpcs)
        if not asked:
            return Looked((), {})
        hosts = sorted(HostId(id) for id in snapshot.table(Kind.HOST))
        answers = await asyncio.gather(*(self._ask(host, asked) for host in hosts))
        missing = []
        for host, counts in zip(hosts, answers, strict=True):
            if counts is None:
                missing.append(host)
            else:
                self._book.take(host, asked, counts)
        await self._save()
        return Looked(tuple(missing), asked)

    async def _ask(self, host: HostId, asked: Mapping[FlowKey, Uid]) -> Mapping[FlowKey, Hits] | None:
        try:
            return await self._agents.count_flows(host, asked)
        except HostUnavailable as error:
            log.info("no counters from a host", host=host, error=error.message)
            return None

    async def _find_flows(self, snapshot: Snapshot, vpcs: Collection[VpcId]) -> Mapping[FlowKey, Uid]:
        """Return the flows of the VPCs' policies, each with the policy's uid."""
        owners: dict[str, dict[int, Uid]] = {}
        for id in vpcs:
            vpc = snapshot.vpc(id)
            policies = tuple(snapshot.policies_of_vpc(id)) if vpc is not None else ()
            if vpc is not None and policies:
                owners[router_uuid(vpc.meta.uid)] = {
                    priority(policy.priority): policy.meta.uid
                    for policy in policies
                    for priority in (policy_forth, policy_back)
                }
        if not owners:
            return {}
        if self._southbound is None:
            raise Unavailable(NO_SOUTHBOUND)
        priorities = (policy_back(PRIORITY_MIN), policy_forth(PRIORITY_MAX))
        found = await asyncio.to_thread(self._southbound.policy_flows, tuple(owners), priorities=priorities)
        return {
            FlowKey(flow.cookie, flows.datapath): owners[router][flow.priority]
            for router, flows in found.items()
            for flow in flows.flows
            if flow.priority in owners[router]
        }

    async def _save(self) -> None:
        content = render(self._book)
        if content != self._saved:
            await asyncio.to_thread(self._file.save, content)
            self._saved = content

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            await survived(self._look_at_all())

    async def _look_at_all(self) -> None:
        snapshot = self._intents.snapshot()
        policies = snapshot.table(Kind.ROUTING_POLICY).values()
        uids = {policy.meta.uid for policy in policies}
        async with self._lock:
            try:
                looked = await self._look({policy.vpc for policy in policies})
            except NetctlError as error:
                log.info("hits of policies are not counted now", error=error.message)
                return
            hosts = {HostId(id) for id in snapshot.table(Kind.HOST)}
            self._book.forget(uids, hosts, looked.flows)
            await self._save()
