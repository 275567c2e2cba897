"""Why a virtual machine is not as assigned: a sentence for people and a stable word for programs."""

from __future__ import annotations

import errno

from netctl.errors import NetctlError


class Problem(NetctlError):
    """`reason` is the word (`VmReport.reason`), the message the sentence (`VmReport.problem`)."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def store_problem(error: OSError) -> Problem:
    """Say what an error of the store's file system means."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Problem("STORE_FULL", f"the store has no room: {error}")
    return Problem("STORE_BROKEN", f"the store cannot be used: {error}")
