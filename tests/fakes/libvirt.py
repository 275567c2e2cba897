"""FakeLibvirt: libvirt in memory, as the compute agent uses it (`netctl_compute.parts.Hypervisor`).

`tests/functional/compute/test_contract.py` runs the same subjects over it and over a real libvirtd. Beside what the
agent calls it has what the world does: guests end, others make domains, libvirtd goes away.
"""

from __future__ import annotations

from collections.abc import Mapping
from xml.etree import ElementTree as ET

from netctl_compute.domain_found import parse_domain, with_state
from netctl_compute.domain_xml import NAMESPACE
from netctl_compute.reported import RunState, UnknownDomain
from netctl_compute.state import Domain, HowEnded

from netctl.errors import AlreadyExists, HostUnavailable, NotFound


class FakeLibvirt:
    """`starts` counts domains that were made."""

    def __init__(self) -> None:
        self.up = True
        self.starts = 0
        self.pressed: list[str] = []
        self.short_lived: set[str] = set()  # uids of guests that shut themselves down at once
        self._xml: dict[str, ET.Element] = {}
        self._states: dict[str, RunState] = {}
        self._foreign: dict[str, UnknownDomain] = {}
        self._ended: dict[str, HowEnded] = {}
        self._secrets: dict[str, bytes] = {}

    def end(self, uid: str, how: HowEnded) -> None:
        """A guest ends by itself."""
        self._forget(uid)
        self._ended[uid] = how

    def vanish(self, uid: str) -> None:
        """A domain ends while nobody listens."""
        self._forget(uid)

    def set_state(self, uid: str, state: RunState) -> None:
        """Somebody pauses or resumes it, or a migration does."""
        self._states[uid] = state

    def add_foreign(self, name: str, uid: str) -> None:
        """Somebody makes a domain."""
        self._foreign[uid] = UnknownDomain(name=name, uid=uid, running=True)

    def read_domains(self) -> tuple[Mapping[str, Domain], tuple[UnknownDomain, ...]]:
        """Return ours by uid, and the others."""
        self._check()
        ours: dict[str, Domain] = {}
        for uid, root in self._xml.items():
            domain = parse_domain(ET.tostring(root, encoding="unicode"))
            assert domain is not None
            ours[uid] = with_state(domain, self._states[uid])
        return ours, tuple(sorted(self._foreign.values(), key=lambda domain: domain.name))

    def take_ended(self) -> Mapping[str, HowEnded]:
        """Return once how domains ended since the last call."""
        ended, self._ended = self._ended, {}
        return ended

    def start(self, uid: str, xml: str, *, paused: bool) -> None:
        """Create a transient domain."""
        self._check()
        root = ET.fromstring(xml)
        names = {other.findtext("name") for other in self._xml.values()}
        names |= {domain.name for domain in self._foreign.values()}
        if uid in self._xml or uid in self._foreign or root.findtext("name") in names:
            raise AlreadyExists(f"start {uid}: domain is there already")
        if root.findtext("cpu/model") == "No-Such-Model":
            raise HostUnavailable(f"start {uid}: Unknown CPU model No-Such-Model")
        self._xml[uid] = root
        self._states[uid] = RunState.PAUSED if paused else RunState.RUNNING
        self.starts += 1
        if uid in self.short_lived:
            self.end(uid, HowEnded.SHUT_DOWN)

    def destroy(self, uid: str) -> None:
        """End it at once."""
        self._get(uid)
        self.end(uid, HowEnded.DESTROYED)

    def press_power(self, uid: str) -> None:
        """Ask the guest, which does not listen."""
        self._get(uid)
        self.pressed.append(uid)

    def pause(self, uid: str) -> None:
        """Stop its CPUs."""
        self._get(uid)
        self._states[uid] = RunState.PAUSED

    def resume(self, uid: str) -> None:
        """Let its CPUs run."""
        self._get(uid)
        self._states[uid] = RunState.RUNNING

    def reset(self, uid: str, metadata: str) -> None:
        """Reset it; remember it."""
        ours = self._get(uid).find(f"metadata/{{{NAMESPACE}}}vm")
        assert ours is not None
        ours.attrib.update(ET.fromstring(metadata).attrib)

    def read_xml(self, uid: str) -> str:
        """Return the domain as it runs."""
        return ET.tostring(self._get(uid), encoding="unicode")

    def attach(self, uid: str, device: str) -> None:
        """Plug in a device."""
        devices = self._devices(uid)
        new = ET.fromstring(device)
        if any(_name(old) == _name(new) for old in devices if old.tag == new.tag):
            raise HostUnavailable(f"attach a device to {uid}: non unique alias of {_name(new)}")
        devices.append(new)

    def update(self, uid: str, device: str) -> None:
        """Change a device."""
        devices, new = self._devices(uid), ET.fromstring(device)
        old = self._find(uid, new)
        devices.insert(list(devices).index(old), new)
        devices.remove(old)

    def detach(self, uid: str, device: str) -> None:
        """Ask the guest to let go of a device; this one does at once."""
        self._devices(uid).remove(self._find(uid, ET.fromstring(device)))

    def grow_disk(self, uid: str, target: str, size_bytes: int) -> None:
        """Make a disk larger: its file, which is not here."""
        if not any(_name(disk) == target for disk in self._devices(uid).findall("disk")):
            raise HostUnavailable(f"grow a disk of {uid}: invalid path: {target}")

    def read_secrets(self) -> frozenset[str]:
        """Return the uids of libvirt's secrets."""
        self._check()
        return frozenset(self._secrets)

    def set_secret(self, xml: str, value: bytes) -> None:
        """Define a secret and give it its value."""
        self._check()
        self._secrets[ET.fromstring(xml).findtext("uuid", "")] = value

    def remove_secret(self, uid: str) -> None:
        """Remove a secret."""
        self._check()
        self._secrets.pop(uid, None)

    def _check(self) -> None:
        if not self.up:
            raise HostUnavailable("libvirtd does not answer")

    def _get(self, uid: str) -> ET.Element:
        self._check()
        if uid not in self._xml:
            raise NotFound(f"no domain {uid}")
        return self._xml[uid]

    def _devices(self, uid: str) -> ET.Element:
        devices = self._get(uid).find("devices")
        assert devices is not None
        return devices

    def _find(self, uid: str, wanted: ET.Element) -> ET.Element:
        for device in self._devices(uid).findall(wanted.tag):
            if _name(device) == _name(wanted):
                return device
        raise NotFound(f"{uid} has no {wanted.tag} {_name(wanted)}")

    def _forget(self, uid: str) -> None:
        self._xml.pop(uid, None)
        self._states.pop(uid, None)


def _name(device: ET.Element) -> str:
    target = device.find("target")
    return target.get("dev", "") if target is not None else ""
