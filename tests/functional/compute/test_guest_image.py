"""The lab's guest under real libvirt and QEMU: what other tests ask of it, it can tell."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import pytest

from netctl.errors import Unavailable
from netctl.lab import guest_talk
from netctl.lab.guest_image import guest_image
from netctl.loop import wait_until
from tests.functional.compute.libvirt_host import PrivateLibvirt

MAC, TAP = "52:54:00:00:00:01", "tap1"
_GUEST = """
<domain type='qemu'>
  <name>guest</name><memory unit='MiB'>128</memory>
  <os><type arch='x86_64' machine='pc'>hvm</type></os>
  <features><acpi/></features>
  <genid>{generation_id}</genid>
  <devices>
    <disk type='file' device='disk'>
      <driver name='qemu' type='qcow2'/><source file='{disk}'/><target dev='vda' bus='virtio'/>
    </disk>
    <interface type='ethernet'>
      <mac address='{mac}'/><target dev='{tap}'/><model type='virtio'/>
      <driver><host csum='off'/><guest csum='off'/></driver>
    </interface>
    <tpm model='tpm-tis'><backend type='emulator' version='2.0'/></tpm>
  </devices>
</domain>
"""


@pytest.fixture
def generation_id(libvirt_host: PrivateLibvirt) -> str:
    """A guest that runs on the host; its generation id."""
    chosen = str(uuid4())
    here = libvirt_host.host.directory
    base = ("-b", str(guest_image()), "-F", "qcow2")
    libvirt_host.run("qemu-img", "create", "-q", "-f", "qcow2", *base, str(here / "disk.qcow2"))
    domain = _GUEST.format(generation_id=chosen, disk=here / "disk.qcow2", mac=MAC, tap=TAP)
    (here / "guest.xml").write_text(domain)
    libvirt_host.virsh("create", str(here / "guest.xml"))
    return chosen


def test_a_guest_tells_what_it_sees(libvirt_host: PrivateLibvirt, generation_id: str) -> None:
    address = guest_talk.link_local(MAC, TAP)

    def ask(script: str) -> str:
        return guest_talk.ask(libvirt_host.namespace, address, script)

    def answers() -> bool:
        try:
            return ask("echo here") == "here"
        except Unavailable:
            return False

    wait_until(answers, timeout_s=40, what="the guest answers")
    facts = guest_talk.facts(libvirt_host.namespace, address)
    assert facts["generation_id"] == generation_id
    assert facts["firmware"] == "bios"
    assert int(facts["memory_kib"]) > 80 * 1024
    assert facts["processor_model"]
    ask("tpm write 00ff17")
    assert ask("tpm read").startswith("00ff17")
    assert ask("marker vda") == ""
    ask("marker vda 'kept on disk'")
    assert ask("marker vda") == "kept on disk"
    assert ask("vlan eth0 5 192.0.2.9/24 && ip -o addr show dev eth0.5").count("192.0.2.9/24") == 1
    with pytest.raises(Unavailable, match="No such file"):
        ask("cat /nothing")
    ask("dirty 4 40")
    ask("dirty stop")
    libvirt_host.virsh("shutdown", "guest", "--mode", "acpi")
    wait_until(lambda: libvirt_host.qemu_pids() == [], timeout_s=20, what="the power button turns it off")


def test_the_image_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = guest_image()
    assert guest_image() == made
    assert made.stat().st_size < 64 << 20
    monkeypatch.setenv("NETCTL_GUEST_DIR", str(tmp_path))
    (tmp_path / made.name).write_bytes(b"as if made")
    assert guest_image() == tmp_path / made.name
    assert (tmp_path / made.name).read_bytes() == b"as if made"
