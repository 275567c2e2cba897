"""Virtual machines of a site: created, switched, moved through the public API, and asked from inside.

The guest is the lab's (netctl.lab.guest_image). Every machine gets its NICs in the same change; the addresses are those
that were admitted, which the guest has by DHCP.
"""

from __future__ import annotations

import itertools
import os
import random
import signal
import string
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest

from netctl.errors import Unavailable
from netctl.lab import guest_talk, namespaces
from netctl.lab.guest_image import guest_image
from netctl.loop import wait_until
from netctl.v1 import compute_pb2, infra_pb2, network_pb2
from netctl.v1.compute_pb2_grpc import (
    ImageServiceStub,
    VmMigrationServiceStub,
    VmServiceStub,
    VmTemplateServiceStub,
)
from tests.e2e.probes import Station
from tests.e2e.site import DEADLINE_S, PROGRAMMED, Site

Vm = compute_pb2.Vm
Disk = compute_pb2.Disk
VmMigration = compute_pb2.VmMigration
RUNNING, PAUSED, ABSENT = (
    compute_pb2.VM_RUN_STATE_RUNNING,
    compute_pb2.VM_RUN_STATE_PAUSED,
    compute_pb2.VM_RUN_STATE_ABSENT,
)
ON, OFF = compute_pb2.POWER_STATE_ON, compute_pb2.POWER_STATE_OFF
DONE, FAILED = compute_pb2.MIGRATION_STAGE_DONE, compute_pb2.MIGRATION_STAGE_FAILED
CLUSTER, IMAGE = "clusters/lab", "images/guest"
OUTSIDE = "upstream"
OUTSIDE_ADDRESS = "10.10.0.254"  # of upstream, in VLAN 10
BOOT_S, MIGRATED_S = 60.0, 60.0
CHUNK_BYTES = 1 << 20
MEMORY_MIB = 128
REFUSED = (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND)
FOREIGN = """
<domain type='qemu'><name>foreign</name><memory unit='MiB'>32</memory>
<os><type arch='x86_64' machine='pc'>hvm</type></os></domain>
"""
SUBNETS = (
    network_pb2.Subnet(
        name="subnets/vlan",
        kind=network_pb2.SUBNET_KIND_VLAN,
        virtual_switches=("virtualSwitches/vs0",),
        vlan_id=10,
        ipv4=network_pb2.IpConfig(
            cidr="10.10.0.0/24",
            gateway="10.10.0.1",
            pools=[network_pb2.AddressRange(start="10.10.0.10", end="10.10.0.250")],
        ),
        dhcp=network_pb2.DhcpOptions(lease_s=3600),
    ),
    network_pb2.Subnet(
        name="subnets/overlay",
        kind=network_pb2.SUBNET_KIND_OVERLAY,
        clusters=(CLUSTER,),
        ipv4=network_pb2.IpConfig(cidr="10.20.0.0/24", gateway="10.20.0.1"),
        dhcp=network_pb2.DhcpOptions(lease_s=3600),
    ),
    network_pb2.Subnet(
        name="subnets/basic",
        kind=network_pb2.SUBNET_KIND_VLAN_BASIC,
        virtual_switches=("virtualSwitches/vs0",),
        vlan_id=30,
    ),
)


class Vms:
    """The virtual machines of a site."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.vms = VmServiceStub(site.channel)
        self.images = ImageServiceStub(site.channel)
        self.templates = VmTemplateServiceStub(site.channel)
        self.migrations = VmMigrationServiceStub(site.channel)
        self._numbers = itertools.count(1)

    # -- images ----------------------------------------------------------------------------------------------------

    def upload(self, name: str = IMAGE, path: Path | None = None) -> compute_pb2.Image:
        """Create an image of a file, the lab's guest when none is named; return it when it is there."""
        request = compute_pb2.CreateImageRequest(image=compute_pb2.Image(name=name))
        self.images.CreateImage(request, timeout=DEADLINE_S, wait_for_ready=True)
        self.images.UploadImage(_chunks(name, path or guest_image()), timeout=60)

        def there() -> bool:
            return self.image(name).status.phase == PROGRAMMED

        wait_until(there, timeout_s=20, what=f"{name} is there")
        return self.image(name)

    def image(self, name: str) -> compute_pb2.Image:
        """Return an image with its status."""
        request = compute_pb2.GetImageRequest(name=name)
        return self.images.GetImage(request, timeout=DEADLINE_S, wait_for_ready=True).image

    def wait_hosts(self) -> None:
        """Return when a machine runs on every host that runs machines: their agents have said what they can."""
        hosts = [host.id for host in self.site.lab.topology.hosts if host.compute]
        empty = [
            Vm(
                name=f"vms/first-{host}",
                cluster=CLUSTER,
                num_vcpus=1,
                memory_mib=32,
                power_state=ON,
                affinity_hosts=[f"hosts/{host}"],
            )
            for host in hosts
        ]
        self.site.apply(*empty)
        for vm in empty:
            self.wait_state(vm.name, RUNNING)
        self.remove(*(vm.name for vm in empty))

    # -- machines --------------------------------------------------------------------------------------------------

    def create(self, vm_id: str, *subnets: str, vm: Vm | None = None, host: str = "") -> Vm:
        """Create a machine with a disk of the guest image and a NIC on each subnet; start it (on `host`)."""
        made = Vm(name=f"vms/{vm_id}", cluster=CLUSTER, num_vcpus=1, memory_mib=MEMORY_MIB)
        made.disks.append(Disk(image=IMAGE, bus=compute_pb2.DISK_BUS_PCI))
        if vm is not None:
            made.MergeFrom(vm)
        nics = [
            network_pb2.Nic(name=f"nics/{vm_id}-{number}", vm=made.name, subnet=f"subnets/{subnet}")
            for number, subnet in enumerate(subnets or ("vlan",))
        ]
        self.site.apply(made, *nics)
        self.power(made.name, ON, host=host)
        return self.get(made.name)

    def get(self, name: str) -> Vm:
        """Return a machine with what its host says of it."""
        request = compute_pb2.GetVmRequest(name=name)
        return self.vms.GetVm(request, timeout=DEADLINE_S, wait_for_ready=True).vm

    def power(
        self, name: str, state: compute_pb2.PowerState.ValueType, *, graceful: bool = False, host: str = ""
    ) -> None:
        """Switch a machine."""
        request = compute_pb2.SetVmPowerRequest(
            name=name, power_state=state, graceful=graceful, host=f"hosts/{host}" if host else ""
        )
        self.vms.SetVmPower(request, timeout=DEADLINE_S, wait_for_ready=True)

    def wait_state(
        self, name: str, state: compute_pb2.VmRunState.ValueType, *, timeout_s: float = BOOT_S
    ) -> Vm:
        """Return a machine when its host says that it does this."""
        last = [Vm()]

        def reached() -> bool:
            last[0] = self.get(name)
            return last[0].run_state == state

        try:
            wait_until(reached, timeout_s=timeout_s, what=name)
        except TimeoutError as error:
            raise TimeoutError(
                f"{name}: wanted {compute_pb2.VmRunState.Name(state)}, "
                f"is {compute_pb2.VmRunState.Name(last[0].run_state)} with {last[0].status}"
            ) from error
        return last[0]

    def update(self, vm: Vm, *fields: str) -> Vm:
        """Change the named fields of a machine."""
        request = compute_pb2.UpdateVmRequest(vm=vm)
        request.update_mask.paths.extend(fields)
        return self.vms.UpdateVm(request, timeout=DEADLINE_S, wait_for_ready=True).vm

    def refusal(self, vm_id: str, vm: Vm) -> str:
        """Return what is said of a machine that cannot be."""
        asked = Vm(name=f"vms/{vm_id}", cluster=CLUSTER, num_vcpus=1, memory_mib=MEMORY_MIB)
        asked.MergeFrom(vm)
        with pytest.raises(grpc.RpcError) as refused:
            self.vms.CreateVm(compute_pb2.CreateVmRequest(vm=asked), timeout=DEADLINE_S, wait_for_ready=True)
        assert refused.value.code() in REFUSED, refused.value
        return str(refused.value.details())

    def remove(self, *names: str) -> None:
        """Delete machines; return when they and all that they had are gone."""
        for name in names:
            request = compute_pb2.DeleteVmRequest(name=name)
            self.vms.DeleteVm(request, timeout=DEADLINE_S, wait_for_ready=True)
        for name in names:
            wait_until(lambda name=name: not self.exists(name), timeout_s=20, what=f"{name} is gone")  # type: ignore[misc]

    def exists(self, name: str) -> bool:
        """Say whether there is such a machine."""
        try:
            self.get(name)
        except grpc.RpcError as error:
            if error.code() == grpc.StatusCode.NOT_FOUND:
                return False
            raise
        return True

    def all(self) -> Sequence[Vm]:
        """Return all machines."""
        request = compute_pb2.ListVmsRequest(page_size=1000)
        return self.vms.ListVms(request, timeout=DEADLINE_S, wait_for_ready=True).vms

    # -- from inside -----------------------------------------------------------------------------------------------

    def address(self, name: str, nic: int = 0) -> str:
        """Return the admitted address of one of a machine's NICs."""
        return self.site.get_nic(f"nics/{name.removeprefix('vms/')}-{nic}").ipv4_address

    def ask(self, name: str, script: str, *, timeout_s: float = 5.0) -> str:
        """Run a script in the guest, from outside, over its first NIC."""
        namespace = namespaces.node_namespace(self.site.lab.name, OUTSIDE)
        return guest_talk.ask(namespace, self.address(name), script, timeout_s=timeout_s)

    def try_ask(self, address: str, script: str) -> str:
        """Run a script in the guest at an address, from outside; "" while it does not answer."""
        namespace = namespaces.node_namespace(self.site.lab.name, OUTSIDE)
        try:
            return guest_talk.ask(namespace, address, script, timeout_s=2)
        except Unavailable:
            return ""

    def wait_answer(self, address: str, *, timeout_s: float = BOOT_S) -> None:
        """Return when the guest at an address answers."""
        wait_until(
            lambda: self.try_ask(address, "echo here") == "here",
            timeout_s=timeout_s,
            what=f"{address} answers",
        )

    def boot_id(self, name: str) -> str:
        """Return what names the boot of a guest; "" while it does not answer."""
        return self.try_ask(self.address(name), "cat /proc/sys/kernel/random/boot_id")

    def facts(self, name: str) -> dict[str, str]:
        """Return what the guest sees of its machine."""
        return dict(line.split("=", 1) for line in self.ask(name, "facts").splitlines())

    def wait_booted(self, *names: str, timeout_s: float = BOOT_S) -> None:
        """Return when these guests answer."""
        for name in names:
            self.wait_state(name, RUNNING)

            self.wait_answer(self.address(name), timeout_s=timeout_s)

    # -- migrations ------------------------------------------------------------------------------------------------

    def migrate(self, name: str, destination: str, **fields: int) -> str:
        """Start a migration; return its name."""
        suffix = "".join(random.choices(string.ascii_lowercase, k=6))
        migration = VmMigration(
            name=f"vmMigrations/m{next(self._numbers)}-{suffix}", vm=name, destination=f"hosts/{destination}"
        )
        for field, value in fields.items():
            setattr(migration, field, value)
        request = compute_pb2.CreateVmMigrationRequest(vm_migration=migration)
        return self.migrations.CreateVmMigration(
            request, timeout=DEADLINE_S, wait_for_ready=True
        ).vm_migration.name

    def migration(self, name: str) -> VmMigration:
        """Return a migration."""
        request = compute_pb2.GetVmMigrationRequest(name=name)
        return self.migrations.GetVmMigration(request, timeout=DEADLINE_S, wait_for_ready=True).vm_migration

    def wait_migration(
        self, name: str, *stages: compute_pb2.MigrationStage.ValueType, timeout_s: float = MIGRATED_S
    ) -> VmMigration:
        """Return a migration when it is in one of these stages."""
        last = [VmMigration()]

        def reached() -> bool:
            last[0] = self.migration(name)
            return last[0].stage in stages

        try:
            wait_until(reached, timeout_s=timeout_s, what=name, poll_s=0.02)
        except TimeoutError as error:
            raise TimeoutError(f"{name} is {last[0]}") from error
        return last[0]

    def moved(self, name: str, destination: str, **fields: int) -> VmMigration:
        """Migrate a machine and return the migration when it is over."""
        return self.wait_migration(self.migrate(name, destination, **fields), DONE, FAILED)

    def abort(self, name: str) -> None:
        """Ask a migration to stop."""
        request = compute_pb2.UpdateVmMigrationRequest(vm_migration=VmMigration(name=name, abort=True))
        request.update_mask.paths.append("abort")
        self.migrations.UpdateVmMigration(request, timeout=DEADLINE_S, wait_for_ready=True)

    def abort_all(self) -> None:
        """Stop every migration that is under way; return when none is."""
        request = compute_pb2.ListVmMigrationsRequest(page_size=1000)
        listed = self.migrations.ListVmMigrations(request, timeout=DEADLINE_S, wait_for_ready=True)
        for migration in listed.vm_migrations:
            if migration.stage not in (DONE, FAILED):
                self.abort(migration.name)
                self.wait_migration(migration.name, DONE, FAILED)

    def maintenance(self, host: str, *, on: bool) -> None:
        """Put a host into maintenance, or back."""
        request = infra_pb2.UpdateHostRequest(host=infra_pb2.Host(name=f"hosts/{host}", maintenance=on))
        request.update_mask.paths.append("maintenance")
        self.site.hosts.UpdateHost(request, timeout=DEADLINE_S, wait_for_ready=True)

    # -- what hosts really have ------------------------------------------------------------------------------------

    def domains(self, host: str) -> list[str]:
        """Name the domains of a host, as its libvirt knows them, running or not."""
        return self.site.lab.exec(host, ["virsh", "--quiet", "list", "--all", "--uuid"]).stdout.split()

    def qemus(self, host: str) -> list[int]:
        """List a host's QEMU processes, whatever libvirt knows."""
        found = []
        for pid in namespaces.pids_in([self.site.lab.place(host).namespace]):
            try:
                if Path(f"/proc/{pid}/comm").read_text().startswith("qemu-system"):
                    found.append(pid)
            except (FileNotFoundError, ProcessLookupError):
                continue
        return found

    def where(self, vm: Vm) -> list[str]:
        """Name the hosts on which a machine has a domain."""
        return [host.id for host in self.site.lab.topology.hosts if vm.uid in self.domains(host.id)]

    def kill_qemu(self, host: str, pid: int) -> None:
        """Kill a guest's process, which is on this host."""
        assert pid in self.qemus(host)
        os.kill(pid, signal.SIGKILL)

    def settled(self, name: str) -> None:
        """Return when a host has looked at a machine twice more."""
        for _ in range(2):
            self.site.settle()
            self.wait_state(name, compute_pb2.VM_RUN_STATE_SHUT_DOWN)

    def create_foreign_domain(self, host: str) -> str:
        """Start a domain that the controller knows nothing of; return its UUID."""
        file = self.site.lab.directory / "foreign.xml"
        file.write_text(FOREIGN)
        self.site.lab.exec(host, ["virsh", "create", str(file)])
        return self.site.lab.exec(host, ["virsh", "domuuid", "foreign"]).stdout.strip()

    def station(self, nic: network_pb2.Nic, name: str) -> Station:
        """Return a lab guest as a place from which a machine is probed."""
        return Station(self.site.namespace(nic), nic.ipv4_address, self.address(name))

    def outside(self, name: str) -> Station:
        """Return the machine beyond the uplink as such a place."""
        namespace = namespaces.node_namespace(self.site.lab.name, OUTSIDE)
        return Station(namespace, OUTSIDE_ADDRESS, self.address(name))


def _chunks(name: str, path: Path) -> Iterator[compute_pb2.UploadImageRequest]:
    yield compute_pb2.UploadImageRequest(name=name, size_bytes=path.stat().st_size)
    with path.open("rb") as file:
        while data := file.read(CHUNK_BYTES):
            yield compute_pb2.UploadImageRequest(data=data)


@contextmanager
def gone_afterwards(vms: Vms) -> Iterator[None]:
    """Delete every machine that the block made, whatever became of it."""
    before = {vm.name for vm in vms.all()}
    try:
        yield
    finally:
        vms.abort_all()
        vms.remove(*(vm.name for vm in vms.all() if vm.name not in before and not vm.deleting))
