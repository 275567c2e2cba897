"""SecurityExplainService: why security policies let through what they do. Nothing here changes an intent."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import structlog

from netctl.analysis.acls import counted_of
from netctl.analysis.port_security import explain_nic
from netctl.analysis.report import LastHits, last_hits_of, report
from netctl.errors import InvalidIntent, NotFound
from netctl.model.keys import Kind, NicId, SecurityPolicyId, check_id
from netctl.model.policy_log import LogEntry
from netctl.model.security_policy import SecurityPolicy
from netctl.model.snapshot import Snapshot
from netctl.server.connection import answer_policy_test
from netctl.server.convert import parse_name
from netctl.server.convert_policy_log import entry_to_proto, rule_hits_to_proto
from netctl.server.convert_port_security import nic_to_proto
from netctl.server.convert_verdict import findings_to_proto, parse_report
from netctl.server.edge import Context
from netctl.server.hits import PolicyHits
from netctl.server.policy_log import KEPT, SLICE, PolicyLog
from netctl.server.ports import Ports
from netctl.server.writes import actor_of
from netctl.v1 import explain_pb2 as pb
from netctl.v1 import explain_pb2_grpc

log = structlog.get_logger()
DEFAULT_LAST = 100


class SecurityExplainService(explain_pb2_grpc.SecurityExplainServiceServicer):
    """Explanations of security policies."""

    def __init__(self, ports: Ports, hits: PolicyHits, policy_log: PolicyLog) -> None:
        self._intents, self._observed = ports.intents, ports.observed
        self._hits, self._log = hits, policy_log
        self._counts = ports.southbound is not None

    async def TestPolicy(self, request: pb.TestPolicyRequest, context: Context) -> pb.TestPolicyResponse:
        """Return whether a connection may be opened, and what decides at each end."""
        return await asyncio.to_thread(
            answer_policy_test, self._intents.snapshot(), self._observed(), request
        )

    async def ReportSecurityPolicies(
        self, request: pb.ReportSecurityPoliciesRequest, context: Context
    ) -> pb.ReportSecurityPoliciesResponse:
        """Return what is wrong with the rules."""
        snapshot = self._intents.snapshot()
        asked = parse_report(snapshot, request, now_s=time.time(), hits=self._last_hits(snapshot))
        found = await asyncio.to_thread(report, snapshot, self._observed(), asked)
        return findings_to_proto(found)

    async def GetSecurityPolicyHits(
        self, request: pb.GetSecurityPolicyHitsRequest, context: Context
    ) -> pb.GetSecurityPolicyHitsResponse:
        """Return how often a policy's rules decided."""
        policy = self._policy(request.name)
        looked = await self._hits.look_at(policy)
        return rule_hits_to_proto(self._hits.tally(policy.meta.uid), counted_of(policy), looked.missing)

    async def ClearSecurityPolicyHits(
        self, request: pb.ClearSecurityPolicyHitsRequest, context: Context
    ) -> pb.ClearSecurityPolicyHitsResponse:
        """Count from zero again."""
        policy = self._policy(request.name)
        await self._hits.clear(policy)
        log.info("hits cleared", policy=policy.id, actor=actor_of(context.peer()))
        return pb.ClearSecurityPolicyHitsResponse()

    async def ExplainNic(self, request: pb.ExplainNicRequest, context: Context) -> pb.ExplainNicResponse:
        """Return what policies know a NIC by, and which are about it."""
        id = parse_name("name", request.name, Kind.NIC)
        check_id("name", id)
        snapshot = self._intents.snapshot()
        nic = snapshot.nic(NicId(id))
        if nic is None:
            raise NotFound(f"nics/{id} does not exist", field="name")
        return nic_to_proto(await asyncio.to_thread(explain_nic, snapshot, self._observed(), nic))

    async def FollowPolicyLog(
        self, request: pb.FollowPolicyLogRequest, context: Context
    ) -> AsyncIterator[pb.FollowPolicyLogResponse]:
        """Stream what rules logged: the last lines, oldest first, then with `follow` those to come."""
        policy = self._policy(request.name).meta.uid if request.name else None
        if not 0 <= request.last <= KEPT:
            raise InvalidIntent("last", f"{request.last} is not a number from 1 to {KEPT}, or 0 for 100")
        reader = self._log.add()
        try:
            await context.send_initial_metadata(())  # from here on nothing is missed
            last = self._log.last(request.last or DEFAULT_LAST, policy)
            for start in range(0, len(last), SLICE):
                yield _answer(last[start : start + SLICE], 0)
            unsaid = 0
            while request.follow:
                entries, missed = await self._log.next(reader)
                unsaid += missed
                wanted = [entry for entry in entries if policy is None or entry.policy_uid == policy]
                if wanted:
                    yield _answer(wanted, unsaid)
                    unsaid = 0
        finally:
            self._log.discard(reader)

    def _last_hits(self, snapshot: Snapshot) -> LastHits | None:
        """Return when each rule last decided, as far as is known; None where nobody counts."""
        if not self._counts:
            return None
        policies = snapshot.table(Kind.SECURITY_POLICY).values()
        return last_hits_of((policy, self._hits.tally(policy.meta.uid)) for policy in policies)

    def _policy(self, name: str) -> SecurityPolicy:
        id = parse_name("name", name, Kind.SECURITY_POLICY)
        check_id("name", id)
        found = self._intents.snapshot().security_policy(SecurityPolicyId(id))
        if found is None:
            raise NotFound(f"securityPolicies/{id} does not exist", field="name")
        return found


def _answer(entries: list[LogEntry], missed: int) -> pb.FollowPolicyLogResponse:
    """Return a message of lines; `missed` are those that a slow reader did not get before the first."""
    lost = (entry.lost_before + (0 if i else missed) for i, entry in enumerate(entries))
    return pb.FollowPolicyLogResponse(entries=map(entry_to_proto, entries, lost))
