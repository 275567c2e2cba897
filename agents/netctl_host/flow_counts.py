"""How often did flows of the integration bridge match? Asked of ovs-vswitchd, in OpenFlow.

In: keys, each a cookie and the logical datapath, or all. Out: packets and bytes of each key that has flows, or why they
cannot be had. One aggregate question for each key: ovs-vswitchd finds the flows of a cookie by hash, and the answer is
a few bytes however many flows there are. ovs-vswitchd is the source of truth; its counters lag by at most half a second
(`max-revalidator`, ovs-vswitchd.conf.db(5)) and start anew with a new flow.
"""

from __future__ import annotations

import struct
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from netctl_host import openflow

# OpenFlow 1.5.1, 7.3.5.4; the match: OXM of which metadata is the only field
_AGGREGATE = 2
_METADATA = 0x80000408
_OXM_METADATA = struct.Struct("!IQ")
# OXS, 7.2.4.1: reserved, length; then fields: class, field << 1, length of the value
_OXS = struct.Struct("!HH")
_OXS_FIELD = struct.Struct("!HBB")
_FLOW_COUNT, _PACKET_COUNT, _BYTE_COUNT = 3, 4, 5
_LONGEST_S = 2.0


@dataclass(frozen=True, slots=True)
class FlowKey:
    """The flows of one logical flow for one logical datapath, by its tunnel key; 0 is all, of none too."""

    cookie: int
    datapath: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowCount:
    """What the flows of a key matched."""

    key: FlowKey
    packets: int
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowCounts:
    """The answer to a question; `problem` says why there are no counts, or ""."""

    counts: tuple[FlowCount, ...] = ()
    problem: str = ""


class FlowCounter:
    """Counts in bridge `bridge` of the ovs-vswitchd whose sockets are in `rundir`; any thread."""

    def __init__(self, rundir: Path, bridge: str) -> None:
        self._path = rundir / f"{bridge}.mgmt"

    def count(self, keys: Collection[FlowKey]) -> FlowCounts:
        """Return the counters, within two seconds."""
        if not keys:
            return FlowCounts()
        numbered = dict(enumerate(dict.fromkeys(keys), start=1))
        questions = {xid: render_question(xid, key) for xid, key in numbered.items()}
        try:
            answers = openflow.exchange(self._path, questions, timeout_s=_LONGEST_S)
            found = [(key, parse_answer(b"".join(answers[xid]))) for xid, key in numbered.items()]
        except OSError as error:
            return FlowCounts(problem=f"ovs-vswitchd cannot be asked for counters: {self._path}: {error}")
        except (struct.error, KeyError) as error:
            return FlowCounts(problem=f"{self._path} answers what is no OpenFlow: {error!r}")
        return FlowCounts(
            counts=tuple(
                FlowCount(key=key, packets=sums[_PACKET_COUNT], bytes=sums[_BYTE_COUNT])
                for key, sums in found
                if sums[_FLOW_COUNT]
            )
        )


def render_question(xid: int, key: FlowKey) -> bytes:
    """Return the request for the sums over the flows of a key, in all tables."""
    match = _OXM_METADATA.pack(_METADATA, key.datapath) if key.datapath else b""
    return openflow.render_request(_AGGREGATE, xid, openflow.ALL_TABLES, match, key.cookie)


def parse_answer(body: bytes) -> dict[int, int]:
    """Return the sums of an aggregate reply by their OXS field; struct.error when it is none."""
    _, length = _OXS.unpack_from(body)
    at, sums = _OXS.size, {}
    while at + _OXS_FIELD.size <= length:
        _, field, size = _OXS_FIELD.unpack_from(body, at)
        at += _OXS_FIELD.size
        sums[field >> 1] = int.from_bytes(body[at : at + size], "big")
        at += size
    return sums
