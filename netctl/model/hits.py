"""How often flows matched, and whose flows they are: values between the southbound, the agents and who adds them up."""

from __future__ import annotations

from dataclasses import dataclass

from netctl.model.keys import Uid


@dataclass(frozen=True, slots=True)
class PolicyFlow:
    """A logical flow of a routing policy; `cookie` is what its OpenFlow flows carry on the hosts."""

    priority: int
    cookie: int


@dataclass(frozen=True, slots=True)
class RouterFlows:
    """A router's routing policies; `datapath` is the tunnel key, the OpenFlow metadata of the router's flows."""

    datapath: int
    flows: tuple[PolicyFlow, ...] = ()


@dataclass(frozen=True, slots=True)
class AclFlow:
    """A logical flow of an ACL: `hint` is how the ACL's uuid begins, 8 hex digits; `match` has the ACL's in it."""

    hint: str
    match: str
    cookie: int


@dataclass(frozen=True, slots=True)
class FlowKey:
    """The OpenFlow flows of one logical flow for one logical datapath, of all when `datapath` is 0."""

    cookie: int
    datapath: int


@dataclass(frozen=True, slots=True)
class Counted:
    """What is counted together: a routing policy, or of a security policy one rule in one direction with one action.

    `rule` "" is the policy's own. `would_drop`: what a policy in MONITOR would have dropped.
    """

    policy: Uid
    rule: str = ""
    direction: str = ""
    action: str = ""
    would_drop: bool = False


@dataclass(frozen=True, slots=True)
class Hits:
    """Packets that matched, and their bytes."""

    packets: int = 0
    bytes: int = 0

    def __add__(self, other: Hits) -> Hits:
        return Hits(self.packets + other.packets, self.bytes + other.bytes)

    def since(self, before: Hits) -> Hits:
        """Return how many more these are; a counter that fell has started anew, and counts whole."""
        if self.packets < before.packets or self.bytes < before.bytes:
            return self
        return Hits(self.packets - before.packets, self.bytes - before.bytes)
