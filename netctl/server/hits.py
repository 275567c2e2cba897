"""Hits of policies: the southbound says which flows they are, the agents how often those matched.

In: policies. Out: sums over the hosts, and which hosts did not answer. Owns: the book of sums and its file. Looked at
when somebody asks, when somebody clears, and every few seconds: a counter that starts anew (the flow was installed
again, the host rebooted) takes with it at most what it gained since the last look.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import structlog

from netctl.analysis.hits import Asked, Tally
from netctl.errors import HostUnavailable, NetctlError, Unavailable
from netctl.model.hits import FlowKey, Hits
from netctl.model.keys import HostId, Kind, Uid, VpcId
from netctl.model.routing_policy import RoutingPolicy
from netctl.model.security_policy import SecurityPolicy
from netctl.model.snapshot import Snapshot
from netctl.server.acl_book import AclBook
from netctl.server.agents import AgentService
from netctl.server.hits_file import HitsFile, render
from netctl.server.hits_flows import find_acl_flows, find_routing_flows
from netctl.server.hits_metrics import sample_hits
from netctl.server.ports import Ports, Southbound
from netctl.server.wakes import survived

log = structlog.get_logger()

LOOK_S = 5.0
# Looking takes at most a twentieth of the time, but is never further apart than a minute.
_REST, _LOOK_MAX_S = 20, 60.0
# An agent counts so many flows in half a second, and its answer stays far below what a message may have.
KEYS_MAX = 20_000
NO_SOUTHBOUND = "this controller was started without a southbound database; give it --southbound"


@dataclass(frozen=True, slots=True)
class Looked:
    """What a look found: hosts that did not answer, sorted, and the flows that northd has with what they count for."""

    missing: tuple[HostId, ...]
    flows: Asked

    @property
    def installed(self) -> frozenset[Uid]:
        """The policies that northd has."""
        return frozenset(counted.policy for counts in self.flows.values() for counted in counts)


class PolicyHits:
    """The sums of all policies; on the event loop."""

    def __init__(self, ports: Ports, agents: AgentService, acls: AclBook) -> None:
        """Begin to look every few seconds; needs the running event loop."""
        self._intents, self._southbound, self._agents = ports.intents, ports.southbound, agents
        self._acls, self._metrics = acls, ports.metrics
        self._file = HitsFile(ports.hits_file)
        self._book = self._file.load()
        self._saved = render(self._book)
        self._metrics.policy_hits.show(sample_hits(self._intents.snapshot(), self._book))
        self._lock = asyncio.Lock()
        self._task = asyncio.create_task(self._run())

    def close(self) -> None:
        """End."""
        self._task.cancel()

    async def look(self, vpcs: Collection[VpcId]) -> Looked:
        """Count the routing policies of these VPCs anew; SouthboundUnavailable when their flows cannot be known."""
        async with self._lock:
            return await self._count(await self._routing_flows(self._intents.snapshot(), vpcs))

    async def look_at(self, policy: SecurityPolicy) -> Looked:
        """Count a security policy anew; SouthboundUnavailable when its flows cannot be known."""
        async with self._lock:
            return await self._count(await self._acl_flows([policy.meta.uid]), whole=[policy.meta.uid])

    def tally(self, policy: Uid) -> Tally:
        """Return what has been counted of a policy."""
        return self._book.tallies.get(policy) or Tally()

    async def clear(self, policy: RoutingPolicy | SecurityPolicy) -> None:
        """Count a policy from zero again."""
        async with self._lock:
            if isinstance(policy, RoutingPolicy):
                asked = await self._routing_flows(self._intents.snapshot(), [policy.vpc])
            else:
                asked = await self._acl_flows([policy.meta.uid])
            looked = await self._count(asked, whole=[policy.meta.uid])
            self._book.clear(policy.meta.uid, time.time(), looked.missing)
            await self._save()

    async def _routing_flows(self, snapshot: Snapshot, vpcs: Collection[VpcId]) -> Asked:
        if not any(True for id in vpcs for _ in snapshot.policies_of_vpc(id)):
            return {}
        return await asyncio.to_thread(find_routing_flows, snapshot, self._need_southbound(), vpcs)

    async def _acl_flows(self, policies: Collection[Uid] | None = None) -> Asked:
        acls = await self._acls.current()
        if not acls:
            return {}
        return await asyncio.to_thread(find_acl_flows, acls, self._need_southbound(), policies)

    def _need_southbound(self) -> Southbound:
        if self._southbound is None:
            raise Unavailable(NO_SOUTHBOUND)
        return self._southbound

    async def _count(self, asked: Asked, *, whole: Collection[Uid] | None = None) -> Looked:
        """Count flows anew; they are all flows of the policies in `whole`, None: of all policies that have any."""
        if not asked:
            return Looked((), {})
        looked = Looked((), asked)
        partly = looked.installed.difference(whole) if whole is not None else frozenset()
        hosts = sorted(HostId(id) for id in self._intents.snapshot().table(Kind.HOST))
        answers = await asyncio.gather(*(self._ask(host, asked) for host in hosts))
        missing = []
        for host, counts in zip(hosts, answers, strict=True):
            if counts is None:
                missing.append(host)
            else:
                self._book.take(host, asked, counts, time.time(), partly=partly)
                await asyncio.sleep(0)  # thousands of flows on hundreds of hosts
        await self._save()
        return Looked(tuple(missing), asked)

    async def _ask(self, host: HostId, asked: Asked) -> Mapping[FlowKey, Hits] | None:
        keys, counts = list(asked), dict[FlowKey, Hits]()
        try:
            for start in range(0, len(keys), KEYS_MAX):
                counts.update(await self._agents.count_flows(host, keys[start : start + KEYS_MAX]))
            return counts
        except HostUnavailable as error:
            log.info("no counters from a host", host=host, error=error.message)
            return None

    async def _save(self) -> None:
        """Keep the sums; only who holds the lock changes the book, so it can be rendered beside the loop."""
        self._metrics.policy_hits.show(sample_hits(self._intents.snapshot(), self._book))
        content = await asyncio.to_thread(render, self._book)
        if content != self._saved:
            await asyncio.to_thread(self._file.save, content)
            self._saved = content

    async def _run(self) -> None:
        took_s = 0.0
        while True:
            await asyncio.sleep(max(LOOK_S, min(_LOOK_MAX_S, _REST * took_s)))
            began = time.monotonic()
            await survived(self._look_at_all())
            took_s = time.monotonic() - began

    async def _look_at_all(self) -> None:
        snapshot = self._intents.snapshot()
        policies = snapshot.table(Kind.ROUTING_POLICY).values()
        async with self._lock:
            try:
                asked = {
                    **await self._routing_flows(snapshot, {policy.vpc for policy in policies}),
                    **await self._acl_flows(),
                }
                await self._count(asked)
            except NetctlError as error:
                log.info("hits of policies are not counted now", error=error.message)
                return
            hosts = {HostId(id) for id in snapshot.table(Kind.HOST)}
            self._book.forget(_rules(snapshot), hosts, asked)
            await self._save()


def _rules(snapshot: Snapshot) -> Mapping[Uid, Collection[str]]:
    """Return the names of the rules of every policy."""
    found: dict[Uid, Collection[str]] = {
        policy.meta.uid: () for policy in snapshot.of_kind(Kind.ROUTING_POLICY)
    }
    for policy in snapshot.of_kind(Kind.SECURITY_POLICY):
        assert isinstance(policy, SecurityPolicy)
        found[policy.meta.uid] = {rule.name for rule in policy.rules}
    return found
