"""A server with security policies, a southbound and two agents, for tests of their hits and logs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc

from netctl.analysis.acls import AclUses, index_acls
from netctl.compiler.observed import NOTHING_OBSERVED
from netctl.model.hits import AclFlow, FlowKey
from netctl.model.security_policy import Direction
from netctl.reconciler.metrics import Metrics
from netctl.server.serve import serve
from netctl.server.syslog import SyslogTarget
from netctl.v1 import agent_pb2, explain_pb2, explain_pb2_grpc, security_pb2, security_pb2_grpc, vpc_pb2
from tests.fakes.southbound import FakeSouthbound
from tests.functional.server.counting import CountingAgent
from tests.functional.server.world import World, nic

SHOP, WATCH = "securityPolicies/shop", "securityPolicies/watch"
ALLOW, DENY = security_pb2.SECURITY_ACTION_ALLOW, security_pb2.SECURITY_ACTION_DENY
IN, OUT = security_pb2.SECURITY_DIRECTION_IN, security_pb2.SECURITY_DIRECTION_OUT
ENFORCE, MONITOR = security_pb2.SECURITY_POLICY_MODE_ENFORCE, security_pb2.SECURITY_POLICY_MODE_MONITOR


def policy(
    name: str,
    kind: security_pb2.SecurityPolicyKind.ValueType,
    mode: security_pb2.SecurityPolicyMode.ValueType,
    **more: Any,
) -> security_pb2.SecurityPolicy:
    return security_pb2.SecurityPolicy(
        name=name,
        kind=kind,
        mode=mode,
        scope=security_pb2.SECURITY_SCOPE_ALL_VLAN,
        secured=["categories/web"],
        **more,
    )


def rule(
    name: str, port: int, action: security_pb2.SecurityAction.ValueType = ALLOW
) -> security_pb2.SecurityRule:
    services = [
        security_pb2.Service(
            protocol=security_pb2.SERVICE_PROTOCOL_TCP, ports=[vpc_pb2.PortRange(first=port, last=port)]
        )
    ]
    return security_pb2.SecurityRule(name=name, direction=IN, action=action, services=services, log=True)


class Secured:
    """A world with category `web`, the enforced policy `shop` and the monitored `watch`; `web-1` is a NIC."""

    def __init__(self, world: World, directory: Path, *, syslog: SyslogTarget | None = None) -> None:
        self.southbound, self.metrics = FakeSouthbound(), Metrics()
        self.world = world
        self.ports = replace(
            world.ports,
            southbound=self.southbound,
            hits_file=directory / "hits.json",
            metrics=self.metrics,
            syslog=syslog,
        )
        self._address = f"unix:{directory}/secured.sock"
        self.cookies: dict[str, tuple[int, int]] = {}  # of an ACL: for new and for open connections

    async def furnish(self) -> None:
        """Make categories, policies, and the flows that northd would make of them."""
        await self.world.furnish()
        web = security_pb2.Category(name="categories/web", key="tier", value="web")
        categories = security_pb2_grpc.CategoryServiceStub(self.world.channel)
        await categories.CreateCategory(security_pb2.CreateCategoryRequest(category=web))
        for name, address in (("web-1", "10.0.0.5"), ("web-2", "10.0.0.6")):
            request = nic(name, host="hosts/h1", ipv4_address=address)
            request.nic.categories.append("categories/web")
            await self.world.nics.CreateNic(request)
        await self.create(
            policy(
                SHOP,
                security_pb2.SECURITY_POLICY_KIND_APPLICATION,
                ENFORCE,
                rules=[rule("https", 443), rule("ssh", 22, DENY)],
                log=True,
            )
        )

    async def watch(self) -> None:
        """Make the policy in MONITOR, which comes before the other one and would drop what that allows."""
        kind = security_pb2.SECURITY_POLICY_KIND_APPLICATION
        await self.create(policy(WATCH, kind, MONITOR, priority=5, rules=[rule("no-tls", 443, DENY)]))

    async def create(self, made: security_pb2.SecurityPolicy) -> None:
        policies = security_pb2_grpc.SecurityPolicyServiceStub(self.world.channel)
        request = security_pb2.CreateSecurityPolicyRequest(security_policy=made)
        await policies.CreateSecurityPolicy(request)
        self.program()

    @property
    def acls(self) -> AclUses:
        """The ACLs of now."""
        return index_acls(self.world.admission.snapshot(), NOTHING_OBSERVED)

    def program(self) -> None:
        """Be northd: two flows for each ACL, for new and open connections, and one of a stranger's."""
        self.cookies = {uuid: (2 * i + 1, 2 * i + 2) for i, uuid in enumerate(self.acls)}
        self.southbound.acls = [AclFlow("ffffffff", "ip4", 77)]
        for uuid, acl in self.acls.items():
            for register, cookie in zip((7, 8), self.cookies[uuid], strict=True):
                match = f"reg0[{register}] == 1 && ({acl.match})"
                self.southbound.acls.append(AclFlow(uuid[:8], match, cookie))

    def flows(self, policy: str, rule: str, direction: Direction = Direction.IN) -> Sequence[FlowKey]:
        """The flows of an ACL that a rule of a policy decides by, or would."""
        return [FlowKey(cookie, 0) for cookie in self.cookies[self.acl(policy, rule, direction)]]

    def acl(self, policy: str, rule: str, direction: Direction = Direction.IN) -> str:
        """The uuid of the ACL of a rule."""
        (found,) = [
            uuid
            for uuid, acl in self.acls.items()
            if (f"securityPolicies/{acl.clause.policy}", acl.clause.rule, acl.clause.direction)
            == (policy, rule, direction)
        ]
        return found

    async def start(self) -> None:
        self.server = await serve(self.ports, [self._address])
        # gRPC shares connections among channels to one address: this one must not meet the one that has just died.
        self.channel = grpc.aio.insecure_channel(
            self._address, options=[("grpc.use_local_subchannel_pool", 1)]
        )
        self.explain = explain_pb2_grpc.SecurityExplainServiceStub(self.channel)
        self.h1 = await CountingAgent(self.channel, "h1").__aenter__()
        self.h2 = await CountingAgent(self.channel, "h2").__aenter__()

    async def stop(self) -> None:
        for agent in (self.h1, self.h2):
            await agent.__aexit__()
        await self.channel.close()
        await self.server.stop(0)

    async def hits(self, name: str = SHOP) -> explain_pb2.GetSecurityPolicyHitsResponse:
        return await self.explain.GetSecurityPolicyHits(explain_pb2.GetSecurityPolicyHitsRequest(name=name))

    async def clear(self, name: str = SHOP) -> None:
        await self.explain.ClearSecurityPolicyHits(explain_pb2.ClearSecurityPolicyHitsRequest(name=name))


def line(acl: str, source: str = "10.0.0.9", destination: str = "10.0.0.5", **more: Any) -> agent_pb2.AclLog:
    """What an ACL logs of a packet to port 443."""
    fields: dict[str, Any] = {
        "verdict": "allow",
        "direction": "to-lport",
        "protocol": "tcp",
        "source_port": 40_000,
        "destination_port": 443,
    }
    made = agent_pb2.AclLog(
        acl_name=acl, source_address=source, destination_address=destination, **(fields | more)
    )
    made.time.seconds = 1_700_000_000
    return made
