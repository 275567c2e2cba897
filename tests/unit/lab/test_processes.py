"""Is a process still there? Asked of the kernel, since a pid file alone proves nothing."""

from __future__ import annotations

import os
import subprocess
import sys

from netctl.lab.processes import has_ended


def test_a_process_is_there_until_it_ends_whether_or_not_somebody_reaps_it() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    assert not has_ended(os.getpid())
    assert not has_ended(child.pid)
    assert child.stdin is not None
    child.stdin.write(b"\n")
    child.stdin.close()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # dead, and nobody has reaped it
    assert has_ended(child.pid)
    child.wait()
    assert has_ended(child.pid)
