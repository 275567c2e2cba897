"""Subnet: a layer-2 network and the addresses in it."""

from __future__ import annotations

import enum
import ipaddress
from dataclasses import dataclass
from itertools import pairwise

from netctl.errors import InvalidIntent
from netctl.model import shape
from netctl.model.category_ids import check_categories
from netctl.model.infra import MTU_MAX_BYTES, MTU_MIN_BYTES, VLAN_MAX, Meta
from netctl.model.keys import (
    CategoryId,
    ClusterId,
    ServiceChainId,
    SubnetId,
    VirtualSwitchId,
    VpcId,
    check_id,
)

DEFAULT_LEASE_S = 86_400
RANGES_MAX = 64
IPV6_MIN_MTU_BYTES = 1280  # RFC 8200 §5: the smallest MTU that IPv6 works with


class SubnetKind(enum.StrEnum):
    """How a subnet reaches other hosts; VLAN_BASIC does without OVN."""

    VLAN = "vlan"
    OVERLAY = "overlay"
    EXTERNAL = "external"
    VLAN_BASIC = "vlan-basic"


class Ipv6Mode(enum.StrEnum):
    """How guests learn their IPv6 addresses; AUTO in a request leaves it to admission."""

    AUTO = ""
    STATIC = "static"
    SLAAC = "slaac"
    DHCPV6_STATELESS = "dhcpv6-stateless"
    DHCPV6_STATEFUL = "dhcpv6-stateful"

    @property
    def from_mac(self) -> bool:
        """Do guests make their addresses from their MAC addresses (EUI-64)?"""
        return self in (Ipv6Mode.SLAAC, Ipv6Mode.DHCPV6_STATELESS)

    @property
    def by_dhcp(self) -> bool:
        """Does OVN answer DHCPv6?"""
        return self in (Ipv6Mode.DHCPV6_STATELESS, Ipv6Mode.DHCPV6_STATEFUL)


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressRange:
    """Addresses from `start` to `end`, both included."""

    start: str
    end: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IpConfig:
    """The addresses of one family; `gateway` "" is none, no `pools` is the whole CIDR."""

    version: int
    cidr: str
    gateway: str = ""
    pools: tuple[AddressRange, ...] = ()
    exclusions: tuple[AddressRange, ...] = ()

    def __post_init__(self) -> None:
        family = f"ipv{self.version}"
        cidr = shape.canonical_cidr(f"{family}.cidr", self.cidr, self.version)
        object.__setattr__(self, "cidr", cidr)
        network = ipaddress.ip_network(cidr)
        longest = 30 if self.version == 4 else 126
        if network.prefixlen > longest or network.prefixlen < 8:
            raise InvalidIntent(f"{family}.cidr", f"/{network.prefixlen} is outside /8 to /{longest}")
        if network.is_multicast or network.is_loopback:
            raise InvalidIntent(f"{family}.cidr", f"{cidr} is not a unicast network")
        if network.is_link_local:
            raise InvalidIntent(
                f"{family}.cidr", f"{cidr} is link-local: guests give themselves such addresses; use another"
            )
        if self.gateway:
            gateway = self.check_inside(f"{family}.gateway", self.gateway)
            object.__setattr__(self, "gateway", gateway)
        for name in ("pools", "exclusions"):
            object.__setattr__(self, name, self._ranges(f"{family}.{name}", getattr(self, name)))

    def check_inside(self, field: str, value: str) -> str:
        """Return an address in canonical form; refuse one that is not a host's in this network."""
        address = shape.canonical_address(field, value, self.version)
        network = ipaddress.ip_network(self.cidr)
        ip = ipaddress.ip_address(address)
        if ip not in network:
            raise InvalidIntent(field, f"{address} is not in {self.cidr}")
        if ip == network.network_address or (self.version == 4 and ip == network[-1]):
            raise InvalidIntent(field, f"{address} is the network or broadcast address of {self.cidr}")
        return address

    def _ranges(self, field: str, ranges: tuple[AddressRange, ...]) -> tuple[AddressRange, ...]:
        if len(ranges) > RANGES_MAX:
            raise InvalidIntent(field, f"has {len(ranges)} ranges; at most {RANGES_MAX} are allowed")
        canonical: list[tuple[int, int, AddressRange]] = []
        for i, item in enumerate(ranges):
            start = self.check_inside(f"{field}[{i}].start", item.start)
            end = self.check_inside(f"{field}[{i}].end", item.end)
            low, high = int(ipaddress.ip_address(start)), int(ipaddress.ip_address(end))
            if low > high:
                raise InvalidIntent(f"{field}[{i}]", f"start {start} is above end {end}; swap them")
            canonical.append((low, high, AddressRange(start=start, end=end)))
        ordered = sorted(canonical, key=lambda r: r[0])
        for (_, high, before), (low, _, after) in pairwise(ordered):
            if low <= high:
                raise InvalidIntent(
                    field, f"{before.start}-{before.end} and {after.start}-{after.end} overlap"
                )
        return tuple(r for _, _, r in canonical)


@dataclass(frozen=True, slots=True, kw_only=True)
class StaticRoute:
    """A route told to guests by DHCP option 121."""

    destination: str
    next_hop: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DhcpOptions:
    """What DHCP tells guests; `server_address` and `server_mac_address` are "" until admission."""

    disabled: bool = False
    server_address: str = ""
    server_mac_address: str = ""
    lease_s: int = DEFAULT_LEASE_S
    dns_servers: tuple[str, ...] = ()
    domain_name: str = ""
    domain_search: tuple[str, ...] = ()
    ntp_servers: tuple[str, ...] = ()
    tftp_server: str = ""
    bootfile_name: str = ""
    static_routes: tuple[StaticRoute, ...] = ()

    def __post_init__(self) -> None:
        # RFC 2131: a lease is a 32-bit number of seconds; under a minute guests only renew.
        shape.check_range("dhcp.lease_s", self.lease_s, low=60, high=2**31 - 1, unit="seconds")
        if self.server_address:
            address = shape.canonical_address("dhcp.server_address", self.server_address, 4)
            object.__setattr__(self, "server_address", address)
        for name in ("dns_servers", "ntp_servers"):
            values = getattr(self, name)
            if len(values) > 16:
                raise InvalidIntent(f"dhcp.{name}", f"has {len(values)} servers; at most 16 are allowed")
            fields = ((f"dhcp.{name}[{i}]", v) for i, v in enumerate(values))
            # DHCPv6 and router advertisements tell of DNS servers, OVN's DHCPv6 not of NTP servers.
            both = name == "dns_servers"
            checked = tuple(
                shape.canonical_any_address(f, v) if both else shape.canonical_address(f, v, 4)
                for f, v in fields
            )
            object.__setattr__(self, name, checked)
        for name in ("domain_name", "tftp_server", "bootfile_name"):
            shape.check_dhcp_text(f"dhcp.{name}", getattr(self, name))
        if len(self.domain_search) > 16:
            raise InvalidIntent(
                "dhcp.domain_search", f"has {len(self.domain_search)} domains; at most 16 are allowed"
            )
        for i, domain in enumerate(self.domain_search):
            shape.check_domain(f"dhcp.domain_search[{i}]", domain)
        if self.domain_name:
            shape.check_domain("dhcp.domain_name", self.domain_name)
        if len(self.static_routes) > 32:
            raise InvalidIntent(
                "dhcp.static_routes", f"has {len(self.static_routes)} routes; at most 32 are allowed"
            )
        routes = tuple(
            StaticRoute(
                destination=shape.canonical_cidr(f"dhcp.static_routes[{i}].destination", r.destination, 4),
                next_hop=shape.canonical_address(f"dhcp.static_routes[{i}].next_hop", r.next_hop, 4),
            )
            for i, r in enumerate(self.static_routes)
        )
        object.__setattr__(self, "static_routes", routes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subnet:
    """A layer-2 network. In a request `clusters`, `vni` and `mtu_bytes` may be unset; stored they are set.

    VLAN and EXTERNAL: `clusters` are those of the `virtual_switches`, in the same order. EXTERNAL inside a transit
    VPC has `vpc` and its `clusters` are asked for, as on OVERLAY. `mtu_bytes` 0 in a request asks for the largest
    that the underlay carries. `auto_mtu` remembers that.
    """

    id: SubnetId
    meta: Meta = Meta()
    kind: SubnetKind
    virtual_switches: tuple[VirtualSwitchId, ...] = ()
    vlan_id: int = 0
    clusters: tuple[ClusterId, ...] = ()
    vni: int = 0
    vpc: VpcId = VpcId("")
    mtu_bytes: int = 0
    auto_mtu: bool = False
    ipv4: IpConfig | None = None
    ipv6: IpConfig | None = None
    dhcp: DhcpOptions | None = None
    nat: bool = False
    gateway_mac_address: str = ""
    ipv6_mode: Ipv6Mode = Ipv6Mode.AUTO
    categories: tuple[CategoryId, ...] = ()
    service_chain: ServiceChainId = ServiceChainId("")

    @property
    def has_vlan(self) -> bool:
        """Does it reach other hosts as a VLAN of virtual switches, through localnet ports?"""
        return bool(self.virtual_switches)

    def __post_init__(self) -> None:
        check_id("name", self.id)
        _check_ids("virtual_switches", self.virtual_switches)
        check_categories(self.categories)
        _check_ids("clusters", self.clusters)
        if self.vpc:
            check_id("vpc", self.vpc)
        if self.service_chain:
            check_id("service_chain", self.service_chain)
        self._check_kind()
        if self.mtu_bytes:
            shape.check_range(
                "mtu_bytes", self.mtu_bytes, low=MTU_MIN_BYTES, high=MTU_MAX_BYTES, unit="bytes"
            )
            if self.ipv6 is not None and self.mtu_bytes < IPV6_MIN_MTU_BYTES:
                raise InvalidIntent(
                    "mtu_bytes", f"{self.mtu_bytes} is below 1280 bytes, the least that IPv6 works with"
                )
        self._check_dhcp()
        self._check_ipv6_mode()

    def config(self, version: int) -> IpConfig | None:
        """Return the addresses of IP version 4 or 6, None when it manages none."""
        return self.ipv4 if version == 4 else self.ipv6

    def _check_dhcp(self) -> None:
        if self.dhcp is None:
            return
        if self.kind is SubnetKind.EXTERNAL:
            raise InvalidIntent("dhcp", "an EXTERNAL subnet has no guests to tell; remove it")
        if not self.dhcp.disabled and self.ipv4 is None and self.ipv6 is None:
            raise InvalidIntent("dhcp", "DHCP needs addresses; set ipv4.cidr or ipv6.cidr, or remove dhcp")
        if self.dhcp.server_address and self.ipv4 is not None:
            self.ipv4.check_inside("dhcp.server_address", self.dhcp.server_address)

    def _check_ipv6_mode(self) -> None:
        mode = self.ipv6_mode
        if mode is not Ipv6Mode.AUTO and self.kind is SubnetKind.EXTERNAL:
            raise InvalidIntent("ipv6_mode", "an EXTERNAL subnet has no guests to tell; leave it unset")
        if self.ipv6 is None:
            return
        if self.kind is SubnetKind.VLAN_BASIC and mode not in (Ipv6Mode.AUTO, Ipv6Mode.STATIC):
            raise InvalidIntent(
                "ipv6_mode",
                f"{mode.value} is OVN's to tell guests, and a VLAN_BASIC subnet goes without OVN: use static",
            )
        # RFC 4862, 5.5.3 with RFC 4291, 2.5.1: an interface identifier has 64 bits.
        if mode.from_mac and not self.ipv6.cidr.endswith("/64"):
            raise InvalidIntent(
                "ipv6_mode",
                f"{mode.value} needs a /64 and {self.ipv6.cidr} is none: guests make the other 64 bits themselves;"
                " use another CIDR or mode",
            )
        if mode.by_dhcp and self.dhcp is not None and self.dhcp.disabled:
            raise InvalidIntent("ipv6_mode", f"{mode.value} needs DHCP, and dhcp.disabled is set; choose one")

    def _check_kind(self) -> None:
        external = self.kind is SubnetKind.EXTERNAL
        if self.kind in (SubnetKind.VLAN, SubnetKind.VLAN_BASIC) or (external and not self.vpc):
            if not self.virtual_switches:
                hint = ", or the transit VPC that it is in" if external else ""
                raise InvalidIntent("virtual_switches", f"is empty; name at least one virtual switch{hint}")
            shape.check_range("vlan_id", self.vlan_id, low=0, high=VLAN_MAX)
            if self.vpc:
                raise InvalidIntent("vpc", "a VLAN subnet cannot be in a VPC; use kind OVERLAY")
        else:
            if not self.clusters:
                raise InvalidIntent("clusters", "is empty; name at least one cluster")
            if self.virtual_switches or self.vlan_id:
                field = "virtual_switches" if self.virtual_switches else "vlan_id"
                what = "an EXTERNAL subnet in a VPC" if external else "an OVERLAY subnet"
                raise InvalidIntent(field, f"{what} has no virtual switch or VLAN")
        if external and self.ipv4 is None and self.ipv6 is None:
            raise InvalidIntent("ipv4", "an EXTERNAL subnet needs addresses: set ipv4, ipv6 or both")
        if self.vpc and self.ipv4 is None and self.ipv6 is None:
            raise InvalidIntent(
                "ipv4", "a subnet in a VPC is routed and needs addresses: set ipv4, ipv6 or both"
            )
        if external and not self.vpc:
            for config in (self.ipv4, self.ipv6):
                if config is not None and not config.gateway:
                    raise InvalidIntent(
                        f"ipv{config.version}.gateway",
                        "an EXTERNAL subnet on virtual switches needs one: the address of the physical router",
                    )
        if self.nat and not external:
            raise InvalidIntent("nat", "goes with kind EXTERNAL only")
        if self.service_chain and external:
            raise InvalidIntent(
                "service_chain",
                "an EXTERNAL subnet has none: attach it to routing policies of the VPCs behind it",
            )


def _check_ids(field: str, ids: tuple[str, ...]) -> None:
    for i, id in enumerate(ids):
        check_id(f"{field}[{i}]", id)
        if id in ids[:i]:
            raise InvalidIntent(f"{field}[{i}]", f"{id} is listed twice; list it once")
