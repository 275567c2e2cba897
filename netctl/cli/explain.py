"""Explanations in lines and tables: a VPC's router, a policy's hits, the path of a packet."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence

from netctl.cli.client import Client
from netctl.cli.failures import Failure
from netctl.cli.kinds import BY_COLLECTION, resource_name
from netctl.cli.messages import render_json
from netctl.cli.output import align, print_data, print_table
from netctl.v1 import explain_pb2 as pb

# ovn-trace reads the whole southbound database, and once more for each router with an unknown neighbour.
TRACE_TIMEOUT_S = 120.0
_ORIGINS = {
    pb.ROUTE_ORIGIN_CONNECTED: "connected",
    pb.ROUTE_ORIGIN_STATIC: "static",
    pb.ROUTE_ORIGIN_SPOKE: "spoke",
}


def explain_vpc(client: Client, name: str) -> pb.ExplainVpcResponse:
    """Read the router of a VPC."""
    return client.call("ExplainService/ExplainVpc", pb.ExplainVpcRequest(name=name), pb.ExplainVpcResponse)


def describe_router(router: pb.ExplainVpcResponse) -> list[tuple[str, str]]:
    """Return the lines of a router: tables of routes, policies, NAT and gateways, then what is wrong."""
    lines = [
        *_table(
            "routes", ("DESTINATION", "VIA", "FROM", "PRIORITY", "USED", "WHY"), map(_route, router.routes)
        ),
        *_table(
            "policies",
            ("PRIORITY", "NAME", "MATCH", "ACTION", "PACKETS", "BYTES", "ACTIVE", "WHY NOT"),
            map(_policy, router.policies),
        ),
        *_table("NAT", ("KIND", "OUTSIDE", "INSIDE", "WHERE", "FROM"), map(_nat, router.nat)),
        *_table(
            "gateways",
            ("SUBNET", "ADDRESSES", "ACTIVE", "WHY THAT ONE", "HOSTS"),
            map(_gateway, router.gateways),
        ),
    ]
    return [("", line) for line in lines] + [("", f"problem: {problem}") for problem in router.problems]


def print_hits(client: Client, name: str, output: str) -> None:
    """Read and print how often a routing policy matched."""
    request = pb.GetRoutingPolicyHitsRequest(name=name)
    hits = client.call("ExplainService/GetRoutingPolicyHits", request, pb.GetRoutingPolicyHitsResponse)
    if output in ("json", "yaml"):
        print_data(render_json(hits, zeros=True), output)
        return
    since = "it was created"
    if hits.HasField("clear_time"):
        since = f"{hits.clear_time.ToDatetime():%Y-%m-%d %H:%M:%S UTC}, when it was cleared"
    print(f"{name}: {hits.packets} packets, {hits.bytes} bytes since {since}")
    if hits.hosts:
        print_table(
            ("HOST", "PACKETS", "BYTES"),
            [(_id(host.host), str(host.packets), str(host.bytes)) for host in hits.hosts],
        )
    if hits.missing_hosts:
        print(f"did not answer, counted as of before: {', '.join(map(_id, hits.missing_hosts))}")


def clear_hits(client: Client, name: str) -> None:
    """Count a routing policy from zero again."""
    request = pb.ClearRoutingPolicyHitsRequest(name=name)
    client.call("ExplainService/ClearRoutingPolicyHits", request, pb.ClearRoutingPolicyHitsResponse)


def print_trace(client: Client, request: pb.TraceRequest, output: str) -> None:
    """Trace a packet and print its path."""
    path = client.call("ExplainService/Trace", request, pb.TraceResponse, timeout_s=TRACE_TIMEOUT_S)
    if output in ("json", "yaml"):
        print_data(render_json(path, zeros=True), output)
        return
    for line in align([(_id(step.host), step.kind, step.text) for step in path.steps]):
        print(line)
    print(f"{path.verdict}: {path.reason}")
    if output == "wide":
        print(path.raw)


def parse_target(text: str) -> tuple[str, int]:
    """Return destination and port of `10.0.0.5:443`, `[fd00::5]:443`, `fd00::5`, `nic/web-1` or `web-1:443`."""
    if text.startswith("["):
        address, _, rest = text[1:].partition("]")
        return address, _parse_port(text, rest.removeprefix(":")) if rest else 0
    host, colon, port = text.partition(":")
    if ":" in port:  # an IPv6 address has more than one
        return text, 0
    number = _parse_port(text, port) if colon else 0
    return (host if _is_address(host) else resource_name(BY_COLLECTION["nics"], host)), number


def _parse_port(text: str, port: str) -> int:
    if not (port.isdecimal() and 1 <= int(port) <= 65_535):
        raise Failure.usage(
            f"{text!r} has no port from 1 to 65535", hint="write e.g. 10.0.0.5:443 or [fd00::5]:443"
        )
    return int(port)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return text[:1].isdigit()  # no id begins so: a mistyped address is the server's to refuse
    return True


def _route(entry: pb.RouteEntry) -> tuple[str, ...]:
    hops = ", ".join(map(_id, entry.next_hops))
    priority = str(entry.priority) if entry.priority else ""
    return entry.destination, hops, _ORIGINS.get(entry.origin, ""), priority, _yes(entry.active), entry.reason


def _policy(entry: pb.PolicyEntry) -> tuple[str, ...]:
    counts = (str(entry.packets), str(entry.bytes))
    name = _id(entry.name)
    return str(entry.priority), name, entry.match, entry.action, *counts, _yes(entry.active), entry.reason


def _nat(entry: pb.NatEntry) -> tuple[str, ...]:
    return entry.kind, entry.external_address, entry.private_addresses, _id(entry.where), entry.resource_name


def _gateway(entry: pb.GatewayEntry) -> tuple[str, ...]:
    hosts = (f"{_id(h.host)} ({h.priority}{'' if h.alive else ', not alive'})" for h in entry.hosts)
    addresses = ", ".join(entry.addresses)
    return _id(entry.subnet), addresses, _id(entry.active_host), entry.reason, ", ".join(hosts)


def _table(title: str, headers: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return a titled table as lines, nothing when it is empty."""
    table = [[cell or "-" for cell in row] for row in rows]
    return [title, *(f"  {line}" for line in align([headers, *table])), ""] if table else []


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _id(name: str) -> str:
    """Return the id in a resource name; anything else as it is."""
    kind, slash, id = name.partition("/")
    return id if slash and kind in BY_COLLECTION else name
