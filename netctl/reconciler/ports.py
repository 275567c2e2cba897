"""What the reconciler needs of its neighbours: where intents come from, where rows go."""

from __future__ import annotations

from typing import Protocol

from netctl.model.keys import Key
from netctl.model.snapshot import Snapshot
from netctl.nb.features import Features
from netctl.nb.rows import Delta, FactKey, Rows


class IntentSource(Protocol):
    """The current intents (`server/admission.py`)."""

    def snapshot(self) -> Snapshot:
        """Return the intents at the newest revision."""
        ...

    def changed_since(self, revision: int) -> frozenset[Key] | None:
        """Return the keys changed after `revision`, or None when that is no longer known."""
        ...


class Northbound(Protocol):
    """The northbound database (`ovsdb/northbound.py`); every call may raise NorthboundUnavailable."""

    def wait_in_sync(self, timeout_s: float) -> bool:
        """Block until the facts that are there are known or the time passed; say which."""
        ...

    def features(self) -> Features:
        """Return what the connected server can do."""
        ...

    def owned_rows(self) -> Rows:
        """Return our facts as they are there; live, read-only."""
        ...

    def take_changed(self) -> frozenset[FactKey] | None:
        """Return the facts changed by anyone since the last call, or None when any may have."""
        ...

    def apply(self, delta: Delta, *, epoch: int) -> int:
        """Write in one transaction and bump nb_cfg in it; return the new nb_cfg.

        Raises Conflict (a newer epoch holds the database) and Rejected (OVN refused; nothing was written).
        """
        ...

    def bump(self, epoch: int) -> int:
        """Bump nb_cfg and nothing else; return it. Raises as `apply`."""
        ...

    def wait_northd(self, nb_cfg: int, timeout_s: float) -> bool:
        """Block until northd has worked off `nb_cfg` (`sb_cfg` >= it) or the time passed; say which."""
        ...

    @property
    def nb_cfg(self) -> int:
        """NB_Global.nb_cfg as it is now."""
        ...

    @property
    def sb_cfg(self) -> int:
        """NB_Global.sb_cfg as it is now: what northd has worked off."""
        ...
