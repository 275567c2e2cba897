"""Configuration of the controller: command line in, one frozen value out. Every flag has an environment variable."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

DEFAULT_LISTEN = "unix:/run/netctl/netctl.sock"


@dataclass(frozen=True, slots=True, kw_only=True)
class ControllerConfig:
    """What a controller needs to know.

    `northbound` and `ovn_remote` are OVSDB remotes, comma-separated for a cluster: `unix:PATH`, `tcp:HOST:PORT`,
    `ssl:HOST:PORT`. `ovn_remote` is the southbound database as hosts reach it, `southbound` as the controller does.
    `listen` are gRPC addresses, `unix:PATH` or `HOST:PORT`. `metrics_listen` is `HOST:PORT` or "".
    """

    state_dir: Path
    northbound: str
    ovn_remote: str
    southbound: str
    listen: tuple[str, ...]
    metrics_listen: str
    resync_s: float
    log_format: str


def parse_arguments(argv: Sequence[str] | None = None) -> ControllerConfig:
    """Return the configuration; wrong arguments end the process with a usage text and status 2."""
    parser = _make_parser()
    log_formats = ("text", "json")
    listen = os.environ.get("NETCTL_LISTEN", "").split()
    args = parser.parse_args(argv)
    try:
        resync_s = float(args.resync_s)
    except ValueError:
        parser.error(f"--resync-s: {args.resync_s!r} is not a number of seconds")
    if args.log_format not in log_formats:
        parser.error(f"--log-format: {args.log_format!r} is neither text nor json")
    if resync_s <= 0:
        parser.error(f"--resync-s: {resync_s:g} must be more than 0")
    return ControllerConfig(
        state_dir=Path(args.state_dir),
        northbound=args.northbound,
        ovn_remote=args.ovn_remote,
        southbound=args.southbound or args.ovn_remote,
        listen=tuple(args.listen or listen or (DEFAULT_LISTEN,)),
        metrics_listen=args.metrics_listen,
        resync_s=resync_s,
        log_format=args.log_format,
    )


def _make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="netctl-controller",
        description="netctl's controller: takes intents over gRPC and keeps the OVN northbound database equal to them.",
        epilog="Each flag can also be given as NETCTL_<FLAG>, e.g. NETCTL_STATE_DIR.",
    )
    _add(parser, "--state-dir", "/var/lib/netctl", "directory of the intent store (netctl.db)")
    _add(parser, "--northbound", "unix:/run/ovn/ovnnb_db.sock", "OVN northbound database")
    _add(
        parser, "--ovn-remote", "unix:/run/ovn/ovnsb_db.sock", "OVN southbound database as the hosts reach it"
    )
    _add(
        parser,
        "--southbound",
        "",
        "the same as the controller reaches it, to explain; --ovn-remote when empty",
    )
    _add(parser, "--metrics-listen", "", "HOST:PORT for Prometheus; none when empty")
    _add(parser, "--resync-s", "30", "seconds between full comparisons of the northbound database")
    _add(parser, "--log-format", "text", "text or json")
    parser.add_argument(
        "--listen",
        action="append",
        metavar="ADDRESS",
        help=f"gRPC address, unix:PATH or HOST:PORT; may be repeated (default {DEFAULT_LISTEN})",
    )
    return parser


def _add(parser: argparse.ArgumentParser, flag: str, default: str, text: str) -> None:
    variable = "NETCTL_" + flag.strip("-").upper().replace("-", "_")
    value = os.environ.get(variable, default)
    parser.add_argument(flag, default=value, help=f"{text} (default {default or 'none'})")
