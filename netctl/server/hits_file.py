"""The sums of policies' hits on disk, so that a controller that starts again goes on counting.

Comes in and goes out: a HitsBook. Owns one file, replaced as a whole. It is no part of the store: it changes with the
traffic, and losing it loses sums, not intents. A file that cannot be read counts as none, and the log says so.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
import structlog

from netctl.analysis.hits import Count, HitsBook, Tally
from netctl.model.hits import Counted, FlowKey, Hits
from netctl.model.keys import HostId, Uid

log = structlog.get_logger()

_VERSION = 2
# Of netctl before security policies: a tally had hosts instead of rules.
_OLD_VERSION = 1


class _Rule(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    hosts: dict[str, tuple[int, int]]
    rule: str = ""
    direction: str = ""
    action: str = ""
    would_drop: bool = False
    last_time_s: float = 0.0


class _Tally(msgspec.Struct, forbid_unknown_fields=True):
    clear_time_s: float
    skipping: list[str]
    rules: list[_Rule] = []
    hosts: dict[str, tuple[int, int]] | msgspec.UnsetType = msgspec.UNSET


class _File(msgspec.Struct, forbid_unknown_fields=True):
    version: int
    tallies: dict[str, _Tally]
    seen: dict[str, list[tuple[int, int, int, int]]]  # cookie, datapath, packets, bytes


class HitsFile:
    """The file `path`; None keeps nothing."""

    def __init__(self, path: Path | None) -> None:
        self._path = path

    def load(self) -> HitsBook:
        """Return what was saved, an empty book where there is nothing that can be read."""
        if self._path is None:
            return HitsBook()
        try:
            return _parse(self._path.read_bytes())
        except FileNotFoundError:
            return HitsBook()
        except (OSError, msgspec.DecodeError, UnicodeDecodeError, ValueError) as error:
            log.warning("hits of policies are counted from zero", path=str(self._path), error=str(error))
            return HitsBook()

    def save(self, content: bytes) -> None:
        """Replace the file by what `render` returned; a disk that refuses costs sums at the next start, no more."""
        if self._path is None:
            return
        new = self._path.with_suffix(".new")
        try:
            new.write_bytes(content)
            new.replace(self._path)
        except OSError as error:
            log.warning("hits of policies are not saved", path=str(self._path), error=str(error))


def render(book: HitsBook) -> bytes:
    """Return a book as the file's content."""
    tallies: dict[str, _Tally] = {
        uid: _Tally(
            clear_time_s=tally.clear_time_s,
            skipping=sorted(tally.skipping),
            rules=[_render_rule(counted, count) for counted, count in tally.counts.items()],
        )
        for uid, tally in book.tallies.items()
    }
    seen: dict[str, list[tuple[int, int, int, int]]] = {
        host: [(key.cookie, key.datapath, hits.packets, hits.bytes) for key, hits in counters.items()]
        for host, counters in book.seen.items()
    }
    return msgspec.json.encode(_File(version=_VERSION, tallies=tallies, seen=seen))


def _render_rule(counted: Counted, count: Count) -> _Rule:
    return _Rule(
        hosts={host: (hits.packets, hits.bytes) for host, hits in count.hosts.items()},
        rule=counted.rule,
        direction=counted.direction,
        action=counted.action,
        would_drop=counted.would_drop,
        last_time_s=count.last_time_s,
    )


def _parse(content: bytes) -> HitsBook:
    file = msgspec.json.decode(content, type=_File)
    if file.version not in (_VERSION, _OLD_VERSION):
        raise ValueError(f"is of version {file.version}")
    book = HitsBook()
    for uid, tally in file.tallies.items():
        rules = tally.rules if tally.hosts is msgspec.UNSET else [_Rule(hosts=tally.hosts)]
        book.tallies[Uid(uid)] = Tally(
            clear_time_s=tally.clear_time_s,
            counts=dict(_parse_rule(Uid(uid), rule) for rule in rules),
            skipping={HostId(host) for host in tally.skipping},
        )
    for host, counters in file.seen.items():
        book.seen[HostId(host)] = {
            FlowKey(cookie, datapath): Hits(packets, size) for cookie, datapath, packets, size in counters
        }
    return book


def _parse_rule(policy: Uid, rule: _Rule) -> tuple[Counted, Count]:
    hosts = {HostId(host): Hits(*hits) for host, hits in rule.hosts.items()}
    counted = Counted(policy, rule.rule, rule.direction, rule.action, rule.would_drop)
    return counted, Count(hosts, rule.last_time_s)
