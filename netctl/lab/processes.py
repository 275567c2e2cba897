"""Daemons of the lab: started so that they outlive us, found again by pid file, ended by identity.

A pid file alone is no proof: numbers are used again. Each daemon carries NETCTL_LAB_PROCESS in its environment, and
only a process that shows it is ours (/proc/PID/environ; a dead one that nobody reaped shows nothing). Between the look
and the signal a pidfd keeps the number from passing to another process.
"""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from netctl.errors import Unavailable, Unsupported
from netctl.lab import namespaces
from netctl.lab.namespaces import all_pids
from netctl.loop import wait_until

IDENTITY = "NETCTL_LAB_PROCESS"
START_TIMEOUT_S = 20.0
STOP_TIMEOUT_S = 5.0
_EXECVE_S = 0.1  # a process inside execve(2) shows an empty environment for a moment
# `setsid --fork` leaves the daemon to init, so it is no zombie of ours when it dies; `exec` keeps the number written.
_BACKGROUND = ("setsid", "--fork", "sh", "-c", 'echo $$ >"$0" && exec "$@"')


@dataclass(frozen=True, slots=True, kw_only=True)
class Daemon:
    """What to run: `directory` takes pid file and log, `serves` is a socket that is there when it is ready."""

    node: str
    name: str
    namespace: str
    directory: Path
    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    detaches: bool = False
    serves: Path | None = None


@dataclass(frozen=True, slots=True)
class Process:
    """One daemon of the lab, running or not."""

    daemon: Daemon

    @property
    def name(self) -> str:
        """The daemon's name, e.g. `ovn-controller`."""
        return self.daemon.name

    @property
    def pid_file(self) -> Path:
        """Where the process' number is."""
        return self.daemon.directory / f"{self.daemon.name}.pid"

    @property
    def log_file(self) -> Path:
        """Where the daemon's words are."""
        return self.daemon.directory / f"{self.daemon.name}.log"

    @property
    def identity(self) -> str:
        """What only this daemon has in its environment."""
        return f"{self.daemon.directory}/{self.daemon.name}"

    def pid(self) -> int:
        """Return the number of the living process, or 0."""
        pid = read_pid(self.pid_file)
        return pid if pid and is_ours(pid, self.identity) else 0

    def start(self) -> None:
        """Start the daemon unless it runs; return when it is ready, or raise Unavailable with its last words."""
        if self.pid():
            return
        self.pid_file.unlink(missing_ok=True)
        # Control sockets are named by process number; a killed daemon leaves its own.
        for left in self.daemon.directory.glob(f"{self.name}.*.ctl"):
            left.unlink(missing_ok=True)
        if self.daemon.serves:
            self.daemon.serves.unlink(missing_ok=True)  # what a killed one left would look ready
        self._launch()
        try:
            wait_until(self._is_ready, timeout_s=START_TIMEOUT_S, what=f"{self.name} ready")
        except TimeoutError as error:
            raise Unavailable(f"{self._place}: {error}; {self._last_words()}") from None

    def kill(self) -> None:
        """End it at once (SIGKILL); return when it is gone."""
        end(self.pid_file, self.identity, signal.SIGKILL)

    def stop(self) -> None:
        """Ask it to end (SIGTERM), and end it when it takes too long."""
        if not end(self.pid_file, self.identity, signal.SIGTERM):
            self.kill()

    @property
    def _place(self) -> str:
        return f"{self.name} of {self.daemon.node}"

    def _launch(self) -> None:
        daemon = self.daemon
        argv = [*enter(daemon.namespace), *daemon.argv]
        if not daemon.detaches:
            argv = [*_BACKGROUND, str(self.pid_file), *argv]
        environment = os.environ | dict(daemon.environment) | {IDENTITY: self.identity}
        with self.log_file.open("ab") as log:
            try:
                subprocess.run(
                    argv,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    cwd=daemon.directory,
                    timeout=START_TIMEOUT_S,
                    check=True,
                )
            except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
                raise Unavailable(f"{self._place} did not start; {self._last_words()}") from None

    def _is_ready(self) -> bool:
        if not self.pid():
            number = read_pid(self.pid_file)
            if number and has_ended(number):
                raise Unavailable(f"{self._place} ended at once; {self._last_words()}")
            return False
        return self.daemon.serves is None or self.daemon.serves.is_socket()

    def _last_words(self) -> str:
        lines = self.log_file.read_text(errors="replace").splitlines()[-5:] if self.log_file.exists() else []
        return f"its log {self.log_file} ends: " + (" | ".join(lines) or "(empty)")


def enter(namespace: str) -> list[str]:
    """Return what stands before a command to run it in a namespace."""
    return ["nsenter", f"--net={namespaces.DIRECTORY / namespace}", "--"]


def require(tools: tuple[str, ...]) -> None:
    """Raise Unsupported unless all these programs are installed."""
    if missing := [tool for tool in tools if shutil.which(tool) is None]:
        raise Unsupported(f"not installed: {' '.join(missing)}. Install them with: make setup")


def read_pid(path: Path) -> int:
    """Return the number in a pid file, or 0."""
    try:
        return int(path.read_text())
    except (FileNotFoundError, ValueError):
        return 0


def has_ended(pid: int) -> bool:
    """Say whether a process is gone or dead. One inside execve(2) is neither, though its environment is empty then."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True


def is_ours(pid: int, identity: str) -> bool:
    """Say whether a living process has this identity in its environment."""

    def known() -> bool:
        found.append(identity_of(pid))
        return bool(found[-1]) or has_ended(pid)

    found: list[str] = []
    with suppress(TimeoutError):  # a stranger may have no environment at all
        wait_until(known, timeout_s=_EXECVE_S, what=f"environment of {pid}", poll_s=0.005)
    return found[-1] == identity


def identity_of(pid: int) -> str:
    """Return the identity in a process' environment, or ""."""
    try:
        environment = Path(f"/proc/{pid}/environ").read_bytes()
    except (FileNotFoundError, PermissionError, ProcessLookupError):
        return ""
    prefix = f"{IDENTITY}=".encode()
    found = (entry for entry in environment.split(b"\0") if entry.startswith(prefix))
    return next(found, prefix).removeprefix(prefix).decode(errors="replace")


def directories_in(namespace_names: list[str]) -> set[Path]:
    """Return the run directories of the labs whose daemons run in these namespaces."""
    found = {identity_of(pid) for pid in namespaces.pids_in(namespace_names)}
    return {Path(identity).parents[1] for identity in found if identity.count("/") > 2}


def end(pid_file: Path, identity: str, what: signal.Signals) -> bool:
    """Signal the process of a pid file if it is ours; say whether it is gone within a few seconds."""
    pid = read_pid(pid_file)
    try:
        handle = os.pidfd_open(pid) if pid else -1
    except ProcessLookupError:
        return True
    if handle < 0:
        return True
    try:
        if not is_ours(pid, identity):
            return True
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(handle, what)
        gone = select.poll()
        gone.register(handle, select.POLLIN)
        return bool(gone.poll(STOP_TIMEOUT_S * 1000))
    finally:
        os.close(handle)


def end_all(namespace_names: list[str], directory: Path | None = None) -> None:
    """Kill whatever runs in namespaces that are the lab's, and the daemons of a directory wherever they are."""

    def none_left() -> bool:
        pids = set(namespaces.pids_in(namespace_names))
        if (
            directory
        ):  # somebody may have removed a namespace by hand: its daemons live on, unseen by its name
            pids |= {pid for pid in all_pids() if identity_of(pid).startswith(f"{directory}/")}
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return not pids

    wait_until(none_left, timeout_s=STOP_TIMEOUT_S, what="processes of the lab ended")
