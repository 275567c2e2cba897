"""The addresses that guests use, and since when they were silent. Pure, but for the clock that it is given.

In: which NICs are of interest, and what was seen of them. Out: the addresses that count, by NIC. Owns the table. For
each VLAN of a NIC at most `PORT_MAX` addresses; one that was silent for `SILENCE_S` is forgotten. A new one takes the
place of that which was silent for longest, if that was for `GRACE_S`: a guest that makes up addresses by the thousand
displaces few of its own, and says little to the controller.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

from netctl_host.assignment import Assignment
from netctl_host.state import HostState, LearnedAddress

PORT_MAX = 8
SILENCE_S, GRACE_S = 600.0, 60.0


@dataclass(frozen=True, slots=True)
class Owner:
    """A NIC with its MAC address: with another one it is another guest's."""

    iface_id: str
    mac_address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tap:
    """Where a NIC is heard: `index` tells the tap from an earlier one of its name, and is 0 where there is none.

    Tags other than `vlan_ids` mean nothing.
    """

    name: str
    index: int
    owner: Owner
    vlan_ids: tuple[int, ...] = ()


Learned = Mapping[Owner, tuple[LearnedAddress, ...]]


class LearnedTable:
    """What was learned; any thread."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._heard: dict[Owner, dict[LearnedAddress, float]] = {}

    def note(self, owner: Owner, addresses: Iterable[LearnedAddress]) -> bool:
        """Note what a guest uses now; say whether the table changed. An owner that is not kept is nobody."""
        now = self._clock()
        with self._lock:
            heard = self._heard.get(owner)
            if heard is None:
                return False
            before = set(heard)
            for address in addresses:
                if address not in heard and not _make_room(heard, address.vlan_id, now):
                    continue
                heard[address] = now
            return set(heard) != before

    def note_life(self, owner: Owner, address: LearnedAddress) -> None:
        """Note that a guest still uses an address that is known."""
        with self._lock:
            heard = self._heard.get(owner, {})
            if address in heard:
                heard[address] = self._clock()

    def silent(self, owner: Owner) -> tuple[LearnedAddress, ...]:
        """Return the addresses of which a sign of life is awaited, that which was silent for longest first."""
        latest = self._clock() - SILENCE_S / 2
        with self._lock:
            heard = self._heard.get(owner, {})
            waiting = (address for address, time in heard.items() if time < latest)
            return tuple(sorted(waiting, key=lambda address: (heard[address], address)))

    def keep(self, owners: Collection[Owner]) -> None:
        """Forget all others."""
        with self._lock:
            self._heard = {owner: self._heard.get(owner, {}) for owner in owners}

    def read(self) -> Learned:
        """Return what counts now, sorted."""
        oldest = self._clock() - SILENCE_S
        with self._lock:
            self._heard = {
                owner: {address: time for address, time in heard.items() if time > oldest}
                for owner, heard in self._heard.items()
            }
            return {owner: tuple(sorted(heard)) for owner, heard in self._heard.items() if heard}

    def load(self, learned: Learned) -> None:
        """Begin with what was learned before a restart, as if it were heard now."""
        now = self._clock()
        with self._lock:
            self._heard = {owner: dict.fromkeys(addresses, now) for owner, addresses in learned.items()}


def find_taps(assignment: Assignment, state: HostState) -> frozenset[Tap]:
    """Return the taps of the NICs whose guests use addresses that the controller does not know."""
    return frozenset(
        Tap(
            name=nic.tap_name,
            index=state.links[nic.tap_name].index if nic.tap_name in state.links else 0,
            owner=Owner(nic.iface_id, nic.mac_address),
            vlan_ids=nic.trunk_vlan_ids,
        )
        for nic in assignment.nics
        if nic.learn_addresses
    )


def _make_room(heard: dict[LearnedAddress, float], vlan_id: int, now: float) -> bool:
    """Say whether the VLAN has room for one more, after the one that was silent for longest has left."""
    there = [address for address in heard if address.vlan_id == vlan_id]
    if len(there) < PORT_MAX:
        return True
    most_silent = min(there, key=lambda address: heard[address])
    if now - heard[most_silent] < GRACE_S:
        return False
    del heard[most_silent]
    return True
