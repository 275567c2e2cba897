"""A site under test: a lab, a client of its controller's public API, and what every e2e test does with the two.

In: intents. Out: guests that can be pinged. Owns the lab it was made with; `close` removes every trace of it.
Nothing here knows how netctl works inside: only the API, the lab, and the tools of OVN and OVS.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import grpc

from netctl.lab import namespaces
from netctl.lab.guests import Lease
from netctl.lab.lab import Lab
from netctl.lab.processes import Process
from netctl.loop import wait_until
from netctl.v1 import (
    chain_pb2,
    compute_pb2,
    infra_pb2,
    network_pb2,
    operations_pb2,
    security_pb2,
    status_pb2,
    vpc_pb2,
)
from netctl.v1.explain_pb2_grpc import ExplainServiceStub, SecurityExplainServiceStub
from netctl.v1.infra_pb2_grpc import HostServiceStub, VirtualSwitchServiceStub
from netctl.v1.network_pb2_grpc import NicServiceStub, SubnetServiceStub
from netctl.v1.operations_pb2_grpc import BatchServiceStub, ControllerServiceStub
from netctl.v1.security_pb2_grpc import SecurityPolicyServiceStub
from netctl.v1.vpc_pb2_grpc import FloatingIpServiceStub, VpcServiceStub
from tests.lossmeter.meter import Guest, LossMeter, measure

TOPOLOGIES = Path(__file__).parents[2] / "containerlab"
Resource = (
    infra_pb2.Host
    | infra_pb2.VirtualSwitch
    | chain_pb2.NetworkFunction
    | chain_pb2.ServiceChain
    | chain_pb2.TrafficMirror
    | network_pb2.Subnet
    | network_pb2.Nic
    | vpc_pb2.Vpc
    | vpc_pb2.FloatingIp
    | vpc_pb2.Route
    | vpc_pb2.RoutingPolicy
    | vpc_pb2.AddressReservation
    | security_pb2.Category
    | security_pb2.AddressGroup
    | security_pb2.ServiceGroup
    | security_pb2.EntityGroup
    | security_pb2.SecurityPolicy
    | compute_pb2.Vm
    | compute_pb2.AffinityPolicy
)
PROGRAMMED = status_pb2.PHASE_PROGRAMMED
DEADLINE_S = 30.0
SUBNETS = (
    network_pb2.Subnet(
        name="subnets/vlan",
        kind=network_pb2.SUBNET_KIND_VLAN,
        virtual_switches=("virtualSwitches/vs0",),
        vlan_id=10,
        ipv4=network_pb2.IpConfig(cidr="10.10.0.0/24", gateway="10.10.0.1"),
        dhcp=network_pb2.DhcpOptions(
            lease_s=3600,
            dns_servers=["10.10.0.3", "10.10.0.4"],
            domain_name="vlan.example",
            static_routes=[network_pb2.StaticRoute(destination="192.0.2.0/24", next_hop="10.10.0.9")],
        ),
    ),
    network_pb2.Subnet(
        name="subnets/overlay",
        kind=network_pb2.SUBNET_KIND_OVERLAY,
        clusters=("clusters/lab",),
        ipv4=network_pb2.IpConfig(cidr="10.20.0.0/24", gateway="10.20.0.1"),
        dhcp=network_pb2.DhcpOptions(dns_servers=["10.20.0.3"]),
    ),
)


class Site:
    """A running lab and its API."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.channel = grpc.insecure_channel(
            lab.server,
            # After a kill the next attempt must not wait for gRPC's own back-off of up to two minutes.
            options=[("grpc.initial_reconnect_backoff_ms", 50), ("grpc.max_reconnect_backoff_ms", 200)],
        )
        self.hosts = HostServiceStub(self.channel)
        self.virtual_switches = VirtualSwitchServiceStub(self.channel)
        self.subnets = SubnetServiceStub(self.channel)
        self.nics = NicServiceStub(self.channel)
        self.vpcs = VpcServiceStub(self.channel)
        self.floating_ips = FloatingIpServiceStub(self.channel)
        self.explain = ExplainServiceStub(self.channel)
        self.security_explain = SecurityExplainServiceStub(self.channel)
        self.security_policies = SecurityPolicyServiceStub(self.channel)
        self.batches = BatchServiceStub(self.channel)
        self.controller = ControllerServiceStub(self.channel)

    # -- intents ---------------------------------------------------------------------------------------------------

    def apply(self, *resources: Resource) -> list[operations_pb2.Resource]:
        """Create or update resources as one change; return them as admitted."""
        edits = [operations_pb2.Edit(apply=_resource(resource)) for resource in resources]
        request = operations_pb2.BatchRequest(edits=edits)
        return list(self.batches.Batch(request, timeout=DEADLINE_S, wait_for_ready=True).resources)

    def remove(self, *names: str) -> None:
        """Remove resources as one change."""
        edits = [operations_pb2.Edit(delete=operations_pb2.DeleteEdit(name=name)) for name in names]
        self.batches.Batch(operations_pb2.BatchRequest(edits=edits), timeout=DEADLINE_S, wait_for_ready=True)

    def create_nic(self, nic: network_pb2.Nic) -> network_pb2.Nic:
        """Create a NIC; return it as admitted."""
        request = network_pb2.CreateNicRequest(nic=nic)
        return self.nics.CreateNic(request, timeout=DEADLINE_S, wait_for_ready=True).nic

    def update_nic(self, nic: network_pb2.Nic, *fields: str) -> network_pb2.Nic:
        """Change the named fields of a NIC."""
        request = network_pb2.UpdateNicRequest(nic=nic)
        request.update_mask.paths.extend(fields)
        return self.nics.UpdateNic(request, timeout=DEADLINE_S, wait_for_ready=True).nic

    def get_nic(self, name: str) -> network_pb2.Nic:
        """Return a NIC with its status."""
        request = network_pb2.GetNicRequest(name=name)
        return self.nics.GetNic(request, timeout=DEADLINE_S, wait_for_ready=True).nic

    def get_subnet(self, name: str) -> network_pb2.Subnet:
        """Return a subnet as admitted."""
        request = network_pb2.GetSubnetRequest(name=name)
        return self.subnets.GetSubnet(request, timeout=DEADLINE_S, wait_for_ready=True).subnet

    def get_vpc(self, name: str) -> vpc_pb2.Vpc:
        """Return a VPC as admitted."""
        request = vpc_pb2.GetVpcRequest(name=name)
        return self.vpcs.GetVpc(request, timeout=DEADLINE_S, wait_for_ready=True).vpc

    def get_floating_ip(self, name: str) -> vpc_pb2.FloatingIp:
        """Return a floating IP as admitted."""
        request = vpc_pb2.GetFloatingIpRequest(name=name)
        return self.floating_ips.GetFloatingIp(request, timeout=DEADLINE_S, wait_for_ready=True).floating_ip

    def list_nics(self) -> list[network_pb2.Nic]:
        """Return all NICs, page by page."""
        found: list[network_pb2.Nic] = []
        request = network_pb2.ListNicsRequest(page_size=100)
        while True:
            page = self.nics.ListNics(request, timeout=DEADLINE_S, wait_for_ready=True)
            found.extend(page.nics)
            if not page.next_page_token:
                return found
            request.page_token = page.next_page_token

    # -- status ----------------------------------------------------------------------------------------------------

    def wait_status(
        self, name: str, reason: str, *, timeout_s: float = 20, revision: int = 0
    ) -> network_pb2.Nic:
        """Return a NIC when its status has this reason ("" is PROGRAMMED) for at least this revision."""
        last = [network_pb2.Nic()]

        def reached() -> bool:
            last[0] = self.get_nic(name)
            status = last[0].status
            is_right = status.phase == PROGRAMMED if not reason else status.reason == reason
            return is_right and status.revision >= revision

        try:
            wait_until(reached, timeout_s=timeout_s, what=name, poll_s=0.01)
        except TimeoutError as error:
            raise TimeoutError(f"{name}: wanted {reason or 'PROGRAMMED'}, is {last[0].status}") from error
        return last[0]

    def wait_host(self, name: str, reason: str) -> None:
        """Return when a host's status has this reason ("" is PROGRAMMED)."""
        request = infra_pb2.GetHostRequest(name=name)

        def reached() -> bool:
            status = self.hosts.GetHost(request, timeout=DEADLINE_S, wait_for_ready=True).host.status
            return status.phase == PROGRAMMED if not reason else status.reason == reason

        wait_until(reached, timeout_s=10, what=f"{name} is {reason or 'PROGRAMMED'}")

    def wait_programmed(self, *names: str, timeout_s: float = 20) -> None:
        """Return when all these NICs are PROGRAMMED."""
        for name in names:
            self.wait_status(name, "", timeout_s=timeout_s)

    def wait_written(self) -> None:
        """Return when OVN's database equals the store."""

        def equal() -> bool:
            request = operations_pb2.GetControllerRequest()
            state = self.controller.GetController(request, timeout=DEADLINE_S, wait_for_ready=True)
            return state.ready and state.northbound_revision == state.store_revision

        wait_until(equal, timeout_s=10, what="OVN's database equals the store")

    def settle(self) -> None:
        """Return when every host has what was asked for so far; all must be alive."""
        self.wait_written()
        self.nbctl("--wait=hv", "sync")

    def settle_datapaths(self) -> None:
        """Return when hosts forward by what was asked for so far: what they had cached of the flows before is gone."""
        self.settle()
        for host in self.lab.topology.hosts:
            # Not `revalidator/wait`: the userspace datapath of OVS 3.1 keeps a flow that overlaps with one that was
            # changed, with its old actions, for as long as packets use it.
            self.appctl(host.id, "revalidator/purge")

    # -- guests ----------------------------------------------------------------------------------------------------

    def plug(self, nic: network_pb2.Nic, *, address: bool = True) -> None:
        """Make the guest behind a NIC; give it its admitted address by hand unless told not to."""
        self.lab.add_guest(_id(nic.host), nic.tap_name, nic.mac_address, name=_id(nic.name))
        if address:
            self.lab.set_address(_id(nic.name), f"{nic.ipv4_address}/24")

    def add(self, name: str, subnet: str, host: str) -> network_pb2.Nic:
        """Create a NIC, plug a guest, wait until PROGRAMMED."""
        nic = self.create_nic(
            network_pb2.Nic(name=f"nics/{name}", subnet=f"subnets/{subnet}", host=f"hosts/{host}")
        )
        self.plug(nic)
        return self.wait_status(nic.name, "")

    def add_leased(self, nic: network_pb2.Nic) -> network_pb2.Nic:
        """Create a NIC, plug a guest that asks for its address by DHCP; return the NIC, PROGRAMMED."""
        made = self.create_nic(nic)
        self.plug(made, address=False)
        ready = self.wait_status(made.name, "")
        self.lease(ready)
        return ready

    def lease(self, nic: network_pb2.Nic) -> Lease:
        """Ask for an address by DHCP."""
        return self.lab.lease(_id(nic.name))

    def discard(self, *nics: network_pb2.Nic) -> None:
        """Remove guests and NICs."""
        for nic in nics:
            self.lab.remove_guest(_id(nic.name))
        self.remove(*(nic.name for nic in nics))

    def discard_all_but(self, *kept: network_pb2.Nic) -> None:
        """Remove every guest and NIC but these."""
        names = {nic.name for nic in kept}
        for guest in self.lab.guests():
            if f"nics/{guest.name}" not in names:
                self.lab.remove_guest(guest.name)
        if left := [nic.name for nic in self.list_nics() if nic.name not in names]:
            self.remove(*left)

    def ping_once(self, nic: network_pb2.Nic, address: str) -> bool:
        """Send one echo request, no second one; the answer must come before ARP would ask again (1 s)."""
        command = ["ping", "-n", "-q", "-c", "1", "-W", "0.9", address]
        return self.lab.exec(_id(nic.name), command, check=False).returncode == 0

    def wait_ping(self, nic: network_pb2.Nic, address: str, *, timeout_s: float = 20) -> None:
        """Return when an answer comes."""
        wait_until(
            lambda: self.ping_once(nic, address), timeout_s=timeout_s, what=f"{nic.name} pings {address}"
        )

    def namespace(self, nic: network_pb2.Nic) -> str:
        """Name the network namespace of the guest behind a NIC."""
        return namespaces.guest_namespace(self.lab.name, nic.tap_name)

    # -- the loss meter --------------------------------------------------------------------------------------------

    def end(self, nic: network_pb2.Nic) -> Guest:
        """Return a guest as the loss meter takes it."""
        return Guest(
            namespace=self.namespace(nic), interface="eth0", mac=nic.mac_address, ip=nic.ipv4_address
        )

    @contextmanager
    def measure(
        self, *pairs: tuple[network_pb2.Nic, network_pb2.Nic], pps: int = 100
    ) -> Iterator[list[LossMeter]]:
        """Run a loss meter between each pair."""
        with ExitStack() as stack:
            yield [stack.enter_context(measure(self.end(a), self.end(b), pps=pps)) for a, b in pairs]

    # -- the controller --------------------------------------------------------------------------------------------

    def restart_controller(self, *options: str) -> None:
        """Start the controller anew with more options; return when OVN's database equals the store again."""
        controller = self.lab.process("central", "controller")
        controller.stop()
        Process(replace(controller.daemon, argv=(*controller.daemon.argv, *options))).start()
        self.wait_written()

    # -- OVN and OVS by their own tools ----------------------------------------------------------------------------

    def nbctl(self, *arguments: str) -> str:
        """Run ovn-nbctl on the lab's northbound database."""
        return self.lab.exec("central", ["ovn-nbctl", "--timeout=20", *arguments]).stdout

    def ports(self) -> list[str]:
        """Name every port in OVN's database."""
        return self.nbctl("--bare", "--columns=name", "list", "Logical_Switch_Port").split()

    def vsctl(self, host: str, *arguments: str) -> str:
        """Run ovs-vsctl on a host."""
        database = f"--db=unix:{self.lab.place(host).directory}/db.sock"
        return self.lab.exec(host, ["ovs-vsctl", database, "--timeout=20", *arguments]).stdout

    def appctl(self, host: str, *arguments: str) -> str:
        """Run ovs-appctl on a host's ovs-vswitchd."""
        directory = self.lab.place(host).directory
        pid = (directory / "ovs-vswitchd.pid").read_text().strip()
        command = ["ovs-appctl", "-t", f"{directory}/ovs-vswitchd.{pid}.ctl", *arguments]
        return self.lab.exec(host, command).stdout

    def close(self) -> None:
        """Remove every trace."""
        self.channel.close()
        self.lab.down()


@contextmanager
def site(
    suffix: str, topology: str = "two-hosts", subnets: Sequence[network_pb2.Subnet] = SUBNETS
) -> Iterator[Site]:
    """Bring up a lab of our own name, which registers its hosts, with the subnets; remove every trace after."""
    text = (TOPOLOGIES / f"{topology}.clab.yml").read_text()
    lab = Lab(text, name=f"e2e-{os.getpid()}-{suffix}")
    with ExitStack() as stack:
        stack.callback(lab.down)
        lab.up()
        running = Site(lab)
        stack.callback(running.channel.close)
        if subnets:
            running.apply(*subnets)
        yield running


def _id(name: str) -> str:
    return name.rpartition("/")[2]


def _resource(value: Resource) -> operations_pb2.Resource:
    fields = operations_pb2.Resource.DESCRIPTOR.fields
    [field] = [field.name for field in fields if field.message_type is value.DESCRIPTOR]
    wrapped = operations_pb2.Resource()
    getattr(wrapped, field).CopyFrom(value)
    return wrapped
