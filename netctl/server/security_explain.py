"""SecurityExplainService: why security policies let through what they do. Nothing here changes an intent."""

from __future__ import annotations

from collections.abc import AsyncIterator

import grpc

from netctl.server.agents import AgentService
from netctl.server.edge import Context
from netctl.server.ports import Ports
from netctl.v1 import explain_pb2 as pb
from netctl.v1 import explain_pb2_grpc


class SecurityExplainService(explain_pb2_grpc.SecurityExplainServiceServicer):
    """Explanations of security policies."""

    def __init__(self, ports: Ports, agents: AgentService) -> None:
        """Begin; needs the running event loop."""
        self._intents, self._observed = ports.intents, ports.observed

    def close(self) -> None:
        """End what runs in the background."""

    async def TestPolicy(self, request: pb.TestPolicyRequest, context: Context) -> pb.TestPolicyResponse:
        """Return whether a connection may be opened, and what decides at each end."""
        await _not_yet(context)
        return pb.TestPolicyResponse()

    async def ReportSecurityPolicies(
        self, request: pb.ReportSecurityPoliciesRequest, context: Context
    ) -> pb.ReportSecurityPoliciesResponse:
        """Return what is wrong with the rules."""
        await _not_yet(context)
        return pb.ReportSecurityPoliciesResponse()

    async def GetSecurityPolicyHits(
        self, request: pb.GetSecurityPolicyHitsRequest, context: Context
    ) -> pb.GetSecurityPolicyHitsResponse:
        """Return how often a policy's rules decided."""
        await _not_yet(context)
        return pb.GetSecurityPolicyHitsResponse()

    async def ClearSecurityPolicyHits(
        self, request: pb.ClearSecurityPolicyHitsRequest, context: Context
    ) -> pb.ClearSecurityPolicyHitsResponse:
        """Count from zero again."""
        await _not_yet(context)
        return pb.ClearSecurityPolicyHitsResponse()

    async def FollowPolicyLog(
        self, request: pb.FollowPolicyLogRequest, context: Context
    ) -> AsyncIterator[pb.FollowPolicyLogResponse]:
        """Yield what rules logged."""
        await _not_yet(context)
        yield pb.FollowPolicyLogResponse()


async def _not_yet(context: Context) -> None:
    await context.abort(grpc.StatusCode.UNIMPLEMENTED, "this controller does not tell that yet")
