"""Where the controller is, and whether anybody listens there: found out before gRPC is even loaded."""

from __future__ import annotations

import os
import socket

from netctl.cli.failures import UNREACHABLE, Failure
from netctl.lab.discover import default_server, servers

DEFAULT_SERVER = "unix:/run/netctl/netctl.sock"
CONNECT_TIMEOUT_S = 3.0
_HINT = "start one with `make demo`, or say where it is: NETCTL_SERVER=HOST:PORT or netctl --server HOST:PORT"


def find_server(given: str) -> str:
    """Return the address: as given, or NETCTL_SERVER, or the running lab's, or the packaged controller's socket."""
    return given or os.environ.get("NETCTL_SERVER", "") or default_server() or DEFAULT_SERVER


def check_listening(address: str) -> None:
    """Refuse at once, with the system's own reason, when nobody listens.

    gRPC alone would retry until the deadline and then speak of name resolution. Schemes that only gRPC
    knows (`dns:///`, `xds:`) are left to it.
    """
    try:
        if address.startswith("unix:"):
            _connect_unix(address.removeprefix("unix:"))
        elif (target := _host_and_port(address)) is not None:
            socket.create_connection(target, CONNECT_TIMEOUT_S).close()
        elif ":" not in address:
            raise Failure.usage(
                f"{address!r} is not an address of a controller", hint="write HOST:PORT or unix:PATH"
            )
    except OSError as error:
        raise unreachable(address, (error.strerror or str(error) or "no answer").lower()) from error


def unreachable(address: str, why: str) -> Failure:
    """Return the one line that says which address was tried, why it failed and what to do."""
    if address == DEFAULT_SERVER and len(labs := servers()) > 1:
        return Failure(
            f"several labs run and none is chosen: {', '.join(labs)}",
            exit_status=UNREACHABLE,
            code="UNAVAILABLE",
            hint=f"choose one, e.g.: export NETCTL_SERVER={labs[0]}",
        )
    return Failure(
        f"cannot reach the controller at {address}: {why}",
        exit_status=UNREACHABLE,
        code="UNAVAILABLE",
        hint=_HINT,
    )


def _connect_unix(path: str) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(CONNECT_TIMEOUT_S)
        probe.connect(path.removeprefix("//"))


def _host_and_port(address: str) -> tuple[str, int] | None:
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdigit() or "/" in host:
        return None
    return host.removeprefix("ipv4:").removeprefix("ipv6:").strip("[]"), int(port)
