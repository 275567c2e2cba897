"""A packet's fate by ovn-trace, in the oracle's words.

ovn-trace (23.03) has limits that are filled in here:
- it asks no machine: who has which MAC address on the external subnets is written to MAC_Binding beforehand;
- it does not judge port security (a table of ovn-controller's since 22.09): the southbound's column is applied here;
- it believes every gateway port to be on the chassis it looks from, so where a thing happens is not seen.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from netctl.model.subnet import Subnet, SubnetKind
from tests.functional.oracle.daemon import ASIDE, NEW, OUTPUT, Daemon, tracer
from tests.oracle.neighbours import Neighbours, outside_mac
from tests.oracle.probes import Probe
from tests.oracle.words import Answered, Delivered, Dropped, Fate, Layout, SentOut, inside
from tests.servers import OvsdbServer, run

_SET = re.compile(r"\b(ip[46]\.(?:src|dst)|eth\.dst) ?= ?([0-9a-f.:]+)")
_ECHO_REPLIES = ("icmp4.type = 0;", "icmp6.type = 129;")
_TTL = 8  # enough for every way without a loop; a loop that branches costs 2^TTL


@dataclass(slots=True)
class _Packet:
    """What is known of the packet inside one block of the output."""

    fields: dict[str, str]
    aside: bool = False


@dataclass(frozen=True, slots=True)
class Trace:
    """ovn-trace, and what its answers are read with."""

    layout: Layout
    sb: OvsdbServer
    daemon: Daemon
    port_security: dict[str, str] = field(default_factory=dict)

    def disagreement(self, probe: Probe) -> str:
        """Return what ovn-trace says otherwise than the oracle, "" for nothing.

        It has one --select-id for a whole way: where two routers choose one after the other, not every pair is seen.
        """
        fates, said = self.fates(probe)
        wanted = probe.fates(self.layout)
        chained = any(answer.count("select:") > 1 for answer in said)
        if fates == wanted or (chained and fates <= wanted):
            return ""
        oracle, trace = (sorted(map(str, each)) for each in (wanted, fates))
        return "\n".join([str(probe), f"oracle: {oracle}", f"trace: {trace}", *said])

    def fates(self, probe: Probe) -> tuple[frozenset[Fate], list[str]]:
        """Return the fates for each choice among next hops, and what ovn-trace said."""
        datapath, flow = self._microflow(probe)
        said = [self.daemon.ask(datapath, flow)]
        found = self.read(said[0], probe)
        if "select:" in said[0]:
            for choice in range(1, 9):
                one = self._ask_choosing(datapath, flow, choice)
                if f"= {choice} {{" not in one:  # there are not so many
                    break
                found |= self.read(one, probe)
                said.append(one)
        return found, said

    def read(self, said: str, probe: Probe) -> frozenset[Fate]:
        """Read what `--minimal` prints: changes of fields, and outputs in the blocks where they happen."""
        version = probe.packet.version
        start = {f"ip{version}.src": probe.packet.source, f"ip{version}.dst": probe.packet.destination}
        stack = [_Packet(start)]
        found: set[Fate] = set()
        for line in said.splitlines():
            text = line.strip()
            if text.startswith("#"):
                continue
            if text.endswith("{"):
                inner = _Packet(dict(stack[-1].fields), stack[-1].aside or bool(ASIDE.match(text + " ")))
                stack.append(inner)
            if text.startswith("}"):
                stack.pop()
            inside_now = stack[-1]
            inside_now.fields.update(_SET.findall(text))
            if text in _ECHO_REPLIES and not inside_now.aside:
                found.add(Answered(inside_now.fields[f"ip{version}.src"]))
                inside_now.aside = True  # whether the answer finds its way back is not asked
            if (output := OUTPUT.search(text)) and not inside_now.aside:
                found.add(self._fate(output[1], inside_now.fields, version))
        return frozenset(found or {Dropped("ovn-trace shows no output")})

    def _fate(self, port: str, fields: dict[str, str], version: int) -> Fate:
        source, destination = fields[f"ip{version}.src"], fields[f"ip{version}.dst"]
        if port.startswith("localnet-"):
            subnet = next(found for found in self.layout.subnets if found.meta.uid[:6] == port[9:15])
            hop = Neighbours(self.layout).machine_with(subnet, fields.get("eth.dst", ""), version)
            return SentOut(subnet.id, hop, source, destination)
        nic = next(found for found in self.layout.nics if found.meta.uid[:6] == port[:6])
        allowed = self.port_security.get(nic.meta.uid, "").split()[1:]
        if allowed and not any(inside(destination, part) for part in allowed):
            return Dropped("port security")
        return Delivered(nic.id, source, destination)

    def _microflow(self, probe: Probe) -> tuple[str, str]:
        packet = probe.packet
        if probe.nic:
            nic = self.layout.nic(probe.nic)
            subnet = self.layout.subnet(nic.subnet)
            port, mac = str(nic.meta.uid), nic.mac_address
        else:
            subnet = self.layout.subnet(probe.subnet)
            port, mac = localnet(subnet), outside_mac(packet.source)
        terms = [
            f'inport=="{port}"',
            f"eth.src=={mac}",
            f"eth.dst=={Neighbours(self.layout).mac_of(subnet, probe.first_hop(self.layout))}",
            f"ip.ttl=={_TTL}",
            f"ip{packet.version}.src=={packet.source}",
            f"ip{packet.version}.dst=={packet.destination}",
        ]
        if packet.protocol == "icmp":
            terms.append("icmp4.type==8" if packet.version == 4 else "icmp6.type==128")
        else:
            terms.append(f"{packet.protocol}.src=={packet.source_port}")
            terms.append(f"{packet.protocol}.dst=={packet.destination_port}")
        return subnet.id, " && ".join(terms)

    def _ask_choosing(self, datapath: str, flow: str, choice: int) -> str:
        """Run ovn-trace with one choice among next hops, which the daemon cannot be told."""
        options = ("--minimal", *NEW, f"--select-id={choice}")
        return run("ovn-trace", f"--db={self.sb.remote}", *options, datapath, flow)


def localnet(subnet: Subnet) -> str:
    """Name the first localnet port of an external subnet."""
    return f"localnet-{subnet.meta.uid}-{subnet.virtual_switches[0]}"


@contextmanager
def tracing(layout: Layout, sb: OvsdbServer) -> Iterator[Trace]:
    """Teach the southbound who is where, and have ovn-trace for it as it is now: the daemon reads it once."""
    teach(layout, sb)
    with tracer(sb, NEW) as daemon:
        yield Trace(layout, sb, daemon, _port_security(sb))


def teach(layout: Layout, sb: OvsdbServer) -> None:
    """Write to MAC_Binding what routers would learn by ARP on the external subnets."""
    datapaths = dict(_table(sb, "Port_Binding", "logical_port", "datapath"))
    rows: list[dict[str, object]] = [{"op": "delete", "table": "MAC_Binding", "where": []}]
    for subnet in layout.subnets:
        if subnet.kind is not SubnetKind.EXTERNAL:
            continue
        for port in _router_ports(layout, subnet):
            for address, mac in Neighbours(layout).everybody(subnet).items():
                if port in datapaths:
                    row: dict[str, object] = {"logical_port": port, "ip": address, "mac": mac}
                    row["timestamp"] = int(time.time() * 1000)  # northd forgets old ones
                    row["datapath"] = ["uuid", datapaths[port]]
                    rows.append({"op": "insert", "table": "MAC_Binding", "row": row})
    answer = json.loads(sb.transact(json.dumps(["OVN_Southbound", *rows])))
    assert all("error" not in result for result in answer), answer


def _router_ports(layout: Layout, subnet: Subnet) -> list[str]:
    ports = [
        f"lrp-{vpc.meta.uid}-{subnet.meta.uid}"
        for vpc in layout.vpcs
        if vpc.connection(subnet.id) is not None
    ]
    return [*ports, f"lrp-{subnet.meta.uid}"] if subnet.vpc else ports


def _port_security(sb: OvsdbServer) -> dict[str, str]:
    return dict(_table(sb, "Port_Binding", "logical_port", "port_security"))


def _table(sb: OvsdbServer, table: str, first: str, second: str) -> list[tuple[str, str]]:
    select = {"op": "select", "table": table, "where": [], "columns": [first, second]}
    [answer] = json.loads(sb.transact(json.dumps(["OVN_Southbound", select])))
    return [(row[first], _plain(row[second])) for row in answer["rows"]]


def _plain(value: object) -> str:
    """Return an OVSDB value as text: of a uuid its text, of a set its members joined."""
    if isinstance(value, list):
        return str(value[1]) if value[0] == "uuid" else " ".join(map(str, value[1]))
    return str(value)
