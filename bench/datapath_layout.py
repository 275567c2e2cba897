"""What `bench datapath` asks netctl for, and what it builds by hand of plain OVS beside it, on the same hosts.

Each way has a VLAN, a guest on h1 and one on h2. Plain OVS has the other uplink and no bond. A network function is a
Linux bridge of two interfaces in a namespace of its own: the kernel's work, which is the same behind every way.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from netctl.lab import namespaces
from netctl.lab.guests import Guest
from netctl.v1 import chain_pb2, network_pb2, security_pb2, vpc_pb2
from tests.e2e.site import TOPOLOGIES, Site

SWITCH = "virtualSwitches/vs0"
HOSTS = ("h1", "h2")
RULES = 50
FUNCTIONS = ("one", "two")
PLAIN_UPLINK = "eth3"
_CATEGORY, _POLICY = "categories/bench", "securityPolicies/bench"
_INLINE = chain_pb2.FORWARDING_MODE_INLINE
_FAIL_CLOSE = chain_pb2.FAILURE_HANDLING_FAIL_CLOSE
_SIDES = (network_pb2.NETWORK_FUNCTION_SIDE_INGRESS, network_pb2.NETWORK_FUNCTION_SIDE_EGRESS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A way of packets: `functions` of them on each host; `plain` is without netctl."""

    name: str
    vlan_id: int
    plain: bool = False
    basic: bool = False
    secured: bool = False
    functions: int = 0

    @property
    def subnet(self) -> str:
        """Its subnet, netctl's."""
        return f"subnets/v{self.vlan_id}"

    def address(self, host: str) -> str:
        """The address of its guest on a host."""
        return f"10.{self.vlan_id}.0.{10 + HOSTS.index(host)}"


def topology() -> str:
    """Return the lab's, whose second uplink is left to plain OVS."""
    text = (TOPOLOGIES / "two-hosts.clab.yml").read_text()
    return "".join(line for line in text.splitlines(keepends=True) if "netctl.uplink.vs1" not in line)


def build(here: Site, way: Way) -> dict[str, str]:
    """Make a way and its guests; return the guests' namespaces by host."""
    return _build_plain(here, way) if way.plain else _build_ours(here, way)


def add_functions(here: Site) -> None:
    """Make the functions with a pair on each host, the policy, and the chains of one and two functions."""
    for name in FUNCTIONS:
        pairs = []
        for host in HOSTS:
            sides = [_side(here, name, host, side) for side in _SIDES]
            ends = [(nic.tap_name, nic.mac_address) for nic in sides]
            _bump(here, here.lab.add_function(host, ends[0], ends[1], name=f"{name}-{host}"))
            pairs.append(chain_pb2.NicPair(ingress_nic=sides[0].name, egress_nic=sides[1].name))
        function = chain_pb2.NetworkFunction(
            name=f"networkFunctions/{name}", mode=_INLINE, failure_handling=_FAIL_CLOSE, nic_pairs=pairs
        )
        here.apply(function)
    chains = [
        chain_pb2.ServiceChain(
            name=f"serviceChains/c{count}",
            network_functions=[f"networkFunctions/{name}" for name in FUNCTIONS[:count]],
        )
        for count in (1, 2)
    ]
    here.apply(*chains, security_pb2.Category(name=_CATEGORY, key="bench", value="yes"), policy())


def passed(here: Site) -> dict[str, int]:
    """Return how many frames each of netctl's functions got on its side towards the guests and sent there."""
    found = {}
    for name in (f"{function}-{host}" for function in FUNCTIONS for host in HOSTS):
        said = here.lab.exec(name, ["ip", "-s", "-j", "link", "show", "eth0"]).stdout
        found[name] = sum(json.loads(said)[0]["stats64"][way]["packets"] for way in ("rx", "tx"))
    return found


def policy() -> security_pb2.SecurityPolicy:
    """Return a policy of which the last of 50 rules lets echoes in; what its guests send may go anywhere."""
    return security_pb2.SecurityPolicy(
        name=_POLICY,
        kind=security_pb2.SECURITY_POLICY_KIND_APPLICATION,
        mode=security_pb2.SECURITY_POLICY_MODE_ENFORCE,
        scope=security_pb2.SECURITY_SCOPE_ALL_VLAN,
        secured=[_CATEGORY],
        rules=list(_rules()),
    )


def _rules() -> Iterator[security_pb2.SecurityRule]:
    allow, inwards = security_pb2.SECURITY_ACTION_ALLOW, security_pb2.SECURITY_DIRECTION_IN
    yield security_pb2.SecurityRule(name="out", direction=security_pb2.SECURITY_DIRECTION_OUT, action=allow)
    for number in range(RULES - 2):
        port = vpc_pb2.PortRange(first=1000 + 10 * number, last=1004 + 10 * number)
        tcp = security_pb2.Service(protocol=security_pb2.SERVICE_PROTOCOL_TCP, ports=[port])
        yield security_pb2.SecurityRule(name=f"r{number}", direction=inwards, action=allow, services=[tcp])
    echo = security_pb2.Service(protocol=security_pb2.SERVICE_PROTOCOL_ICMP)
    yield security_pb2.SecurityRule(name="echo", direction=inwards, action=allow, services=[echo])


def _side(
    here: Site, function: str, host: str, side: network_pb2.NetworkFunctionSide.ValueType
) -> network_pb2.Nic:
    nic = network_pb2.Nic(
        name=f"nics/{function}-{host}-{side}",
        host=f"hosts/{host}",
        kind=network_pb2.NIC_KIND_NETWORK_FUNCTION,
        network_function_side=side,
    )
    return here.create_nic(nic)


def _build_ours(here: Site, way: Way) -> dict[str, str]:
    kind = network_pb2.SUBNET_KIND_VLAN_BASIC if way.basic else network_pb2.SUBNET_KIND_VLAN
    subnet = network_pb2.Subnet(
        name=way.subnet,
        kind=kind,
        virtual_switches=[SWITCH],
        vlan_id=way.vlan_id,
        ipv4=network_pb2.IpConfig(cidr=f"10.{way.vlan_id}.0.0/24", gateway=f"10.{way.vlan_id}.0.1"),
        service_chain=f"serviceChains/c{way.functions}" if way.functions else "",
    )
    here.apply(subnet)
    found = {}
    for host in HOSTS:
        nic = network_pb2.Nic(
            name=f"nics/v{way.vlan_id}-{host}",
            subnet=way.subnet,
            host=f"hosts/{host}",
            ipv4_address=way.address(host),
            categories=[_CATEGORY] if way.secured else [],
        )
        made = here.create_nic(nic)
        here.plug(made)
        here.wait_status(made.name, "")
        found[host] = here.namespace(made)
    return found


def _build_plain(here: Site, way: Way) -> dict[str, str]:
    """Bridges in a row on each host, a function between two of them; the last has the uplink."""
    found = {}
    for number, host in enumerate(HOSTS, 1):
        bridges = [f"p{way.vlan_id}-{at}" for at in range(way.functions)] + ["plain"]
        for bridge in bridges:
            here.vsctl(
                host, "--may-exist", "add-br", bridge, "--", "set", "Bridge", bridge, "datapath_type=netdev"
            )
        here.vsctl(host, "--may-exist", "add-port", "plain", PLAIN_UPLINK)
        tap, mac = f"p{way.vlan_id}-guest", f"0a:00:00:00:{way.vlan_id:02x}:{number:02x}"
        guest = here.lab.add_guest(host, f"{tap}{number}", mac)
        here.vsctl(host, "add-port", bridges[0], guest.tap_name, f"tag={way.vlan_id}")
        here.lab.set_address(guest.name, f"{way.address(host)}/24")
        for at in range(way.functions):
            taps = [f"p{way.vlan_id}f{at}{side}{number}" for side in "ab"]
            ends = [(tap, f"0a:00:00:01:{way.vlan_id:02x}:{4 * at + i:02x}") for i, tap in enumerate(taps)]
            _bump(here, here.lab.add_function(host, ends[0], ends[1], name=taps[0]))
            for bridge, port in zip(bridges[at : at + 2], taps, strict=True):
                here.vsctl(host, "add-port", bridge, port, f"trunks={way.vlan_id}")
        found[host] = namespaces.guest_namespace(here.lab.name, guest.tap_name)
    return found


def _bump(here: Site, function: Guest) -> None:
    """Let a function carry what comes in on one side out of the other."""
    here.lab.exec(function.name, ["ip", "link", "add", "bump", "type", "bridge", "mcast_snooping", "0"])
    for interface in ("eth0", "eth1"):
        here.lab.exec(function.name, ["ip", "link", "set", interface, "master", "bump"])
    here.lab.exec(function.name, ["ip", "link", "set", "bump", "up"])
