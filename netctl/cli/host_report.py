"""What a host's agent said last, as lines for `netctl describe host`."""

from __future__ import annotations

from collections.abc import Iterator

from netctl.cli.client import Client
from netctl.v1 import agent_pb2, infra_pb2

Lines = list[tuple[str, str]]


def read_report(client: Client, name: str) -> infra_pb2.GetHostReportResponse:
    """Ask the controller what a host said last."""
    request = infra_pb2.GetHostReportRequest(name=name)
    return client.call("HostService/GetHostReport", request, infra_pb2.GetHostReportResponse)


def describe_report(heard: infra_pb2.GetHostReportResponse) -> Lines:
    """Return the lines: agent, ovn-controller, bridges, bonds, links, tunnels, NICs, functions, problems."""
    if not heard.HasField("report"):
        return [("agent", "has said nothing since the controller started")]
    report = heard.report
    lines: Lines = [("agent", f"{report.agent_version}, {'connected' if heard.connected else 'gone'}")]
    connected = "connected" if report.ovn_controller_connected else "not connected to the southbound database"
    lines.append(("ovn-controller", f"{connected}, flows up to nb_cfg {report.nb_cfg}"))
    lines += [("bridge", bridge_line(bridge)) for bridge in report.bridges]
    lines += [("bond", _bond_line(bond)) for bond in report.bonds]
    for link in report.links:
        lines.append(("link", _link_line(link)))
        lines += [("", f"  {text}") for text in _more_of_link(link)]
    for tunnel in report.tunnels:
        bfd = f"  BFD {_up(tunnel.bfd_up)}" if tunnel.bfd else ""  # where one of the two is a gateway host
        lines.append(("tunnel", f"to {tunnel.remote_ip}  {_up(tunnel.up)}{bfd}"))
    installed = sum(nic.ovn_installed for nic in report.nics)
    if report.nics:
        plugged = sum(
            nic.plugged for nic in report.nics
        )  # those of VLAN basic and of functions need no flows
        lines.append(("NICs", f"{plugged} of {len(report.nics)} plugged, {installed} with OVN's flows"))
    lines += [("function", f"{one.function_id}  {function_line(one)}") for one in report.functions]
    lines += [("undone", f"{_time(one)}  {one.message}") for one in report.reversions]
    lines += [("problem", problem) for problem in report.problems]
    return lines


def bridge_line(bridge: agent_pb2.BridgeReport) -> str:
    """Return `br0  physnet-vs0  up`, and whether a change was undone."""
    undone = "  a change cut the host off and was undone" if bridge.rolled_back_settings_id else ""
    return f"{bridge.bridge}  {bridge.physnet}  {_up(bridge.up)}{undone}"


def _bond_line(bond: agent_pb2.BondReport) -> str:
    mode = f"  {bond.bond_mode}" if bond.bond_mode else ""
    lacp = f"  LACP {bond.lacp_status}" if bond.lacp_status not in ("", "off") else ""
    members = ", ".join(bond.up_interfaces) or "none"
    return f"{bond.bond}{mode}{lacp}  active {bond.active_interface or 'none'}  up {members}"


def _link_line(link: agent_pb2.LinkReport) -> str:
    if not link.present:
        return f"{link.interface}  missing"
    speed = f"  {speed_text(link)}" if link.speed_mbps else ""
    where = f"  in {link.bridge}" if link.bridge else "  unused" if not link.uplink else ""
    return f"{link.interface}  {_up(link.up)}{speed}  mtu {link.mtu_bytes}{where}"


def _more_of_link(link: agent_pb2.LinkReport) -> Iterator[str]:
    if link.addresses:
        yield f"addresses {', '.join(link.addresses)}"
    if link.HasField("neighbor"):
        vlan = f", VLAN {link.neighbor.port_vlan_id}" if link.neighbor.port_vlan_id else ""
        yield f"cable to {neighbor_text(link)}{vlan}"


def neighbor_text(link: agent_pb2.LinkReport) -> str:
    """Return the switch and port at the other end of a cable: `leaf1 Ethernet1/7`; "" when it says nothing."""
    if not link.HasField("neighbor"):
        return ""
    neighbor = link.neighbor
    parts = (neighbor.system_name or neighbor.chassis_id, neighbor.port_id or neighbor.port_description)
    return " ".join(part for part in parts if part)


def speed_text(link: agent_pb2.LinkReport) -> str:
    """Return the speed as people say it: `25G`, `100M`; half duplex is said; "" when unknown."""
    if link.speed_mbps <= 0:
        return ""
    whole, rest = divmod(link.speed_mbps, 1000)
    text = f"{whole}G" if whole and not rest else f"{link.speed_mbps / 1000:g}G" if whole else f"{rest}M"
    return text if link.full_duplex else f"{text} half"


def function_line(function: agent_pb2.FunctionReport) -> str:
    """Return what a network function does on a host: the active tap, and why others do not work."""
    if not function.pairs:
        return "no pair here"
    active = f"active {function.active_ingress_tap}" if function.active_ingress_tap else "no pair works"
    ill = [
        f"{pair.ingress_tap}: {pair.reason or 'not healthy'}" for pair in function.pairs if not pair.healthy
    ]
    healthy = sum(pair.healthy for pair in function.pairs)
    return "; ".join((f"{active}, {healthy} of {len(function.pairs)} healthy", *ill))


def _time(reversion: agent_pb2.Reversion) -> str:
    return str(reversion.time.ToDatetime().strftime("%Y-%m-%d %H:%M:%S UTC"))


def _up(up: bool) -> str:
    return "up" if up else "down"
