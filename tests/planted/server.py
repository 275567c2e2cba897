"""Bugs of the server: masks, pages, watches, errors, the agents' streams."""

from __future__ import annotations

from tests.planted.bug import Bug

BUGS = (
    Bug(
        "a mask takes the whole group of a nested path",
        "netctl/server/masks.py",
        "    elif rest:",
        "    elif rest and not request.HasField(name):",
        "tests/unit/server/test_masks.py",
    ),
    Bug(
        "a field below an output-only one can be set",
        "netctl/server/masks.py",
        'if ".".join(names[:depth]) in output_only:',
        "if path in output_only:",
        "tests/unit/server/test_masks.py",
    ),
    Bug(
        "a masked update undoes another's",
        "netctl/server/resources.py",
        "revision = if_revision or stored.meta.revision",
        "revision = if_revision",
        "tests/functional/server/test_races.py",
    ),
    Bug(
        "a page skips one",
        "netctl/server/resources.py",
        "token = paging.render_token(last, query)",
        "token = paging.render_token(id_, query)",
        "tests/functional/server/test_lists.py",
    ),
    Bug(
        "a page of changes skips one",
        "netctl/server/changes.py",
        "last = changes[index - 1]",
        "last = changes[index]",
        "tests/functional/server/test_lists.py",
    ),
    Bug(
        "a token is good for another filter",
        "netctl/server/paging.py",
        "    if raw[:_DIGEST_BYTES] != _digest(query):",
        "    if len(raw) < _DIGEST_BYTES:",
        "tests/unit/server/test_paging.py",
    ),
    Bug(
        "a watch loses removals",
        "netctl/server/watch_hub.py",
        "keys |= await self._changed_since(watcher.revision)",
        "keys |= {key for key in await self._changed_since(watcher.revision) if self.snapshot().get(key)}",
        "tests/functional/server/test_watch.py",
    ),
    Bug(
        "a watch resumed after a restart loses removals",
        "netctl/server/watch_hub.py",
        "return chain(gone, everything(snapshot))",
        "return chain((), everything(snapshot))",
        "tests/functional/server/test_watch.py",
    ),
    Bug(
        "every event of a round carries its revision",
        "netctl/server/watch.py",
        "                yield self._event(key, told)\n            if keys:",
        "                yield self._event(key, watcher.revision)\n            if keys:",
        "tests/functional/server/test_watch.py",
    ),
    Bug(
        "a lost race has another code",
        "netctl/server/status_code.py",
        "Conflict: grpc.StatusCode.ABORTED,",
        "Conflict: grpc.StatusCode.FAILED_PRECONDITION,",
        "tests/unit/server/test_status_code.py",
    ),
    Bug(
        "InUse names no dependents",
        "netctl/server/status_code.py",
        "        status.details.add().Pack(_dependents(error))",
        "        pass",
        "tests/unit/server/test_status_code.py",
    ),
    Bug(
        "an agent's old stream ends its new one",
        "netctl/server/agents.py",
        "        if self._streams.get(stream.host) is stream:",
        "        if stream.host in self._streams:",
        "tests/functional/server/test_agents.py",
    ),
    Bug(
        "a host is not told that a NIC moved away",
        "netctl/reconciler/assignments.py",
        "return key[1] in present or (nic is not None",
        "return (nic is not None",
        "tests/unit/reconciler/test_assignments.py",
    ),
)
