"""What a host's agent said last, as lines for `netctl describe host`."""

from __future__ import annotations

from netctl.cli.client import Client
from netctl.v1 import infra_pb2

Lines = list[tuple[str, str]]


def read_report(client: Client, name: str) -> infra_pb2.GetHostReportResponse:
    """Ask the controller what a host said last."""
    request = infra_pb2.GetHostReportRequest(name=name)
    return client.call("HostService/GetHostReport", request, infra_pb2.GetHostReportResponse)


def describe_report(heard: infra_pb2.GetHostReportResponse) -> Lines:
    """Return the lines: agent, ovn-controller, bridges, bonds, links, tunnels, NICs, problems."""
    if not heard.HasField("report"):
        return [("agent", "has said nothing since the controller started")]
    report = heard.report
    lines: Lines = [("agent", f"{report.agent_version}, {'connected' if heard.connected else 'gone'}")]
    connected = "connected" if report.ovn_controller_connected else "not connected to the southbound database"
    lines.append(("ovn-controller", f"{connected}, flows up to nb_cfg {report.nb_cfg}"))
    lines += [("bridge", f"{b.bridge}  {b.physnet}  {_up(b.up)}") for b in report.bridges]
    for bond in report.bonds:
        members = ", ".join(bond.up_interfaces) or "none"
        lines.append(("bond", f"{bond.bond}  active {bond.active_interface or 'none'}  up {members}"))
    for link in report.links:
        state = f"{_up(link.up)}  mtu {link.mtu_bytes}" if link.present else "missing"
        lines.append(("link", f"{link.interface}  {state}"))
    for tunnel in report.tunnels:
        bfd = f"  BFD {_up(tunnel.bfd_up)}" if tunnel.bfd else ""  # where one of the two is a gateway host
        lines.append(("tunnel", f"to {tunnel.remote_ip}  {_up(tunnel.up)}{bfd}"))
    installed = sum(nic.ovn_installed for nic in report.nics)
    if report.nics:
        lines.append(("NICs", f"{installed} of {len(report.nics)} have their flows"))
    lines += [("problem", problem) for problem in report.problems]
    return lines


def _up(up: bool) -> str:
    return "up" if up else "down"
