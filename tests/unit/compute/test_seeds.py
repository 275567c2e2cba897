"""What a guest is told: the CD-ROM that cloud-init or Windows reads, and secrets that are nowhere else."""

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path
from uuid import uuid4
from xml.etree import ElementTree

import pytest
from netctl_compute.assignment import GuestCustomization, PowerState, VmAssignment, VmRole
from netctl_compute.iso9660 import render_iso
from netctl_compute.problem import Problem
from netctl_compute.seeds import Seeds
from netctl_compute.unattend import render_unattend

KEY = "ABCDE-12345-FGHIJ-67890-KLMNO"
UNATTEND = "{urn:schemas-microsoft-com:unattend}"
ANSWERS = """<?xml version="1.0" encoding="utf-8"?>
<unattend xmlns="urn:schemas-microsoft-com:unattend" xmlns:wcm="http://schemas.microsoft.com/WMIConfig/2002/State">
  <settings pass="oobeSystem">
    <component name="Microsoft-Windows-Shell-Setup"><TimeZone wcm:action="add">UTC</TimeZone></component>
  </settings>
  <settings pass="specialize">
    <component name="Microsoft-Windows-Shell-Setup"><ComputerName>web</ComputerName></component>
  </settings>
</unattend>"""


def read_iso(data: bytes) -> dict[str, bytes]:
    """Read the Joliet tree of an image by the specification: nothing is shared with what writes it."""
    sector = 2048
    for number in range(16, 32):
        volume = data[number * sector : (number + 1) * sector]
        assert volume[1:6] == b"CD001"
        if volume[0] == 2 and volume[88:91] in (b"%/@", b"%/C", b"%/E"):
            break
    (root,) = struct.unpack_from("<I", volume, 156 + 2)
    files: dict[str, bytes] = {}
    at = root * sector
    while data[at]:
        place, length = struct.unpack_from("<I4xI", data, at + 2)
        assert struct.unpack_from(">I4xI", data, at + 6) == (place, length)
        name = data[at + 33 : at + 33 + data[at + 32]]
        if not data[at + 25] & 2:
            files[name.decode("utf-16-be").removesuffix(";1")] = data[
                place * sector : place * sector + length
            ]
        at += data[at]
    return files


@pytest.fixture
def seeds(tmp_path: Path) -> Seeds:
    return Seeds(tmp_path / "seeds")


def told(**what: str) -> VmAssignment:
    return VmAssignment(
        vm="web1",
        uid=str(uuid4()),
        role=VmRole.RUN,
        power_state=PowerState.ON,
        memory_mib=64,
        customization=GuestCustomization(**what),
    )


def made(seeds: Seeds, vm: VmAssignment) -> dict[str, bytes]:
    seeds.make(vm)
    found = seeds.find(vm)
    assert found is not None
    assert found.path.stat().st_mode & 0o777 == 0o600
    return read_iso(found.path.read_bytes())


@pytest.mark.parametrize("length", [0, 1, 2047, 2048, 2049, 300_000])
def test_files_of_any_length_are_read_back(length: int) -> None:
    files = {"user-data": b"u" * length, "meta-data": b"m", "network-config": b"n" * 5000}
    image = render_iso("CIDATA", files)
    assert len(image) % 2048 == 0
    assert read_iso(image) == files
    assert image[16 * 2048 + 40 : 16 * 2048 + 72] == b"CIDATA".ljust(32)


def test_cloud_init_finds_what_it_needs(seeds: Seeds) -> None:
    vm = told(user_data="#cloud-config\npassword: geheim ☃\n")
    assert made(seeds, vm) == {
        "user-data": "#cloud-config\npassword: geheim ☃\n".encode(),
        "meta-data": f"instance-id: {vm.uid}\nlocal-hostname: web1\n".encode(),
    }
    assert made(seeds, told(network_config="version: 2", meta_data="instance-id: mine")) == {
        "user-data": b"#cloud-config\n{}\n",
        "meta-data": b"instance-id: mine",
        "network-config": b"version: 2",
    }


def test_windows_finds_its_answers_with_the_key_in_them(seeds: Seeds) -> None:
    files = made(seeds, told(sysprep_unattend_xml=ANSWERS, windows_license_key=KEY))
    assert set(files) == {"Autounattend.xml", "Unattend.xml"}
    root = ElementTree.fromstring(files["Unattend.xml"])
    assert [key.text for key in root.iter(f"{UNATTEND}ProductKey")] == [KEY]
    component = root.find(f"{UNATTEND}settings[@pass='specialize']/{UNATTEND}component")
    assert component is not None
    assert [child.tag for child in component] == [f"{UNATTEND}ComputerName", f"{UNATTEND}ProductKey"]
    assert b"wcm:action" in files["Unattend.xml"]


def test_a_key_alone_makes_an_answer_file_and_an_old_key_is_replaced() -> None:
    alone = render_unattend("", KEY)
    assert [key.text for key in ElementTree.fromstring(alone).iter(f"{UNATTEND}ProductKey")] == [KEY]
    other = "VWXYZ-12345-FGHIJ-67890-KLMNO"
    replaced = render_unattend(alone.decode(), other)
    assert [key.text for key in ElementTree.fromstring(replaced).iter(f"{UNATTEND}ProductKey")] == [other]


@pytest.mark.parametrize(
    ("answers", "key", "words"),
    [
        ("<unattend>geheim", "", "not well-formed"),
        ("<geheim/>", "", "not an answer file"),
        ('<!DOCTYPE a [<!ENTITY b "geheim">]><a>&b;</a>', "", "DOCTYPE"),
        ("<?xml version='1.0' encoding='geheim'?><a/>", "", "not well-formed"),
        (
            f'<unattend xmlns="urn:schemas-microsoft-com:unattend">{"<geheim>" * 9000}{"</geheim>" * 9000}</unattend>',
            "",
            "too deeply",
        ),
        ("", "geheim", "5 groups"),
        ("", KEY + "</ProductKey>", "5 groups"),
        ("", KEY + "\n", "5 groups"),
    ],
    ids=lambda text: text[:30],
)
def test_bad_answers_are_refused_without_their_text(answers: str, key: str, words: str) -> None:
    with pytest.raises(Problem, match=words) as raised:
        render_unattend(answers, key)
    assert raised.value.reason == "BAD_CUSTOMIZATION"
    assert "geheim" not in f"{raised.value} {raised.value.__cause__}"


def test_a_seed_changes_with_the_assignment_and_survives_one_without_secrets(seeds: Seeds) -> None:
    vm = told(user_data="one")
    seeds.make(vm)
    changed = replace(vm, customization=GuestCustomization(user_data="two"))
    assert seeds.find(changed) is None
    first = seeds.find(vm)
    assert first is not None
    with first.path.open("rb") as in_the_drive:
        assert made(seeds, changed)["user-data"] == b"two"
        assert read_iso(in_the_drive.read())["user-data"] == b"one"
    assert seeds.find(replace(vm, customization=None)) == first
    # An agent that was restarted finds that it is the right one.
    assert Seeds(first.path.parent).find(changed) == first
    assert Seeds(first.path.parent).find(vm) is None


def test_a_seed_goes_with_its_machine(seeds: Seeds) -> None:
    vm, other = told(user_data="one"), told(user_data="other")
    for each in (vm, other):
        seeds.make(each)
    assert "one" not in f"{vm!r}{seeds!r}{seeds.find(vm)!r}"
    seeds.remove(vm.uid)
    assert not seeds.exists(vm.uid)
    assert seeds.exists(other.uid)
    seeds.tidy(frozenset({other.uid}))
    assert seeds.exists(other.uid)
    seeds.tidy(frozenset())
    assert not seeds.exists(other.uid)


@pytest.mark.parametrize("uid", ["../../etc/cron.d/x", "web1", ""])
def test_a_seed_of_no_uuid_is_refused(seeds: Seeds, uid: str) -> None:
    with pytest.raises(Problem, match="not a UUID"):
        seeds.make(replace(told(user_data="x"), uid=uid))
