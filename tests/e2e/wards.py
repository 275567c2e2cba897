"""Wards: guests that security policies are tried on, the same ones on a VLAN and in a VPC, on two hosts.

    web1, web2   category web    app1, app2  category app    db1, db2  category db    rest1, rest2  none
    by1, by2     bystanders, whom no test touches

The odd ones are on h1, the even ones on h2. On the VLAN all are in one subnet; in the VPC web, rest and the bystanders
are in one and the others in another one, so that a router is between.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from netctl.loop import wait_until
from netctl.v1 import network_pb2, security_pb2
from tests.e2e import security, vpcs
from tests.e2e.security import ENFORCE, Guests, Policy, Rule
from tests.e2e.site import DEADLINE_S, PROGRAMMED, Resource, Site
from tests.e2e.vpcs import Nic

TIERS = ("web", "app", "db")
CATEGORIES = {tier: f"categories/{tier}" for tier in TIERS}
WEB, APP, DB = CATEGORIES.values()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ward:
    """Guests, and the policies that a test puts on them."""

    guests: Guests
    scope: dict[str, object]
    made: list[str] = field(default_factory=list)

    @property
    def here(self) -> Site:
        """The lab."""
        return self.guests.here

    def policy(self, kind: str, policy_id: str, secured: list[str], *rules: Rule, **fields: object) -> Policy:
        """Return a policy that is enforced where these guests are."""
        return security.policy(kind, policy_id, secured, *rules, **(self.scope | fields))

    def put(self, *resources: Resource, purge: bool = True) -> None:
        """Create or change; return when every host has it. A purge of what they cached may cost a packet."""
        self.here.apply(*resources)
        self.made.extend(one.name for one in resources if one.name not in self.made)
        self._settle(purge=purge)

    def drop(self, *names: str, purge: bool = True) -> None:
        """Remove; return when no host has it."""
        self.here.remove(*names)
        for name in names:
            self.made.remove(name)
        self._settle(purge=purge)

    def _settle(self, *, purge: bool) -> None:
        if purge:
            self.here.settle_datapaths()
        else:
            self.here.settle()

    def join(self, guest: str, *categories: str) -> None:
        """Give a guest these categories and no others."""
        nic = Nic(name=self.guests.nics[guest].name, categories=categories)
        self.here.update_nic(nic, "categories")

    def get_policy(self, name: str) -> Policy:
        """Return a policy with its status."""
        request = security_pb2.GetSecurityPolicyRequest(name=name)
        stub = self.here.security_policies
        return stub.GetSecurityPolicy(request, timeout=DEADLINE_S).security_policy

    def wait_status(self, name: str, reason: str = "") -> Policy:
        """Return a policy whose status has this reason ("" is PROGRAMMED)."""
        last = [Policy()]

        def reached() -> bool:
            last[0] = self.get_policy(name)
            status = last[0].status
            return status.reason == reason if reason else status.phase == PROGRAMMED

        try:
            wait_until(reached, timeout_s=10, what=name, poll_s=0.02)
        except TimeoutError as error:
            raise TimeoutError(f"{name}: wanted {reason or 'PROGRAMMED'}, is {last[0].status}") from error
        return last[0]


@contextmanager
def newcomer(
    ward: Ward, name: str, subnet: str, *categories: str, port_security: bool = True, address: str = ""
) -> Iterator[Nic]:
    """Have a NIC more during a block, attached nowhere yet."""
    wanted = vpcs.nic(name, subnet.rpartition("/")[2], "", address)
    wanted.host = ""
    wanted.categories.extend(categories)
    wanted.port_security = port_security
    nic = ward.here.create_nic(wanted)
    ward.guests.nics[name] = nic
    try:
        yield nic
    finally:
        del ward.guests.nics[name]
        ward.guests.got.pop(name, None)
        ward.here.remove(nic.name)


@contextmanager
def arriving(ward: Ward, name: str, host: str) -> Iterator[None]:
    """Attach a newcomer to a host during a block. Its guest is there and watched before: not a packet is missed."""
    nic = ward.guests.nics[name]
    nic.host = f"hosts/{host}"
    security.plug(ward.here, [nic])
    try:
        with ward.guests.wire(name):
            ward.here.update_nic(Nic(name=nic.name, host=nic.host), "host")
            yield
    finally:
        ward.here.lab.remove_guest(name)


@contextmanager
def emptied_after(ward: Ward) -> Iterator[Ward]:
    """Let a block put policies on the guests; take them off after it, and give everybody their categories again."""
    used = replace(ward, made=[])
    try:
        yield used
    finally:
        if used.made:  # policies first: they name the others, which may have come later
            names = reversed(used.made)
            ward.here.remove(*sorted(names, key=lambda name: not name.startswith("securityPolicies/")))
        wanted = {nic.name: list(nic.categories) for nic in ward.guests.nics.values()}
        for nic in ward.here.list_nics():
            if nic.name in wanted and list(nic.categories) != wanted[nic.name]:
                ward.here.update_nic(Nic(name=nic.name, categories=wanted[nic.name]), "categories")
        ward.here.settle_datapaths()


@contextmanager
def wards(here: Site) -> Iterator[dict[str, Ward]]:
    """Have both during a block."""
    with vpcs.removed_after(here) as made:
        vpcs.make(here, made, *map(security.category, TIERS), _vlan(), vpcs.vpc("ward"))
        vpcs.make(
            here,
            made,
            vpcs.overlay("ward-one", "ward", "10.41.1.0/24", "fd42:41:1::/64"),
            vpcs.overlay("ward-two", "ward", "10.41.2.0/24", "fd42:41:2::/64"),
        )
        nics = {kind: _nics(here, kind) for kind in ("vlan", "vpc")}
        everybody = [nic for some in nics.values() for nic in some.values()]
        security.plug(here, everybody)
        here.wait_programmed(*(nic.name for nic in everybody))
        here.settle_datapaths()
        with (
            security.wired(here, nics["vlan"], ("by1", "by2")) as vlan,
            security.wired(here, nics["vpc"], ("by1", "by2")) as vpc,
        ):
            found = {
                "vlan": Ward(guests=vlan, scope={"scope": security.VLANS, "mode": ENFORCE}),
                "vpc": Ward(guests=vpc, scope={"scope": security.VPCS, "mode": ENFORCE}),
            }
            for ward in found.values():  # a userspace tunnel drops its first packet while ARP asks
                for source, target in (("by1", "by2"), ("by2", "by1")):
                    here.wait_ping(ward.guests.nics[source], ward.guests.address(target))
            yield found


def _nics(here: Site, kind: str) -> dict[str, Nic]:
    found = {}
    for name in (*TIERS, "rest", "by"):
        for number in (1, 2):
            far = kind == "vpc" and name in ("app", "db")
            subnet = "ward-vlan" if kind == "vlan" else "ward-two" if far else "ward-one"
            wanted = vpcs.nic(f"{kind}-{name}{number}", subnet, f"h{number}")
            wanted.categories.extend([CATEGORIES[name]] if name in CATEGORIES else [])
            found[f"{name}{number}"] = here.create_nic(wanted)
    return found


def _vlan() -> network_pb2.Subnet:
    return network_pb2.Subnet(
        name="subnets/ward-vlan",
        kind=network_pb2.SUBNET_KIND_VLAN,
        virtual_switches=["virtualSwitches/vs0"],
        vlan_id=40,
        ipv4=network_pb2.IpConfig(cidr="10.40.0.0/24"),
        ipv6=network_pb2.IpConfig(cidr="2001:db8:40::/64"),
    )
