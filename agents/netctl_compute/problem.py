"""Why a virtual machine is not as assigned: a sentence for people and a stable word for programs."""

from __future__ import annotations

from netctl.errors import NetctlError


class Problem(NetctlError):
    """`reason` is the word (`VmReport.reason`), the message the sentence (`VmReport.problem`)."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
