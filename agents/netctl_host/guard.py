"""The guard on taps: which link has it, and putting it there and away.

In: the numbers of the XDP programs that the kernel says links have. Out: whose they are, and netlink messages. Owns one
loaded program. The kernel is the source of truth: what is attached stays when this process ends, and the program's name
says whose it is and of which version. In generic mode, so that every kind of link has it; ahead of the packet sockets
that ovs-vswitchd's userspace datapath reads (tc(8) is behind them), and of the kernel's own datapath.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from typing import Any

from netctl_host import bpf
from netctl_host.guard_program import NAME, NAME_PREFIX, PROGRAM
from netctl_host.state import Xdp

# linux/if_link.h
_UPDATE_IF_NOEXIST, _SKB_MODE = 1 << 0, 1 << 1
_NOTHING = -1


class Guard:
    """This agent's version of the guard; one thread."""

    def __init__(self) -> None:
        self._descriptor: int | None = None
        self._names: dict[int, str] = {}

    def find_problem(self) -> str:
        """Return why the kernel does not take the guard, "" when it does."""
        try:
            self._load()
        except OSError as error:
            return f"the kernel does not take the IPv6 guard of taps: {error.strerror or error}"
        return ""

    def tell(self, program_ids: Collection[int]) -> Xdp:
        """Return what the programs of one link are."""
        if not program_ids:
            return Xdp.NONE
        names = {self._name(id) for id in program_ids}
        if names == {NAME}:
            return Xdp.GUARD
        return Xdp.OLD_GUARD if all(name.startswith(NAME_PREFIX) for name in names) else Xdp.FOREIGN

    def forget_all_but(self, program_ids: Collection[int]) -> None:
        """Forget the names of programs that are gone: the kernel gives their numbers again, one day."""
        self._names = {id: name for id, name in self._names.items() if id in program_ids}

    def attach(self, netlink: Any, index: int, *, replace: bool) -> None:
        """Put it on a link, in one step also where another version is; raise NetlinkError or OSError."""
        _set(netlink, index, self._load(), _SKB_MODE if replace else _SKB_MODE | _UPDATE_IF_NOEXIST)

    def detach(self, netlink: Any, index: int) -> None:
        """Take it off a link; raise NetlinkError or OSError."""
        _set(netlink, index, _NOTHING, _SKB_MODE)

    def close(self) -> None:
        """Let the program go; links keep it."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _load(self) -> int:
        if self._descriptor is None:
            self._descriptor = bpf.load_xdp(PROGRAM, NAME)
        return self._descriptor

    def _name(self, id: int) -> str:
        if id not in self._names:
            try:
                self._names[id] = bpf.read_name(id)
            except OSError:
                return ""  # gone again, or not for us to know
        return self._names[id]


def _set(netlink: Any, index: int, descriptor: int, flags: int) -> None:
    attributes = [("IFLA_XDP_FD", descriptor), ("IFLA_XDP_FLAGS", flags)]
    netlink.link("set", index=index, IFLA_XDP={"attrs": attributes})
