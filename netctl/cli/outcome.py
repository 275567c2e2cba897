"""What became of a resource: created, updated (which fields), unchanged or deleted; as a line or as data."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from netctl.cli.foretold import Foretold
from netctl.cli.messages import changed_fields, flatten, render_json
from netctl.cli.output import print_data

# What the server chose and people want to see at once.
_CHOSEN = (
    *("ipv4_address", "ipv6_address", "address", "mac_address", "tap_name", "trunk_vlans", "vni", "bridge"),
    "reserved",
)
_CHOSEN_OF_CONNECTIONS = re.compile(r"external_connections\[\d+\]\.(ipv[46]_address|gateways)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One resource of a plan; `changes` are old and new text by field."""

    action: str
    name: str
    resource: Any = None
    changes: dict[str, tuple[str, str]] = field(default_factory=dict)

    def render_text(self) -> str:
        """Return one line: `updated    nics/web-1  connected: true -> false`."""
        return f"{self.action:<9}  {self.name}  {self._remark()}".rstrip()

    def render_json(self) -> dict[str, Any]:
        """Return the same for programs."""
        data: dict[str, Any] = {"action": self.action, "name": self.name}
        if self.changes and self.action == "updated":
            data["changes"] = {path: {"old": old, "new": new} for path, (old, new) in self.changes.items()}
        if self.resource is not None:
            data["resource"] = render_json(self.resource)
        return data

    def _remark(self) -> str:
        if self.action == "updated":
            return render_changes(self.changes)
        if self.action == "created":
            values = dict(flatten(self.resource))
            chosen = [path for path in _CHOSEN if values.get(path)]
            chosen += [path for path in values if _CHOSEN_OF_CONNECTIONS.fullmatch(path)]
            return "  ".join(f"{path}={values[path]}" for path in chosen)
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What one change made of its resources, the store's revision (0: not said), and the rows that it would touch."""

    outcomes: Sequence[Outcome]
    revision: int = 0
    foretold: Foretold = field(default_factory=Foretold)


def compare(before: Any, after: Any) -> Outcome:
    """Return what happened to a resource that is now `after`; `before` is None when it is new."""
    if before is None:
        return Outcome(action="created", name=after.name, resource=after)
    changes = changed_fields(before, after)
    action = "updated" if changes else "unchanged"
    return Outcome(action=action, name=after.name, resource=after, changes=changes)


def render_changes(changes: dict[str, tuple[str, str]]) -> str:
    """Return changed fields on one line."""
    return ", ".join(
        f"{path}: {old or '(unset)'} -> {new or '(unset)'}" for path, (old, new) in changes.items()
    )


def summarise(outcomes: Sequence[Outcome]) -> str:
    """Return "2 created, 1 unchanged"."""
    actions = [outcome.action for outcome in outcomes]
    known = ("created", "updated", "unchanged", "deleted")
    return (
        ", ".join(f"{actions.count(action)} {action}" for action in known if action in actions)
        or "nothing to do"
    )


def print_outcomes(outcomes: Sequence[Outcome], output: str) -> None:
    """Print the outcomes of commands that name their resources one by one."""
    if output == "name":
        for outcome in outcomes:
            print(outcome.name)
    elif output == "text":
        for outcome in outcomes:
            print(outcome.render_text())
    else:
        print_data([outcome.render_json() for outcome in outcomes], output)
