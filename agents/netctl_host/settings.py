"""What the host's operator decides, from the command line; everything else comes in the assignment."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """`datapath_type` "auto" keeps what is there, else takes the best that works; the rest is for ovn-controller.

    `wait_before_clear_ms` should be a little more than ovn-controller needs to compute all flows: at its start it
    keeps the old flows for that long, and a host without flows waits as long for its first ones.
    """

    datapath_type: str = "auto"
    integration_bridge: str = "brAtlas"
    wait_before_clear_ms: int = 3000
