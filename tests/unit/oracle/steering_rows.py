"""A second evaluator of steering rules, as naive as can be: what an agent must make of them, rule by rule."""

from __future__ import annotations

import ipaddress

from netctl.model.assignment_chains import PortSpan, Segment, SteeringRule
from tests.oracle.policy_words import ARP, ECHO, TCP, UDP
from tests.oracle.steering import Frame


def chain_of(segment: Segment, frame: Frame) -> str:
    """Return the chain that a frame of a segment passes, "" for none."""
    for rule in sorted(segment.rules, key=lambda rule: -rule.priority):
        if matches(rule, frame):
            return rule.chain_id
    return ""


def matches(rule: SteeringRule, frame: Frame) -> bool:
    """Does a rule, said as the local side sends, match a frame of either direction?"""
    packet, mac = frame.packet, frame.port.nic.mac_address
    if rule.local_mac_addresses and mac not in rule.local_mac_addresses:
        return False
    if rule.ip_version == 0:
        return True
    if packet.protocol == ARP or packet.version != rule.ip_version:
        return False
    ends = (packet.source, packet.destination)
    local, peer = ends if frame.outgoing else ends[::-1]
    if not _is_in(local, rule.local_networks) or not _is_in(peer, rule.peer_networks):
        return False
    if rule.protocol is not None and packet.protocol != rule.protocol:
        return False
    if packet.protocol in (TCP, UDP):
        of_local_opener = frame.outgoing is rule.local_opens
        ports = (packet.source_port, packet.destination_port)
        opener, other = ports if of_local_opener else ports[::-1]
        return _spans(opener, rule.source_ports) and _spans(other, rule.destination_ports)
    if packet.protocol in ECHO:
        return rule.icmp_type in (None, packet.icmp_type) and rule.icmp_code in (None, packet.icmp_code)
    return True


def _is_in(address: str, networks: tuple[str, ...]) -> bool:
    one = ipaddress.ip_address(address)
    return not networks or any(one in ipaddress.ip_network(network) for network in networks)


def _spans(port: int, spans: tuple[PortSpan, ...]) -> bool:
    return not spans or any(span.first <= port <= span.last for span in spans)
