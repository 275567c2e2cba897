"""From ovn-trace's pipelines to the steps of a packet in our words. Pure.

In: the pipelines, the intents, and who holds which gateway port. Out: steps, and how it ended: delivered, sent out,
dropped, or pending, when a router does not know its neighbour's MAC address yet and ovn-trace went on with its ARP
request instead of the packet. Each decision is mapped back to the intent behind its row by the names in `identity.py`.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from netctl.analysis.gateways import gateway_binding
from netctl.analysis.routes import list_routes
from netctl.analysis.trace_ports import find_deaf, find_nic, vlan_of
from netctl.analysis.trace_security import ACL_STAGES, tell_acl
from netctl.analysis.trace_text import Pipeline, Stage
from netctl.compiler import identity, priority
from netctl.compiler.exits import Exit, exits_of
from netctl.compiler.observed import Observed
from netctl.model.keys import HostId, Key, Kind, NetworkFunctionId, resource_name
from netctl.model.nic import Nic
from netctl.model.routing_policy import PRIORITY_MAX, PRIORITY_MIN, PolicyAction, RoutingPolicy
from netctl.model.security_policy import Direction
from netctl.model.snapshot import Snapshot
from netctl.model.subnet import Subnet
from netctl.model.vpc import Vpc

DELIVERED, SENT_OUT, DROPPED, PENDING = "delivered", "sent out", "dropped", "pending"
_DESTINATION = re.compile(r"ip[46]\.dst == ([0-9a-f.:]+(?:/\d+)?)")
_NEXT_HOP = re.compile(r"\b(?:xx)?reg0 = ([0-9a-f.:]+|ip[46]\.dst);")
_TRANSLATION = re.compile(r"\bct_([sd])nat\w*\(([0-9a-f.:]+)\)")
_PORT = re.compile(r'outport = "(lrp-[^"]+)"')
_GATEWAY = re.compile(r'outport = "(cr-[^"]+)"')
_RESIDENT = re.compile(r'is_chassis_resident\("([^"]+)"\)')
_ANSWERS = re.compile(r"ip[46]\.(?:dst|src) <-> ip[46]\.(?:dst|src)")
_ASKS = re.compile(r"\b(?:arp|nd_ns) \{")


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step; `kind` and `host` as in the API's TraceStep."""

    kind: str
    text: str
    key: Key | None = None
    host: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What steps are told from: `holders` are the chassis of gateway ports, `absent` tells of NICs without a tap.

    `stopped` tells of a network function whether a host says that no pair of it works there.
    """

    snapshot: Snapshot
    observed: Observed
    holders: Mapping[str, str]
    absent: Callable[[Nic], bool] = lambda nic: False
    stopped: Callable[[HostId, NetworkFunctionId], bool] = lambda host, function: False


@dataclass(slots=True)
class Walk:
    """A packet on its way; `host` is where it is now, `verdict` "" until it ended."""

    world: World
    host: str
    source: str
    destination: str
    steps: list[Step] = field(default_factory=list)
    verdict: str = ""
    reason: str = ""
    # the NIC at which it is
    arrived: str = ""
    # while PENDING: the router, the port towards the neighbour, and the neighbour's address
    vpc: Vpc | None = None
    port: str = ""
    next_hop: str = ""

    def take(self, pipelines: list[Pipeline]) -> None:
        """Follow the packet through these pipelines, until it ends."""
        last = None
        for pipeline in pipelines:
            for stage in pipeline.stages:
                if not self.verdict:
                    self._take_stage(pipeline, stage)
                    last = stage
            if not self.verdict:
                self._leave(pipeline)
        if not self.verdict:
            where = f": {last.name} has no way on" if last is not None else ""
            self.drop(f"OVN lets it end{where}")

    def step(self, kind: str, text: str, key: Key | None = None) -> None:
        """Note a step, here."""
        self.steps.append(Step(kind=kind, text=text, key=key, host=self.host))

    def drop(self, reason: str, key: Key | None = None) -> None:
        """End: nobody gets the packet."""
        self.end(reason)
        self.step("drop", reason, key)

    def end(self, reason: str) -> None:
        """End as `drop` does, where a step has said so."""
        self.verdict, self.reason = DROPPED, reason

    def move(self, host: str, subnet: Subnet | None) -> None:
        """Go to another host: by the VLAN of `subnet` where it has one, else through a tunnel."""
        if not host or host == self.host:
            return
        way = f"from hosts/{self.host} to hosts/{host}"
        if subnet is not None and subnet.has_vlan:
            self.step("uplink", f"by {vlan_of(subnet)} {way}", (Kind.SUBNET, subnet.id))
        else:
            self.step("tunnel", f"Geneve {way}")
        self.host = host

    def _take_stage(self, pipeline: Pipeline, stage: Stage) -> None:
        subnet, vpc = self._find(pipeline.datapath)
        if subnet is not None:
            if stage.drops or stage.name in ACL_STAGES:
                port = pipeline.inport if pipeline.is_ingress else pipeline.outport
                self._take_decision(subnet, find_nic(self.world.snapshot, subnet, port), stage)
            elif any("omitting output because inport == outport" in line for line in stage.lines):
                name = resource_name((Kind.SUBNET, subnet.id))
                self.drop(f"{name} sends nothing back to where it came from", (Kind.SUBNET, subnet.id))
        elif vpc is not None:
            take_router_stage(self, vpc, pipeline, stage)
        elif stage.drops:
            self.drop(f"{stage.name} of a switch or router that is not ours")

    def _take_decision(self, subnet: Subnet, nic: Nic | None, stage: Stage) -> None:
        told = None
        if nic is not None:
            told = tell_acl(self.world.snapshot, self.world.observed, (subnet, nic), stage)
        if told is not None and nic is not None:
            if ACL_STAGES[stage.name] is Direction.IN:
                self.arrive(subnet, nic)
            for text, key in told.steps:
                self.step("security", text, key)
            if told.ends:
                self.end(told.steps[-1][0])
        if stage.drops and not self.verdict:
            self._drop_on_switch(subnet, nic, stage)

    def _drop_on_switch(self, subnet: Subnet, nic: Nic | None, stage: Stage) -> None:
        name = resource_name((Kind.SUBNET, subnet.id))
        if "port_sec" in stage.name and nic is not None:
            key: Key = (Kind.NIC, nic.id)
            if not nic.connected:
                self.drop(f"{resource_name(key)} is disconnected", key)
            else:
                self.drop(f"port security of {resource_name(key)}: not its own addresses", key)
        elif (deaf := find_deaf(self.world.snapshot, subnet, stage)) is not None:
            self.drop(f"{resource_name((Kind.NIC, deaf.id))} is disconnected", (Kind.NIC, deaf.id))
        elif stage.name == "ls_in_l2_unknown":
            self.drop(f"nobody on {name} has the address {self.destination}", (Kind.SUBNET, subnet.id))
        else:
            self.drop(f"{stage.name} of {name}: {stage.match or 'nothing matches'}", (Kind.SUBNET, subnet.id))

    def _leave(self, pipeline: Pipeline) -> None:
        """Take the ports by which a packet leaves a switch; what a router lets out shows up in the next pipeline."""
        subnet, _ = self._find(pipeline.datapath)
        if subnet is None or pipeline.is_ingress:
            return
        key: Key = (Kind.SUBNET, subnet.id)
        for port, kind in pipeline.outputs:
            nic = find_nic(self.world.snapshot, subnet, port)
            if nic is not None:
                self._deliver(subnet, nic)
            elif kind == "localnet":
                self.step("uplink", f"by {vlan_of(subnet)}", key)
                self.verdict = SENT_OUT
                self.reason = f"leaves hosts/{self.host} by {resource_name(key)}"
            elif kind == "patch":
                self.step("subnet", f"{resource_name(key)}, to the router {self._behind(subnet, port)}", key)
            if self.verdict:
                return

    def arrive(self, subnet: Subnet, nic: Nic) -> None:
        """Go where a NIC is, once."""
        if self.arrived != nic.id:
            key: Key = (Kind.SUBNET, subnet.id)
            self.step("subnet", f"{resource_name(key)}, to {resource_name((Kind.NIC, nic.id))}", key)
            self.move(nic.host, subnet)
            self.arrived = nic.id

    def _deliver(self, subnet: Subnet, nic: Nic) -> None:
        name = resource_name((Kind.NIC, nic.id))
        self.arrive(subnet, nic)
        if not nic.host:
            self.drop(f"{name} is attached to no host", (Kind.NIC, nic.id))
            return
        if self.world.absent(nic):  # ovn-trace does not look whether anybody has the port
            self.drop(f"{name} is not plugged: hosts/{nic.host} has no {nic.tap_name}", (Kind.NIC, nic.id))
            return
        self.step("nic", f"{name} ({nic.mac_address})", (Kind.NIC, nic.id))
        self.verdict, self.reason = DELIVERED, f"reaches {name} on hosts/{nic.host}"
        policy = next((step.key for step in reversed(self.steps) if step.kind == "policy"), None)
        if policy is not None and self.destination not in (nic.ipv4_address, nic.ipv6_address):
            self.reason += f", where {resource_name(policy)} sends it"

    def _behind(self, subnet: Subnet, port: str) -> str:
        """Return whose router a switch port leads to."""
        if port == identity.gateway_peer_name(subnet.meta.uid):
            return f"of vpcs/{subnet.vpc}"
        for vpc in self.world.snapshot.vpcs_of_subnet(subnet.id):
            if port == identity.external_peer_name(vpc.meta.uid, subnet.meta.uid):
                return f"of vpcs/{vpc.id}"
        return port

    def _find(self, datapath: str) -> tuple[Subnet | None, Vpc | None]:
        tables = self.world.snapshot.table(Kind.SUBNET), self.world.snapshot.table(Kind.VPC)
        for subnet in tables[0].values():
            if identity.switch_uuid(subnet.meta.uid) == datapath:
                return subnet, None
        return None, next(
            (v for v in tables[1].values() if identity.router_uuid(v.meta.uid) == datapath), None
        )


def take_router_stage(walk: Walk, vpc: Vpc, pipeline: Pipeline, stage: Stage) -> None:
    """Note what a stage of a router decides."""
    match stage.name:
        case "lr_in_admission":
            _arrive(walk, vpc, pipeline, stage)
        case "lr_in_ip_routing" | "lr_in_ip_routing_ecmp":
            _note_port(walk, stage)
            _route(walk, vpc, stage)
        case "lr_in_policy" | "lr_in_policy_ecmp":
            _note_port(walk, stage)
            _apply_policy(walk, vpc, stage)
        case "lr_in_gw_redirect":
            _redirect(walk, vpc, stage)
    if walk.verdict:
        return
    if found := stage.search(_TRANSLATION):
        _translate(walk, vpc, pipeline, (found[1], found[2]))
    if stage.name == "lr_in_ip_input" and stage.search(_ANSWERS):
        walk.step("route", f"the router of vpcs/{vpc.id} answers itself", (Kind.VPC, vpc.id))
        walk.verdict, walk.reason = (
            DELIVERED,
            f"{walk.destination} is the router of vpcs/{vpc.id}, which answers",
        )
    elif stage.search(_ASKS):
        walk.verdict, walk.vpc = PENDING, vpc
    elif stage.drops:
        walk.drop(_why_dropped(walk, vpc, stage), (Kind.VPC, vpc.id))


def _note_port(walk: Walk, stage: Stage) -> None:
    if found := stage.search(_PORT):
        walk.port = found[1]


def _why_dropped(walk: Walk, vpc: Vpc, stage: Stage) -> str:
    if stage.name == "lr_in_ip_routing":
        return _why_no_route(walk, vpc)
    if stage.name == "lr_in_ip_input":
        return f"the router of vpcs/{vpc.id} keeps it: {stage.match or 'nothing matches'}"
    return f"{stage.name} of vpcs/{vpc.id}: {stage.match or 'nothing matches'}"


def _why_no_route(walk: Walk, vpc: Vpc) -> str:
    """Say so, and why the routes that would lead there are not in use, or what would help."""
    address = ipaddress.ip_address(walk.destination)
    fitting = (
        entry
        for entry in list_routes(walk.world.snapshot, vpc, walk.world.observed)
        if not entry.active and address in ipaddress.ip_network(entry.destination)
    )
    unused = [f"{resource_name(entry.key)} is not in use: {entry.reason}" for entry in fitting]
    default = "0.0.0.0/0" if address.version == 4 else "::/0"
    told = "; ".join(unused) or f"create one, or one to {default}"
    return f"vpcs/{vpc.id} has no route to {walk.destination}: {told}"


def _arrive(walk: Walk, vpc: Vpc, pipeline: Pipeline, stage: Stage) -> None:
    """Move to where the router takes the packet: a gateway's port, or a distributed floating IP, is on one host."""
    exit = _exit(walk, vpc, pipeline.inport)
    found = _RESIDENT.search(stage.match)
    if exit is None or found is None:
        return
    binding = found[1]
    if binding == gateway_binding(exit):
        walk.move(walk.world.holders.get(binding, ""), exit.subnet)
        walk.step("gateway", f"gateway of vpcs/{vpc.id}", (Kind.VPC, vpc.id))
        return
    for subnet in walk.world.snapshot.subnets_of_vpc(vpc.id):
        nic = find_nic(walk.world.snapshot, subnet, binding)
        if nic is not None:
            walk.move(nic.host, exit.subnet)


def _route(walk: Walk, vpc: Vpc, stage: Stage) -> None:
    if found := _DESTINATION.search(stage.match):
        walk.next_hop = ""
        entries = list_routes(walk.world.snapshot, vpc, walk.world.observed)
        entry = next((e for e in entries if e.active and e.destination == found[1]), None)
        key = entry.key if entry is not None else (Kind.VPC, vpc.id)
        walk.steps.append(Step(kind="route", text=found[1], key=key, host=walk.host))
    hop = stage.search(_NEXT_HOP)
    if hop is None or not walk.steps or walk.steps[-1].kind != "route":
        return
    last = walk.steps[-1]
    walk.next_hop = walk.destination if hop[1].startswith("ip") else hop[1]
    told = "connected" if hop[1].startswith("ip") else f"via {hop[1]}"
    name = resource_name(last.key) if last.key is not None else ""
    walk.steps[-1] = Step(kind="route", text=f"{last.text} {told} ({name})", key=last.key, host=last.host)


def _apply_policy(walk: Walk, vpc: Vpc, stage: Stage) -> None:
    hop = stage.search(_NEXT_HOP)
    if hop is not None:
        walk.next_hop = hop[1]
    if stage.name != "lr_in_policy" or not stage.priority:
        return
    if stage.priority == priority.POLICY_GUARD:
        key: Key = (Kind.VPC, vpc.id)
        walk.drop(f"private addresses of vpcs/{vpc.id} are not reached from outside: NAT hides them", key)
        return
    policy = find_policy(walk.world.snapshot, vpc, stage.priority)
    if policy is None:
        return
    key = (Kind.ROUTING_POLICY, policy.id)
    # Without its service a rerouting policy does what its fallback says.
    fallen = ": its service does not work" if policy.action is PolicyAction.REROUTE and hop is None else ""
    if stage.drops:
        walk.drop(f"{resource_name(key)} denies it{fallen}", key)
        return
    told = f"reroutes it to {hop[1]}" if hop is not None else f"permits it{fallen}"
    walk.step("policy", f"{resource_name(key)} {told}", key)


def find_policy(snapshot: Snapshot, vpc: Vpc, number: int) -> RoutingPolicy | None:
    """Return the policy of a VPC whose row has this priority, in either direction."""
    if not priority.policy_back(PRIORITY_MIN) <= number <= priority.policy_forth(PRIORITY_MAX):
        return None
    numbers = (priority.policy_forth, priority.policy_back)
    found = (p for p in snapshot.policies_of_vpc(vpc.id) if number in (of(p.priority) for of in numbers))
    return next(found, None)


def _redirect(walk: Walk, vpc: Vpc, stage: Stage) -> None:
    found = stage.search(_GATEWAY)
    if found is None:
        return
    holder = walk.world.holders.get(found[1], "")
    if not holder:
        walk.drop(f"no host is the gateway of vpcs/{vpc.id} there", (Kind.VPC, vpc.id))
        return
    walk.move(holder, None)
    walk.step("gateway", f"gateway of vpcs/{vpc.id}", (Kind.VPC, vpc.id))


def _translate(walk: Walk, vpc: Vpc, pipeline: Pipeline, told: tuple[str, str]) -> None:
    side, address = told
    if side == "s":
        exit = _exit(walk, vpc, pipeline.outport)
        key = _source_of(walk, exit, address) if exit is not None else None
        walk.step("nat", f"source becomes {address}", key)
        walk.source = address
        return
    for exit in exits_of(walk.world.snapshot, vpc):
        for floating in walk.world.snapshot.floating_ips_of_subnet(exit.subnet.id):
            if floating.address == walk.destination:
                walk.step(
                    "nat",
                    f"destination {floating.address} becomes {address}",
                    (Kind.FLOATING_IP, floating.id),
                )
    walk.destination = address


def _source_of(walk: Walk, exit: Exit, address: str) -> Key:
    """Return what translates to an address: a floating IP, or the connection's own."""
    for floating in walk.world.snapshot.floating_ips_of_subnet(exit.subnet.id):
        if floating.address == address:
            return Kind.FLOATING_IP, floating.id
    return Kind.SUBNET, exit.subnet.id


def _exit(walk: Walk, vpc: Vpc, port: str) -> Exit | None:
    found = (exit for exit in exits_of(walk.world.snapshot, vpc) if exit.port_name == port)
    return next(found, None)
