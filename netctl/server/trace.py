"""Trace: from a request to a packet, ovn-trace run over the southbound database, and the answer as a message."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from netctl.analysis.ends import plugged_as
from netctl.analysis.gateways import gateway_binding
from netctl.analysis.probe import Probe
from netctl.analysis.trace import trace_packet
from netctl.analysis.trace_walk import DELIVERED, Walk, World
from netctl.compiler.exits import exits_of
from netctl.compiler.observed import Observed
from netctl.errors import InvalidIntent, NotFound, SouthboundUnavailable, Unavailable, Unsupported
from netctl.model import shape
from netctl.model.keys import HostId, Kind, NetworkFunctionId, NicId, check_id, resource_name
from netctl.model.nic import Nic
from netctl.model.snapshot import Snapshot
from netctl.server.convert import parse_name
from netctl.server.ports import Southbound
from netctl.v1 import explain_pb2 as pb

# It reads the whole database first: seconds for one of 100,000 ports.
_LONGEST_S = 30.0
_SOURCE_PORT = 40_000
_LOOKS_MAX = 16
_PROTOCOLS = ("icmp", "tcp", "udp")
_NIC_PREFIX = f"{Kind.NIC.value}/"


@dataclass(frozen=True, slots=True, kw_only=True)
class HostsSay:
    """Questions to what hosts say, as `World` asks them: of a NIC without a tap, of a function that does not work."""

    absent: Callable[[Nic], bool] = lambda nic: False
    stopped: Callable[[HostId, NetworkFunctionId], bool] = lambda host, function: False


def trace(
    snapshot: Snapshot,
    observed: Observed,
    southbound: Southbound,
    request: pb.TraceRequest,
    *,
    heard: HostsSay | None = None,
) -> pb.TraceResponse:
    """Return the path of a packet; blocks for as long as ovn-trace takes. Errors say what cannot be traced.

    `heard` is what hosts say meanwhile.
    """
    nic = _find_nic(snapshot, "nic", request.nic)
    if not nic.has_port:
        raise InvalidIntent(
            "nic", f"{request.nic[:80]} is {plugged_as(nic)}: OVN sees nothing of it, and no policies apply"
        )
    wanted = _parse_probe(snapshot, nic, request)
    target = request.destination if request.destination.startswith(_NIC_PREFIX) else ""
    holders = _find_holders(snapshot, southbound)
    heard = heard or HostsSay()
    world = World(
        snapshot=snapshot, observed=observed, holders=holders, absent=heard.absent, stopped=heard.stopped
    )
    walk, raw = trace_packet(world, nic, wanted, lambda packet: run_ovn_trace(southbound.remote, packet))
    return pb.TraceResponse(
        steps=[
            pb.TraceStep(
                kind=step.kind,
                resource_name=resource_name(step.key) if step.key is not None else "",
                text=step.text,
                host=f"{Kind.HOST.value}/{step.host}" if step.host else "",
            )
            for step in walk.steps
        ],
        verdict=walk.verdict,
        reason=walk.reason + _mistaken(walk, target),
        raw=raw,
    )


def _mistaken(walk: Walk, target: str) -> str:
    """Say that another NIC has the address of the one that was asked for: networks of VPCs may overlap."""
    key = walk.steps[-1].key
    if not target or walk.verdict != DELIVERED or key is None or resource_name(key) == target:
        return ""
    nic = walk.world.snapshot.nic(NicId(key[1])) if key[0] is Kind.NIC else None
    if nic is None or walk.destination not in (nic.ipv4_address, nic.ipv6_address):
        return ""
    return f", which has that address here, and not {target}"


def run_ovn_trace(remote: str, packet: str) -> str:
    """Return what ovn-trace says of a packet that begins a connection."""
    # Each look into conntrack takes one --ct: one at each switch port with ACLs, and in each router.
    command = ["ovn-trace", f"--db={remote}", "--no-friendly-names", *["--ct=new"] * _LOOKS_MAX, packet]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_LONGEST_S, check=False)
    except FileNotFoundError as error:
        raise Unsupported(
            "ovn-trace is not installed where the controller runs; Debian has it in the package ovn-common"
        ) from error
    except subprocess.TimeoutExpired as error:
        raise SouthboundUnavailable(
            f"southbound database {remote}: ovn-trace has no answer in {_LONGEST_S:g} s"
        ) from error
    # It says so of a port that it does not know on standard output, with status 0 (23.03).
    if done.returncode or done.stdout.startswith("unknown port"):
        lines = (done.stderr or done.stdout).strip().splitlines() or ["no reason given"]
        raise Unavailable(
            f"ovn-trace cannot follow the packet; has OVN taken the NIC yet? It says: {lines[-1][:300]}"
        )
    return done.stdout


def _find_nic(snapshot: Snapshot, field: str, name: str) -> Nic:
    id = parse_name(field, name, Kind.NIC)
    check_id(field, id)
    nic = snapshot.nic(NicId(id))
    if nic is None:
        raise NotFound(f"nics/{id} does not exist", field=field)
    return nic


def _parse_probe(snapshot: Snapshot, nic: Nic, request: pb.TraceRequest) -> Probe:
    """Return the packet that is asked for, without what the NIC adds."""
    protocol = request.protocol or ("tcp" if request.destination_port else "icmp")
    if protocol not in _PROTOCOLS:
        raise InvalidIntent("protocol", f"{protocol[:20]!r} is none of icmp, tcp and udp")
    for field in ("destination_port", "source_port"):
        shape.check_range(field, getattr(request, field), low=0, high=65_535)
        if protocol == "icmp" and getattr(request, field):
            raise InvalidIntent(field, "icmp has no ports; use tcp or udp")
    if protocol != "icmp" and not request.destination_port:
        raise InvalidIntent("destination_port", f"is needed with {protocol}")
    return Probe(
        inport="",
        mac="",
        next_mac="",
        source="",
        destination=_parse_destination(snapshot, nic, request.destination),
        protocol=protocol,
        source_port=request.source_port or (0 if protocol == "icmp" else _SOURCE_PORT),
        destination_port=request.destination_port,
    )


def _parse_destination(snapshot: Snapshot, nic: Nic, text: str) -> str:
    if not text.startswith(_NIC_PREFIX):
        with contextlib.suppress(InvalidIntent):
            return shape.canonical_any_address("destination", text)
        raise InvalidIntent(
            "destination",
            f"{text[:80]!r} is neither a unicast address nor a NIC, e.g. 10.0.1.5 or nics/web-1",
        )
    target = _find_nic(snapshot, "destination", text)
    if nic.ipv4_address and target.ipv4_address:
        return target.ipv4_address
    if nic.ipv6_address and target.ipv6_address:
        return target.ipv6_address
    raise InvalidIntent(
        "destination", f"{text[:80]} and {resource_name((Kind.NIC, nic.id))} have no IP version in common"
    )


def _find_holders(snapshot: Snapshot, southbound: Southbound) -> Mapping[str, str]:
    vpcs = snapshot.table(Kind.VPC).values()
    exits = (exit for vpc in vpcs for exit in exits_of(snapshot, vpc) if exit.connection.gateways)
    return southbound.chassis_of_ports([gateway_binding(exit) for exit in exits])
