"""libvirt's domains and secrets: what is there, and the few calls that change it.

Out: domains in our terms, errors of ours. libvirtd is the source of truth. A pass costs two calls, however many domains
there are: what a domain consists of is read once and again when an event says that it changed, when the agent changed
it, with each new connection, and every `REREAD_S`. Events only mark and wake; of a domain that ended they are the only
ones who know how (`take_ended`).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar
from xml.etree import ElementTree as ET

import libvirt
import structlog

from netctl.errors import HostUnavailable, NetctlError, NotFound
from netctl_compute.capacity import HypervisorFacts
from netctl_compute.domain_found import parse_domain, with_state
from netctl_compute.domain_xml import NAMESPACE, PREFIX
from netctl_compute.libvirt_connection import CALL_S, LibvirtConnection
from netctl_compute.reported import RunState, UnknownDomain
from netctl_compute.state import Domain, HowEnded

log = structlog.get_logger()
T = TypeVar("T")

REREAD_S = 60.0
START_S = 60.0  # swtpm makes keys before the first start
FACTS_S = 300.0
_STATES = {
    libvirt.VIR_DOMAIN_RUNNING: RunState.RUNNING,
    libvirt.VIR_DOMAIN_BLOCKED: RunState.RUNNING,
    libvirt.VIR_DOMAIN_PAUSED: RunState.PAUSED,
    libvirt.VIR_DOMAIN_PMSUSPENDED: RunState.RUNNING,  # the guest sleeps, and is woken by itself
    libvirt.VIR_DOMAIN_SHUTDOWN: RunState.SHUTTING_DOWN,
    libvirt.VIR_DOMAIN_SHUTOFF: RunState.SHUT_DOWN,
    libvirt.VIR_DOMAIN_CRASHED: RunState.CRASHED,
}
# PAUSED in these is libvirt's own doing, and libvirt goes on from there.
_OF_LIBVIRT = {
    libvirt.VIR_DOMAIN_PAUSED_MIGRATION: RunState.INCOMING,
    libvirt.VIR_DOMAIN_PAUSED_STARTING_UP: RunState.INCOMING,
}
_HOW_ENDED = {
    libvirt.VIR_DOMAIN_EVENT_STOPPED_SHUTDOWN: HowEnded.SHUT_DOWN,
    libvirt.VIR_DOMAIN_EVENT_STOPPED_DESTROYED: HowEnded.DESTROYED,
    libvirt.VIR_DOMAIN_EVENT_STOPPED_CRASHED: HowEnded.CRASHED,
    libvirt.VIR_DOMAIN_EVENT_STOPPED_MIGRATED: HowEnded.MIGRATED,
    libvirt.VIR_DOMAIN_EVENT_STOPPED_FAILED: HowEnded.CRASHED,
    libvirt.VIR_DOMAIN_EVENT_STOPPED_SAVED: HowEnded.DESTROYED,
}
_CHANGES = (
    libvirt.VIR_DOMAIN_EVENT_ID_DEVICE_ADDED,
    libvirt.VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED,
    libvirt.VIR_DOMAIN_EVENT_ID_METADATA_CHANGE,
    libvirt.VIR_DOMAIN_EVENT_ID_TRAY_CHANGE,
)
_LIVE = libvirt.VIR_DOMAIN_AFFECT_LIVE


@dataclass(frozen=True, slots=True)
class _Known:
    """What was read of a domain: `domain` is None of one that is not ours; `run` numbers libvirt's run of it."""

    run: int
    name: str
    domain: Domain | None


class LibvirtDriver:
    """Used by the loop's thread; events come on another. `uri` as libvirt spells it."""

    def __init__(self, uri: str, wake: Callable[[], None], *, call_s: float = CALL_S) -> None:
        self._uri = uri
        self._wake = wake
        self._lock = threading.Lock()  # guards what follows
        self._known: dict[str, _Known] = {}
        self._ended: dict[str, HowEnded] = {}
        self._reread_s = 0.0
        self._facts: tuple[str, HypervisorFacts] | None = None
        self._asking = False
        self.connection = LibvirtConnection(uri, opened=self._watch, lost=self._forget_all, call_s=call_s)

    def read_domains(self) -> tuple[Mapping[str, Domain], tuple[UnknownDomain, ...]]:
        """Return ours by uid, and the others."""
        with self._lock:
            if time.monotonic() >= self._reread_s:
                self._known.clear()
                self._reread_s = time.monotonic() + REREAD_S
            known = dict(self._known)
        read, states = self.connection.call("list domains", lambda connection: _read(connection, known))
        with self._lock:
            # What an event marked since then is read again by the next pass, which the event woke.
            marked = known.keys() - self._known.keys()
            self._known = {uid: domain for uid, domain in read.items() if uid not in marked}
        ours: dict[str, Domain] = {}
        unknown: list[UnknownDomain] = []
        for uid, found in read.items():
            run_state = states[uid]
            running = run_state not in (RunState.SHUT_DOWN, RunState.CRASHED)
            if found.domain is not None and running:
                ours[uid] = with_state(found.domain, run_state)
            else:
                unknown.append(UnknownDomain(name=found.name, uid=uid, running=running))
        return ours, tuple(sorted(unknown, key=lambda domain: domain.name))

    def take_ended(self) -> Mapping[str, HowEnded]:
        """Return once how domains ended since the last call."""
        with self._lock:
            ended, self._ended = self._ended, {}
        return ended

    def start(self, uid: str, xml: str, *, paused: bool) -> None:
        """Create a transient domain: nothing of it stays when it ends."""
        flags = libvirt.VIR_DOMAIN_START_PAUSED if paused else 0
        self.connection.call(
            f"start {uid}",
            lambda connection: connection.createXML(xml, flags) and None,
            about=uid,
            timeout_s=START_S,
        )

    def destroy(self, uid: str) -> None:
        """End it at once."""
        self._change(uid, "destroy", lambda domain: domain.destroy())

    def press_power(self, uid: str) -> None:
        """Ask the guest to shut down (ACPI)."""
        self._change(
            uid, "shut down", lambda domain: domain.shutdownFlags(libvirt.VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN)
        )

    def pause(self, uid: str) -> None:
        """Stop its CPUs."""
        self._change(uid, "pause", lambda domain: domain.suspend())

    def resume(self, uid: str) -> None:
        """Let its CPUs run."""
        self._change(uid, "resume", lambda domain: domain.resume())

    def reset(self, uid: str, metadata: str) -> None:
        """Reset it, then remember it: who is killed in between resets twice rather than never."""

        def do(domain: libvirt.virDomain) -> None:
            domain.reset()
            kind = libvirt.VIR_DOMAIN_METADATA_ELEMENT
            domain.setMetadata(kind, metadata, PREFIX, NAMESPACE, _LIVE)

        self._change(uid, "reset", do)

    def read_xml(self, uid: str) -> str:
        """Return the domain as it runs."""
        return self._change(uid, "read", lambda domain: str(domain.XMLDesc()))

    def attach(self, uid: str, device: str) -> None:
        """Plug in a device."""
        self._change(uid, "attach a device to", lambda domain: domain.attachDeviceFlags(device, _LIVE))

    def update(self, uid: str, device: str) -> None:
        """Change a device; a medium is taken out also when the guest locked its tray."""
        flags = _LIVE | libvirt.VIR_DOMAIN_DEVICE_MODIFY_FORCE
        self._change(uid, "change a device of", lambda domain: domain.updateDeviceFlags(device, flags))

    def detach(self, uid: str, device: str) -> None:
        """Ask the guest to let go of a device."""
        self._change(uid, "detach a device of", lambda domain: domain.detachDeviceFlags(device, _LIVE))

    def grow_disk(self, uid: str, target: str, size_bytes: int) -> None:
        """Make a disk larger while the guest runs."""
        flags = libvirt.VIR_DOMAIN_BLOCK_RESIZE_BYTES
        self._change(uid, "grow a disk of", lambda domain: domain.blockResize(target, size_bytes, flags))

    def read_secrets(self) -> frozenset[str]:
        """Return the uids of libvirt's secrets."""
        return self.connection.call(
            "list secrets",
            lambda connection: frozenset(secret.UUIDString() for secret in connection.listAllSecrets()),
        )

    def set_secret(self, xml: str, value: bytes) -> None:
        """Define a secret and give it its value."""
        self.connection.call(
            "set a secret", lambda connection: connection.secretDefineXML(xml).setValue(value)
        )

    def remove_secret(self, uid: str) -> None:
        """Remove a secret."""
        try:
            self.connection.call(
                "remove a secret", lambda connection: connection.secretLookupByUUIDString(uid).undefine()
            )
        except NotFound:
            return

    def read_facts(self, domain_type: str) -> tuple[str, HypervisorFacts]:
        """Return the type of domains (`auto`: KVM where there is some), and what libvirt says of itself.

        Asked once for each connection, on a thread: libvirtd tries out each QEMU before it answers, which takes seconds
        and on a bad day minutes. Until then HostUnavailable.
        """
        with self._lock:
            if self._facts is not None:
                return self._facts
            asking, self._asking = self._asking, True
        if not asking:
            threading.Thread(target=self._ask_facts, args=(domain_type,), name="facts", daemon=True).start()
        raise HostUnavailable("libvirt has not told yet what it can do")

    def _ask_facts(self, domain_type: str) -> None:
        facts = None
        # A connection of its own: libvirt 9 crashes who has two calls under way in one that breaks (CVE-2024-4418).
        asked = LibvirtConnection(self._uri)
        try:
            facts = asked.call(
                "ask what libvirt can do",
                lambda connection: _read_facts(connection, domain_type),
                timeout_s=FACTS_S,
            )
        except NetctlError as error:
            log.warning("libvirt does not tell what it can do", error=error.message)
        finally:
            asked.close()
        with self._lock:
            self._facts, self._asking = facts, False
        if facts is not None:
            self._wake()

    def close(self) -> None:
        """Let go of libvirtd; guests run on."""
        self.connection.close()

    def _change(self, uid: str, what: str, do: Callable[[libvirt.virDomain], T]) -> T:
        """Do something with one domain; a guest that hangs holds up itself alone."""
        try:
            return self.connection.call(
                f"{what} {uid}",
                lambda connection: do(connection.lookupByUUIDString(uid)),
                about=uid,
            )
        finally:
            self._forget(uid)

    def _watch(self, connection: libvirt.virConnect) -> Callable[[], None]:
        """Register for events; nothing that was read before counts any more."""
        self._forget_all()
        ids = [
            connection.domainEventRegisterAny(
                None, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, self._on_lifecycle, None
            )
        ]
        ids += [connection.domainEventRegisterAny(None, event, self._on_change, None) for event in _CHANGES]

        def undo() -> None:
            for number in ids:
                connection.domainEventDeregisterAny(number)

        return undo

    def _on_lifecycle(
        self, _connection: object, domain: libvirt.virDomain, event: int, detail: int, _opaque: object
    ) -> None:
        uid = domain.UUIDString()
        if event == libvirt.VIR_DOMAIN_EVENT_STOPPED:
            with self._lock:
                self._ended[uid] = _HOW_ENDED.get(detail, HowEnded.UNKNOWN)
        self._forget(uid)
        self._wake()

    def _on_change(self, _connection: object, domain: libvirt.virDomain, *_rest: object) -> None:
        self._forget(domain.UUIDString())
        self._wake()

    def _forget(self, uid: str) -> None:
        with self._lock:
            self._known.pop(uid, None)

    def _forget_all(self) -> None:
        with self._lock:
            self._known.clear()
            self._facts = None
        self._wake()


def _read(
    connection: libvirt.virConnect, known: Mapping[str, _Known]
) -> tuple[dict[str, _Known], dict[str, RunState]]:
    """Return what the domains are, and their states; those that vanish meanwhile are left out."""
    # NOWAIT: the state is libvirtd's own knowledge; a guest whose monitor hangs is not waited for.
    found = connection.getAllDomainStats(
        libvirt.VIR_DOMAIN_STATS_STATE, libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT
    )
    read: dict[str, _Known] = {}
    states: dict[str, RunState] = {}
    for domain, stats in found:
        uid = domain.UUIDString()
        run = domain.ID()
        there = known.get(uid)
        if there is None or there.run != run:
            try:
                there = _Known(run=run, name=domain.name(), domain=parse_domain(domain.XMLDesc()))
            except libvirt.libvirtError as error:
                if error.get_error_code() != libvirt.VIR_ERR_NO_DOMAIN:
                    raise
                continue
        read[uid] = there
        states[uid] = _run_state(stats)
    return read, states


def _read_facts(connection: libvirt.virConnect, domain_type: str) -> tuple[str, HypervisorFacts]:
    if domain_type == "auto":
        kinds = ET.fromstring(connection.getCapabilities()).findall("guest/arch/domain")
        domain_type = "kvm" if any(kind.get("type") == "kvm" for kind in kinds) else "qemu"
    # Of the two machine types q35 is the one with Secure Boot.
    capabilities = connection.getDomainCapabilities(None, None, "q35", domain_type)
    return domain_type, HypervisorFacts(
        domain_capabilities=capabilities,
        libvirt_version=connection.getLibVersion(),
        qemu_version=connection.getVersion(),
    )


def _run_state(stats: Mapping[str, int]) -> RunState:
    state, reason = stats.get("state.state", 0), stats.get("state.reason", 0)
    if state == libvirt.VIR_DOMAIN_PAUSED and reason in _OF_LIBVIRT:
        return _OF_LIBVIRT[reason]
    return _STATES.get(state, RunState.RUNNING)
