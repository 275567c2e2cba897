"""What hosts report, in and out again, and what they are asked."""

from __future__ import annotations

import ipaddress
import itertools
from collections.abc import Collection, Mapping

from netctl.errors import InvalidIntent
from netctl.model.chain import NIC_PAIRS_MAX
from netctl.model.hits import FlowKey, Hits
from netctl.model.keys import HostId, check_id
from netctl.model.nic import TRUNK_VLANS_MAX, VLAN_TAG_MAX
from netctl.model.status import (
    BondReport,
    BridgeReport,
    FunctionReport,
    HostReport,
    LinkReport,
    LldpNeighbor,
    NicReport,
    PairReport,
    Reversion,
    TunnelReport,
)
from netctl.server.convert import fill, seconds_from_proto, set_time
from netctl.v1 import agent_pb2

# A report is bounded by its host's size; text in it ends in statuses that people read.
_SENTENCES_MAX = 20
_SENTENCE_MAX = 500
_ADDRESSES_MAX = 64
# Texts of LLDP have up to 255 bytes (IEEE 802.1AB, 8.5).
_ANNOUNCED_MAX = 255
_BONDS_MAX = 256
# Clients refuse messages above 4 MiB; an entry has some 50 bytes.
_MAC_ENTRIES_MAX = 20_000
# Eight for each port, of a NIC with as many VLANs as one may have.
_LEARNED_MAX = 8 * (1 + TRUNK_VLANS_MAX)


def report_from_proto(message: agent_pb2.HostReport) -> HostReport:
    """Return what an agent said."""
    if not message.host_id:
        raise InvalidIntent("report.host_id", "is empty; every message carries a whole report")
    check_id("report.host_id", message.host_id)
    return HostReport(
        host=HostId(message.host_id),
        agent_version=message.agent_version,
        assignment_revision=message.assignment_revision,
        nb_cfg=message.nb_cfg,
        ovn_controller_connected=message.ovn_controller_connected,
        nics=tuple(_nic(nic) for nic in message.nics),
        links=tuple(_link(link) for link in message.links),
        bonds=tuple(_bond(bond) for bond in message.bonds),
        bridges=tuple(_bridge(bridge) for bridge in message.bridges),
        tunnels=tuple(
            TunnelReport(remote_ip=tunnel.remote_ip, up=tunnel.up, bfd=tunnel.bfd, bfd_up=tunnel.bfd_up)
            for tunnel in message.tunnels
        ),
        problems=tuple(problem[:_SENTENCE_MAX] for problem in message.problems[:_SENTENCES_MAX]),
        functions=tuple(_function(function) for function in message.functions),
        reversions=tuple(_reversion(one) for one in message.reversions[-_SENTENCES_MAX:]),
        time_s=seconds_from_proto(message.time),
    )


def _link(message: agent_pb2.LinkReport) -> LinkReport:
    return LinkReport(
        interface=message.interface,
        present=message.present,
        up=message.up,
        mtu_bytes=message.mtu_bytes,
        uplink=message.uplink,
        mac_address=message.mac_address,
        speed_mbps=message.speed_mbps,
        full_duplex=message.full_duplex,
        driver=message.driver,
        bridge=message.bridge,
        addresses=tuple(message.addresses[:_ADDRESSES_MAX]),
        neighbor=_neighbor(message.neighbor) if message.HasField("neighbor") else None,
    )


def _neighbor(message: agent_pb2.LldpNeighbor) -> LldpNeighbor:
    """Return who is at the other end of a cable, as printable text: anybody there can say anything."""
    return LldpNeighbor(
        chassis_id=_printable(message.chassis_id),
        port_id=_printable(message.port_id),
        port_description=_printable(message.port_description),
        system_name=_printable(message.system_name),
        system_description=_printable(message.system_description),
        port_vlan_id=message.port_vlan_id,
        management_address=_printable(message.management_address),
    )


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text[:_ANNOUNCED_MAX])


def _bond(message: agent_pb2.BondReport) -> BondReport:
    return BondReport(
        bond=message.bond,
        active_interface=message.active_interface,
        up_interfaces=tuple(message.up_interfaces),
        bond_mode=message.bond_mode,
        lacp_status=message.lacp_status,
    )


def _bridge(message: agent_pb2.BridgeReport) -> BridgeReport:
    return BridgeReport(
        bridge=message.bridge,
        physnet=message.physnet,
        up=message.up,
        settings_id=message.settings_id,
        rolled_back_settings_id=message.rolled_back_settings_id,
    )


def _function(message: agent_pb2.FunctionReport) -> FunctionReport:
    return FunctionReport(
        function_id=message.function_id,
        active_ingress_tap=message.active_ingress_tap,
        pairs=tuple(
            PairReport(
                ingress_tap=pair.ingress_tap,
                healthy=pair.healthy,
                reason=pair.reason[:_SENTENCE_MAX],
                undecided=pair.undecided,
            )
            for pair in message.pairs[:NIC_PAIRS_MAX]
        ),
    )


def _reversion(message: agent_pb2.Reversion) -> Reversion:
    return Reversion(time_s=seconds_from_proto(message.time), message=message.message[:_SENTENCE_MAX])


def _nic(message: agent_pb2.NicReport) -> NicReport:
    return NicReport(
        iface_id=message.iface_id,
        tap_present=message.tap_present,
        plugged=message.plugged,
        ovn_installed=message.ovn_installed,
        learned_addresses=tuple(_learned(message.learned_addresses)),
        guarded=message.guarded,
        resumed=message.resumed,
        announce_ms=message.announce_ms,
    )


def _learned(messages: Collection[agent_pb2.LearnedAddress]) -> list[tuple[int, str]]:
    """Return the addresses that a guest uses, in the spelling of the model; what is none is left out."""
    found = set()
    for message in itertools.islice(messages, _LEARNED_MAX):
        try:
            address = ipaddress.ip_address(message.address)
        except ValueError:
            continue
        if 0 <= message.vlan_id <= VLAN_TAG_MAX and "%" not in message.address:
            found.add((message.vlan_id, str(address)))
    return sorted(found)


def report_to_proto(report: HostReport) -> agent_pb2.HostReport:
    """Return the message of a report."""
    message = agent_pb2.HostReport(
        host_id=report.host,
        agent_version=report.agent_version,
        assignment_revision=report.assignment_revision,
        nb_cfg=report.nb_cfg,
        ovn_controller_connected=report.ovn_controller_connected,
        nics=[_nic_to_proto(nic) for nic in report.nics],
        problems=report.problems,
    )
    for parts, messages in (
        (report.links, message.links),
        (report.bonds, message.bonds),
        (report.bridges, message.bridges),
        (report.tunnels, message.tunnels),
        (report.functions, message.functions),
    ):
        for part in parts:
            fill(messages.add(), part)
    for reversion in report.reversions:
        set_time(message.reversions.add(message=reversion.message).time, reversion.time_s)
    if report.time_s:
        set_time(message.time, report.time_s)
    return message


def _nic_to_proto(nic: NicReport) -> agent_pb2.NicReport:
    learned = [
        agent_pb2.LearnedAddress(vlan_id=vlan_id, address=address)
        for vlan_id, address in nic.learned_addresses
    ]
    return agent_pb2.NicReport(
        iface_id=nic.iface_id,
        tap_present=nic.tap_present,
        plugged=nic.plugged,
        ovn_installed=nic.ovn_installed,
        learned_addresses=learned,
        guarded=nic.guarded,
        resumed=nic.resumed,
        announce_ms=nic.announce_ms,
    )


def question_to_proto(number: int, keys: Collection[FlowKey]) -> agent_pb2.CountFlows:
    """Return the message that asks for flow counters."""
    flows = [agent_pb2.FlowKey(cookie=key.cookie, datapath=key.datapath) for key in keys]
    return agent_pb2.CountFlows(id=number, flows=flows)


def counts_from_proto(message: agent_pb2.FlowCounts) -> Mapping[FlowKey, Hits]:
    """Return the counters that an agent read."""
    return {
        FlowKey(count.key.cookie, count.key.datapath): Hits(count.packets, count.bytes)
        for count in message.counts
    }


def inspection_from_proto(message: agent_pb2.Inspection) -> agent_pb2.Inspection:
    """Return what an agent saw as it is told to whom asked, no more than one message holds."""
    return agent_pb2.Inspection(
        problem=message.problem[:_SENTENCE_MAX],
        bonds=message.bonds[:_BONDS_MAX],
        mac_entries=message.mac_entries[:_MAC_ENTRIES_MAX],
    )
