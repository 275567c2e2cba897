"""Looks whether network functions work, on a thread of its own: carrier from netlink, probes through packet sockets.

In: the functions and the links (`watch`). Out: verdicts (`verdicts`), and a call when one changed. A probe is an ICMP
echo request, untagged, sent out of the ingress tap to the function and awaited at the egress tap, as guests' packets
go; br.nf drops it. Owns two packet sockets for each probed pair, and a netlink socket. The taps are the truth.
"""

from __future__ import annotations

import errno
import os
import selectors
import socket
import struct
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from netctl_host import tap_socket
from netctl_host.assignment_chains import Function, Pair
from netctl_host.dhcp_message import internet_checksum
from netctl_host.function_flows import PROBE_MAC
from netctl_host.function_health import PairHealth, Verdict, all_pairs
from netctl_host.link_monitor import RTMGRP_LINK
from netctl_host.state import Link

_LOOK_S = 1.0
_MAC = bytes.fromhex(PROBE_MAC.replace(":", ""))
_TARGET_MAC = _MAC[:5] + b"\x02"
_ADDRESSES = bytes((169, 254, 254, 1, 169, 254, 254, 2))
_NONCE_BYTES = 8
_FILTER = tap_socket.assemble(
    (tap_socket.LOAD_WORD, 6, int.from_bytes(_MAC[:4], "big")),
    (tap_socket.LOAD_HALF, 10, int.from_bytes(_MAC[4:], "big")),
)
_NOTHING = tap_socket.assemble((tap_socket.LOAD_HALF, 12, 0xFFFF), (tap_socket.LOAD_HALF, 12, 0))

# linux/netlink.h, linux/rtnetlink.h, linux/if.h
_NEWLINK, _DELLINK = 16, 17
_NLMSG = struct.Struct("=IHHII")
_IFINFO = struct.Struct("=BxHiII")  # the family of bridges' ports is another: one that leaves is not gone
_IFF_UP, _IFF_LOWER_UP = 0x1, 0x10000

Key = tuple[str, str]
"""A function's id and a pair's ingress tap."""


@dataclass(slots=True)
class _Probed:
    """A pair with its sockets; `nonce` tells its probes from others'."""

    health: PairHealth
    nonce: bytes
    indexes: tuple[int, ...] = ()
    sender: socket.socket | None = None
    receiver: socket.socket | None = None


class Prober:
    """Watches between the first `watch` and `close`; `changed` is called on its thread.

    `before`: ingress taps in use when the agent ended, by function. Netlink's socket is made in the constructor.
    """

    def __init__(self, changed: Callable[[], object], before: Mapping[str, str]) -> None:
        self._changed = changed
        self._before = dict(before)
        self._lock = threading.Lock()
        self._pairs: dict[Key, _Probed] = {}
        self._links: dict[int, tuple[str, bool]] = {}
        self._discarded: list[socket.socket] = []
        self._closing = threading.Event()
        self._here, self._there = socket.socketpair()
        self._netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        self._netlink.bind((0, RTMGRP_LINK))
        self._netlink.setblocking(False)
        self._thread: threading.Thread | None = None

    def watch(self, functions: tuple[Function, ...], links: Mapping[str, Link]) -> tuple[str, ...]:
        """Watch these functions and no others; return what could not be done.

        In the thread whose network namespace has the taps.
        """
        problems: list[str] = []
        with self._lock:
            self._drain_netlink()  # older than `links`
            self._links = {link.index: (name, link.up and link.carrier) for name, link in links.items()}
            wanted = {(f.function_id, p.ingress_tap): (f, p) for f, p in all_pairs(functions)}
            for key in self._pairs.keys() - wanted.keys():
                self._discard(self._pairs.pop(key))
            for key, (function, pair) in wanted.items():
                self._pairs[key] = self._probed(key, function, pair)
                problems.extend(self._open(self._pairs[key], links))
            self._note_links()
        if self._thread is None and wanted:
            self._thread = threading.Thread(target=self._run, name="probes", daemon=True)
            self._thread.start()
        if self._thread is not None:
            self._here.send(b"!")
        return tuple(problems)

    def verdicts(self) -> Mapping[Key, Verdict]:
        """Say of each pair whether it works; any thread."""
        with self._lock:
            return {key: probed.health.verdict() for key, probed in self._pairs.items()}

    def close(self) -> None:
        """End the thread and close the sockets."""
        self._closing.set()
        if self._thread is not None:
            self._here.send(b"!")
            self._thread.join()
        for probed in self._pairs.values():
            self._discard(probed)
        self._close_discarded()
        for opened in (self._here, self._there, self._netlink):
            opened.close()

    def _probed(self, key: Key, function: Function, pair: Pair) -> _Probed:
        """Return the pair as it is, or with what is known of it under its function's new settings."""
        there = self._pairs.get(key)
        if there is None:
            assumed = self._before.get(function.function_id) == pair.ingress_tap
            health = PairHealth(function=function, pair=pair, assumed=assumed)
            return _Probed(health=health, nonce=os.urandom(_NONCE_BYTES))
        if (there.health.function, there.health.pair) != (function, pair):
            healthy = there.health.verdict().healthy
            if there.health.pair != pair:
                self._discard(there)
            there.health = PairHealth(function=function, pair=pair, assumed=healthy)
        return there

    def _run(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._there, selectors.EVENT_READ)
            selector.register(self._netlink, selectors.EVENT_READ)
            listening: dict[socket.socket, Key] = {}
            wait_s = 0.0
            while True:
                ready = {key.fileobj for key, _ in selector.select(wait_s)}
                if self._closing.is_set():
                    return
                with self._lock:
                    before = self._verdicts()
                    if self._there in ready:
                        self._there.recv(4096)
                        listening = self._follow(selector, listening)
                    self._drain_netlink()
                    for opened, key in listening.items():
                        if opened in ready:
                            self._hear(self._pairs.get(key), opened)
                    wait_s = self._probe()
                    is_news = self._verdicts() != before
                if is_news:
                    self._changed()

    def _verdicts(self) -> dict[Key, Verdict]:
        return {key: probed.health.verdict() for key, probed in self._pairs.items()}

    def _follow(
        self, selector: selectors.BaseSelector, listening: dict[socket.socket, Key]
    ) -> dict[socket.socket, Key]:
        wanted = {p.receiver: key for key, p in self._pairs.items() if p.receiver is not None}
        for opened in listening.keys() - wanted.keys():
            selector.unregister(opened)
        for opened in wanted.keys() - listening.keys():
            selector.register(opened, selectors.EVENT_READ)
        self._close_discarded()
        return wanted

    def _close_discarded(self) -> None:
        while self._discarded:
            self._discarded.pop().close()

    def _open(self, probed: _Probed, links: Mapping[str, Link]) -> tuple[str, ...]:
        """Have sockets on the taps that are there now."""
        indexes = tuple(links[tap].index for tap in probed.health.taps if tap in links)
        if not probed.health.is_probed or len(indexes) < 2:
            self._discard(probed)
            return ()
        if indexes == probed.indexes and probed.receiver is not None:
            return ()
        self._discard(probed)
        try:
            probed.sender = tap_socket.open_on(probed.health.pair.ingress_tap, _NOTHING)
            probed.receiver = tap_socket.open_on(probed.health.pair.egress_tap, _FILTER)
            probed.indexes = indexes
        except OSError as error:
            self._discard(probed)
            if error.errno not in (errno.ENODEV, errno.ENXIO):
                return (f"networkFunctions/{probed.health.function.function_id} cannot be probed: {error}",)
        return ()

    def _discard(self, probed: _Probed) -> None:
        """Have the thread close the sockets: its selector knows them by numbers that a new one would get again."""
        self._discarded += [opened for opened in (probed.sender, probed.receiver) if opened is not None]
        probed.sender = probed.receiver = None
        probed.indexes = ()

    def _drain_netlink(self) -> None:
        """Take in what links became; what was lost comes with the loop's next pass, which netlink wakes as well."""
        while True:
            try:
                data = self._netlink.recv(65536)
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno == errno.ENOBUFS:
                    continue
                raise
            for index, is_up in _parse_links(data):
                if index in self._links:
                    self._links[index] = (self._links[index][0], bool(is_up))
                    if is_up is None:
                        del self._links[index]
        self._note_links()

    def _note_links(self) -> None:
        links = dict(self._links.values())
        for probed in self._pairs.values():
            probed.health.note_links(links)

    def _hear(self, probed: _Probed | None, opened: socket.socket) -> None:
        with suppress(OSError):  # nothing more, or the link went down
            while True:
                frame = tap_socket.receive(opened)
                if probed is not None and not frame.to_guest:
                    sequence = parse_probe(frame.data, probed.nonce)
                    if sequence:
                        probed.health.note_answer(sequence)

    def _probe(self) -> float:
        """Send what is due; return the seconds until something is again."""
        now_s = time.monotonic()
        next_s = now_s + _LOOK_S
        for probed in self._pairs.values():
            sequence = probed.health.due(now_s)
            if sequence is not None and probed.sender is not None:
                with suppress(OSError):  # lost, like any other
                    probed.sender.send(render_probe(sequence, probed.nonce))
            probed.health.note_time(now_s)
            next_s = min(next_s, probed.health.next_s())
        return max(0.001, next_s - now_s)


def render_probe(sequence: int, nonce: bytes) -> bytes:
    """Return the frame of a probe."""
    body = struct.pack("!HH", int.from_bytes(nonce[:2], "big"), sequence) + nonce
    checksum = internet_checksum(b"\x08\0\0\0" + body)
    icmp = struct.pack("!BBH", 8, 0, checksum) + body
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(icmp), 0, 0, 64, 1, 0) + _ADDRESSES
    head = head[:10] + struct.pack("!H", internet_checksum(head)) + head[12:]
    return (_TARGET_MAC + _MAC + b"\x08\0" + head + icmp).ljust(60, b"\0")


def parse_probe(frame: bytes, nonce: bytes) -> int:
    """Return the number of the probe with this nonce, 0 where the frame is none."""
    if len(frame) < 42 + _NONCE_BYTES or frame[12:15] != b"\x08\0\x45" or frame[23] != 1 or frame[34] != 8:
        return 0
    if frame[42 : 42 + _NONCE_BYTES] != nonce:
        return 0
    return int.from_bytes(frame[40:42], "big")


def _parse_links(data: bytes) -> list[tuple[int, bool | None]]:
    """Return index and carrier of the links that netlink tells of; None: it is gone."""
    found: list[tuple[int, bool | None]] = []
    while len(data) >= _NLMSG.size + _IFINFO.size:
        length, kind, _, _, _ = _NLMSG.unpack_from(data)
        family, _, index, flags, _ = _IFINFO.unpack_from(data, _NLMSG.size)
        if family != socket.AF_UNSPEC:
            pass
        elif kind == _NEWLINK:
            found.append((index, flags & (_IFF_UP | _IFF_LOWER_UP) == _IFF_UP | _IFF_LOWER_UP))
        elif kind == _DELLINK:
            found.append((index, None))
        data = data[max(_NLMSG.size, (length + 3) & ~3) :]
    return found
