"""Judging requests: each against the intents as the ones before it leave them.

In: a published snapshot, what the store remembers of the requests' ids, requests in order; out: a verdict for each, the
changes and answers to commit, and the next snapshot. Nothing here is seen by others before the store has it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from netctl.errors import InvalidIntent, NetctlError, Unsupported
from netctl.model.admit import Admitted, Context, admit
from netctl.model.asked_macs import pass_asked_macs
from netctl.model.intent import Change
from netctl.model.keys import Uid
from netctl.model.snapshot import Snapshot
from netctl.model.vm import Sealed
from netctl.server.requests import Answer, Request
from netctl.store.records import Remembered


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealing:
    """How secrets that admission makes are made and sealed."""

    seal: Callable[[str], Sealed]
    new_secret: Callable[[], str]


def _cannot(_: str) -> Sealed:
    raise Unsupported("this controller keeps no secrets", field="vtpm")


UNSEALED = Sealing(seal=_cannot, new_secret=str)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The outcome of a request; `writes` says that it holds only once the group is committed."""

    outcome: Answer | NetctlError
    writes: bool = False


class Group:
    """Requests that are committed together; each is a change, and a revision, of its own."""

    def __init__(
        self,
        base: Snapshot,
        remembered: Mapping[str, Remembered],
        *,
        time_s: float,
        new_uid: Callable[[], Uid],
        dhcpv6: bool = True,
        network_functions: bool = False,
        sealing: Sealing = UNSEALED,
        largest_memory_mib: int = 0,
    ) -> None:
        self.changes: list[Change] = []
        self.answers: list[Remembered] = []
        self._base, self._draft, self._revision = base, base.draft(), base.revision
        self._remembered = dict(remembered)
        self._time_s, self._new_uid = time_s, new_uid
        self._dhcpv6, self._network_functions = dhcpv6, network_functions
        self._sealing, self._largest_memory_mib = sealing, largest_memory_mib

    def judge(self, request: Request) -> Verdict:
        """Admit all edits of a request, or none."""
        if request.request_id and not request.validate_only:
            known = self._remembered.get(request.request_id)
            if known is not None:
                return Verdict(outcome=_replay(known, request))
        mark = self._draft.mark()
        try:
            admitted = self._admit(request)
        except NetctlError as error:
            self._draft.rollback(mark)
            return Verdict(outcome=error)
        results = tuple(all_[0] for all_ in admitted)  # what comes along stands after the edit's own
        if request.validate_only:
            self._draft.rollback(mark)
            would = tuple(one for all_ in admitted for one in all_ if one.before is not one.after)
            return Verdict(outcome=Answer(revision=self._revision, results=results, would=would))
        changed = [(one, place > 0) for all_ in admitted for place, one in enumerate(all_)]
        changed = [(one, extra) for one, extra in changed if one.before is not one.after]
        if changed:
            self._log(request, [one for one, _ in changed])
        if request.request_id:
            extras = tuple(index for index, (_, extra) in enumerate(changed) if extra)
            self._remember(request, results, extras)
        answer = Answer(revision=self._revision, results=results)
        return Verdict(outcome=answer, writes=bool(changed or request.request_id))

    def freeze(self) -> Snapshot:
        """Return the snapshot after all requests."""
        return self._draft.freeze(self._revision) if self._revision != self._base.revision else self._base

    def _admit(self, request: Request) -> list[tuple[Admitted, ...]]:
        context = Context(
            revision=self._revision + 1,
            time_s=self._time_s,
            new_uid=self._new_uid,
            dhcpv6=self._dhcpv6,
            network_functions=self._network_functions,
            seal=self._sealing.seal,
            new_secret=self._sealing.new_secret,
            largest_memory_mib=self._largest_memory_mib,
        )
        admitted: list[tuple[Admitted, ...]] = []
        if request.batch:
            pass_asked_macs(request.edits, self._draft)
        try:
            for edit in request.edits:
                admitted.append(admit(edit, self._draft, context))
        except NetctlError as error:
            if request.batch:
                place = f"edits[{len(admitted)}]"
                error.field = f"{place}.{error.field}" if error.field else place
            raise
        return admitted

    def _log(self, request: Request, changed: list[Admitted]) -> None:
        self._revision += 1
        self.changes += [
            Change(
                revision=self._revision,
                index=index,
                time_s=self._time_s,
                actor=request.actor,
                request_id=request.request_id,
                reason=request.reason,
                key=one.key,
                before=one.before,
                after=one.after,
            )
            for index, one in enumerate(changed)
        ]

    def _remember(self, request: Request, results: tuple[Admitted, ...], extras: tuple[int, ...]) -> None:
        answer = Remembered(
            request_id=request.request_id,
            body_hash=request.body_hash,
            time_s=self._time_s,
            revision=self._revision,
            outcomes=tuple((one.key, one.before, one.after) for one in results),
            extras=extras,
        )
        self._remembered[request.request_id] = answer
        self.answers.append(answer)


def _replay(known: Remembered, request: Request) -> Answer | InvalidIntent:
    if known.body_hash != request.body_hash:
        return InvalidIntent(
            "request_id",
            f"{request.request_id} was used for another request in the last 24 hours; give each request its own id",
        )
    results = tuple(Admitted(key=key, before=before, after=after) for key, before, after in known.outcomes)
    return Answer(revision=known.revision, results=results, replayed=True)
