"""A guest's vTPM and seed on real libvirtd, QEMU and swtpm: what the guest keeps is read by nobody else.

Asked from inside a guest with a real kernel, made by the agent of an image that the controller serves.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
from netctl_compute.assignment import (
    Firmware,
    GuestCustomization,
    MachineType,
    PowerState,
    VmAssignment,
    VmRole,
)
from netctl_compute.tpm import secret_uid

from netctl.errors import Unavailable
from netctl.lab import guest_talk, namespaces
from netctl.lab.guest_image import guest_image
from netctl.loop import wait_until
from netctl.v1 import compute_pb2
from tests.functional.compute.compute_agent import ComputeAgent, compute_agent
from tests.functional.compute.libvirt_host import PrivateLibvirt
from tests.unit.compute.samples import assign, disk, nic, uid_of, vm

BOOT_S = 120.0
RUNNING = compute_pb2.VM_RUN_STATE_RUNNING
# A guest as anybody would make it, whose vTPM has no secret: what the search must find in that one.
_PLAIN = """
<domain type='qemu'>
  <name>plain</name><uuid>{uid}</uuid><memory unit='MiB'>128</memory>
  <os><type arch='x86_64' machine='pc'>hvm</type></os>
  <features><acpi/></features>
  <devices>
    <disk type='file' device='disk'>
      <driver name='qemu' type='qcow2'/><source file='{disk}'/><target dev='vda' bus='virtio'/>
    </disk>
    <interface type='ethernet'>
      <mac address='52:54:00:00:00:01'/><target dev='tapplain'/><model type='virtio'/>
    </interface>
    <tpm model='tpm-crb'><backend type='emulator' version='2.0'/></tpm>
  </devices>
</domain>
"""


@pytest.fixture
def agent(libvirt_host: PrivateLibvirt, short_path: Path) -> Iterator[ComputeAgent]:
    with compute_agent(libvirt_host, short_path / "agent") as agent:
        yield agent


@pytest.fixture
def guest(agent: ComputeAgent) -> VmAssignment:
    """A machine of the lab's image with a vTPM and a seed, not assigned yet."""
    image = guest_image().read_bytes()
    agent.controller.images["guest"] = image
    made_of = disk("web1", size_bytes=0, image="guest", image_sha256=hashlib.sha256(image).hexdigest())
    return vm(
        "web1",
        disks=(made_of,),
        nics=(nic("web1"),),
        memory_mib=128,
        vtpm=True,
        vtpm_secret=base64.b64encode(secrets.token_bytes(32)).decode(),
        generation_id=str(uuid4()),
        customization=GuestCustomization(user_data=f"#cloud-config\npassword: {uid_of('password')}\n"),
    )


class Inside:
    """A guest, asked over its tap."""

    def __init__(self, host: PrivateLibvirt, mac_address: str, tap: str) -> None:
        self._host = host
        self._address = guest_talk.link_local(mac_address, tap)
        self._tap = tap

    def ask(self, script: str) -> str:
        """Return what a script prints in there."""
        return guest_talk.ask(self._host.namespace, self._address, script)

    def wait(self) -> None:
        """Return when it answers."""
        self._host.run("ip", "link", "set", self._tap, "up")
        wait_until(self._answers, timeout_s=BOOT_S, what="the guest answers", poll_s=0.1)

    def _answers(self) -> bool:
        try:
            return self.ask("echo here") == "here"
        except Unavailable:
            return False


def inside(agent: ComputeAgent, guest: VmAssignment) -> Inside:
    """Return a machine's guest, once it answers."""
    found = Inside(agent.host, guest.nics[0].mac_address, guest.nics[0].tap_name)
    found.wait()
    return found


def state_files(agent: ComputeAgent, uid: str) -> list[Path]:
    """Return what swtpm keeps of a machine."""
    swtpm = agent.host.host.directory / "var/lib/libvirt/swtpm" / uid
    return [path for path in swtpm.rglob("*.permall") if path.is_file()]


def files_with(words: bytes, *places: Path) -> set[Path]:
    """Return the files below some places in which these bytes are."""
    files = {path for place in places for path in place.rglob("*") if path.is_file()}
    return {path for path in files if words in path.read_bytes()}


def command_lines(agent: ComputeAgent) -> bytes:
    """Return how each process of the host was called, and its environment."""
    found = b""
    for pid in namespaces.pids_in([agent.host.namespace]):
        for name in ("cmdline", "environ"):
            found += Path(f"/proc/{pid}/{name}").read_bytes()
    return found


def start_plain(agent: ComputeAgent, image: Path) -> Inside:
    """Start a guest whose vTPM has no secret."""
    here = agent.host.host.directory
    agent.host.run(
        "qemu-img", "create", "-q", "-f", "qcow2", "-b", str(image), "-F", "qcow2", f"{here}/plain.qcow2"
    )
    (here / "plain.xml").write_text(_PLAIN.format(uid=uid_of("plain"), disk=here / "plain.qcow2"))
    agent.host.virsh("create", str(here / "plain.xml"))
    return Inside(agent.host, "52:54:00:00:00:01", "tapplain")


@pytest.mark.timeout(300)  # three boots in emulation
def test_what_a_guest_keeps_in_its_vtpm_is_opened_by_its_secret_alone(
    agent: ComputeAgent, guest: VmAssignment, short_path: Path
) -> None:
    plain = start_plain(agent, guest_image())
    agent.settled(assign(guest))
    marker = secrets.token_bytes(24)
    web = inside(agent, guest)
    plain.wait()
    for each in (web, plain):
        each.ask(f"tpm write {marker.hex()}")
        assert each.ask("tpm read").startswith(marker.hex())
    assert len(state_files(agent, guest.uid)) == 1
    assert files_with(marker, agent.host.host.directory) == set(state_files(agent, uid_of("plain")))
    agent.host.virsh("destroy", "plain")
    assert f"generation_id={guest.generation_id}" in web.ask("facts")
    assert_secrets_are_where_they_belong(agent, guest, web, short_path)
    off = replace(guest, power_state=PowerState.OFF)
    agent.settled(assign(off, revision=2))
    restart_libvirtd(agent, guest)
    other = base64.b64encode(secrets.token_bytes(32)).decode()
    agent.assign(assign(replace(guest, vtpm_secret=other, power_epoch=2), revision=3))
    report = agent.wait(lambda report: report.vms and report.vms[0].reason, "it says why it does not start")
    assert report.vms[0].reason == "START_FAILED"
    assert "web1" not in agent.host.virsh("list", "--name")
    assert other not in f"{report}{agent.log.read_text()}"
    agent.settled(assign(off, revision=4))
    restart_libvirtd(agent, guest)
    agent.settled(assign(replace(guest, power_epoch=3), revision=5))
    assert inside(agent, guest).ask("tpm read").startswith(marker.hex())
    # Removed, nothing of it stays.
    agent.settled(assign(replace(off, role=VmRole.REMOVE), revision=6))
    assert not (agent.host.host.directory / "var/lib/libvirt/swtpm" / guest.uid).exists()
    assert secret_uid(guest.uid) not in agent.host.virsh("secret-list")
    assert files_with(uid_of("password").encode(), short_path) == set()


def restart_libvirtd(agent: ComputeAgent, guest: VmAssignment) -> None:
    """Kill libvirtd and start it again: it has forgotten the secret, which was never on its disk."""
    assert secret_uid(guest.uid) in agent.host.virsh("secret-list")
    agent.host.kill()
    agent.host.start()
    assert secret_uid(guest.uid) not in agent.host.virsh("secret-list")


def assert_secrets_are_where_they_belong(
    agent: ComputeAgent, guest: VmAssignment, web: Inside, short_path: Path
) -> None:
    """The guest reads its seed; what is secret is there alone: in no other file, no command line, no answer."""
    assert guest.customization is not None
    assert web.ask("seed mount; seed user-data") == guest.customization.user_data.strip()
    seed = short_path / f"agent/run/seeds/{guest.uid}.iso"
    assert files_with(uid_of("password").encode(), short_path) == {seed}
    secret = guest.vtpm_secret.encode()
    raw = base64.b64decode(secret)
    called = command_lines(agent)
    assert guest.uid.encode() in called
    for words in (secret, raw, raw.hex().encode()):
        assert files_with(words, short_path) == set()
        assert words not in called
    with pytest.raises(Unavailable, match="private"):
        agent.host.virsh("secret-get-value", secret_uid(guest.uid))


def test_without_its_secret_it_waits_and_says_so(agent: ComputeAgent, guest: VmAssignment) -> None:
    guest = replace(
        guest, firmware=Firmware.UEFI, machine_type=MachineType.Q35, secure_boot=True, memory_mib=256
    )
    agent.assign(assign(replace(guest, vtpm_secret="")))
    report = agent.wait(lambda report: report.vms and report.vms[0].reason == "NO_VTPM_SECRET", "it says so")
    assert "comes from the controller" in report.vms[0].problem
    assert "web1" not in agent.host.virsh("list", "--name")
    agent.settled(assign(guest, revision=2))
    assert "web1" in agent.host.virsh("list", "--name")
    assert "secure='yes'" in agent.host.virsh("dumpxml", "web1")
