"""The assignment on disk survives crashes, and what is damaged counts as none."""

from __future__ import annotations

import json
import resource
from pathlib import Path

import pytest
from netctl_host.saved_assignment import SavedAssignment

from netctl.errors import HostUnavailable
from tests.unit.host.samples import assign, nic, uplink
from tests.unit.host.test_convert import ASSIGNMENT as WHOLE

ASSIGNMENT = assign(uplink(0, "eth1", "eth2", address="192.0.2.11/24"), nics=(nic(1),), revision=7, epoch=3)


def saved_in(tmp_path: Path) -> Path:
    SavedAssignment(tmp_path).save(ASSIGNMENT)
    return tmp_path / "assignment.json"


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    directory = tmp_path / "made" / "on demand"
    SavedAssignment(directory).save(ASSIGNMENT)
    SavedAssignment(directory).save(assign(revision=8))
    assert SavedAssignment(directory).load() == assign(revision=8)
    assert [path.name for path in directory.iterdir()] == ["assignment.json"]


def test_what_an_older_agent_saved_is_loaded(tmp_path: Path) -> None:
    uplink_then = {
        "bridge": "br0",
        "physnet": "physnet-vs0",
        "bond": "br0-up",
        "interfaces": ["eth1"],
        "bond_mode": "active-backup",
        "mtu_bytes": 9000,
        "address": "",
    }
    nic_then = {
        "nic_id": "n1",
        "iface_id": "00000000-0000-0000-0000-000000000001",
        "tap_name": "tap1",
        "mac_address": "50:6b:8d:00:00:01",
        "mtu_bytes": 1442,
    }
    chassis = {
        "system_id": "h1",
        "ovn_remote": "tcp:192.0.2.1:6642",
        "encap_type": "geneve",
        "encap_ip": "192.0.2.11",
    }
    then = {"host_id": "h1", "revision": 7, "epoch": 3, "chassis": chassis}
    then |= {"uplink_bridges": [uplink_then], "nics": [nic_then]}
    (tmp_path / "assignment.json").write_text(json.dumps({"version": 1, "assignment": then}))
    assert SavedAssignment(tmp_path).load() == assign(uplink(0, "eth1"), nics=(nic(1),), revision=7, epoch=3)


def test_what_a_newer_one_says_of_chains_comes_back(tmp_path: Path) -> None:
    SavedAssignment(tmp_path).save(WHOLE)
    assert SavedAssignment(tmp_path).load() == WHOLE


def test_nothing_saved_is_none(tmp_path: Path) -> None:
    assert SavedAssignment(tmp_path).load() is None


def test_every_torn_file_is_none(tmp_path: Path) -> None:
    path = saved_in(tmp_path)
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        assert SavedAssignment(tmp_path).load() is None, length
    path.write_bytes(whole)
    assert SavedAssignment(tmp_path).load() == ASSIGNMENT


@pytest.mark.parametrize(
    "text", [b"\xff\xfe", b"null", b"[]", b"{}", b'{"version": 1, "assignment": {}}', b"\0" * 99]
)
def test_another_file_is_none(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "assignment.json").write_bytes(text)
    assert SavedAssignment(tmp_path).load() is None


def test_another_version_is_none(tmp_path: Path) -> None:
    path = saved_in(tmp_path)
    path.write_text(json.dumps(json.loads(path.read_text()) | {"version": 2}))
    assert SavedAssignment(tmp_path).load() is None


def test_a_crash_before_the_rename_leaves_the_old_one(tmp_path: Path) -> None:
    saved_in(tmp_path)
    (tmp_path / "assignment.new").write_bytes(b'{"version":')
    assert SavedAssignment(tmp_path).load() == ASSIGNMENT
    SavedAssignment(tmp_path).save(assign(revision=9))
    assert SavedAssignment(tmp_path).load() == assign(revision=9)


def test_a_disk_that_is_full_half_way_leaves_the_old_one(tmp_path: Path) -> None:
    saved_in(tmp_path)
    bigger = assign(nics=tuple(nic(number) for number in range(200)), revision=9)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(HostUnavailable, match=r"assignment\.json"):
            SavedAssignment(tmp_path).save(bigger)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert SavedAssignment(tmp_path).load() == ASSIGNMENT
    SavedAssignment(tmp_path).save(bigger)
    assert SavedAssignment(tmp_path).load() == bigger


def test_a_disk_that_refuses_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(HostUnavailable, match=r"assignment\.json"):
        SavedAssignment(tmp_path / "file").save(ASSIGNMENT)


def test_a_directory_in_its_place_is_none(tmp_path: Path) -> None:
    (tmp_path / "assignment.json").mkdir()
    assert SavedAssignment(tmp_path).load() is None
