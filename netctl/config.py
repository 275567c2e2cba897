"""Configuration of the controller: command line in, one frozen value out. Every flag has an environment variable."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from netctl.server.syslog import SyslogTarget, parse_target

# RFC 5880 counts microseconds in 32 bits; a minute is beyond what anybody calls detection.
_BFD_MAX = 60_000
_BFD = {
    "--bfd-min-rx-ms": "milliseconds between packets that are wanted",
    "--bfd-min-tx-ms": "milliseconds between packets that are sent at most",
    "--bfd-multiplier": "packets that may be missing",
}
# Flag, default, help.
_PLAIN = (
    ("--state-dir", "/var/lib/netctl", "directory of the intent store (netctl.db)"),
    ("--northbound", "unix:/run/ovn/ovnnb_db.sock", "OVN northbound database"),
    ("--ovn-remote", "unix:/run/ovn/ovnsb_db.sock", "OVN southbound database as the hosts reach it"),
    ("--southbound", "", "the same as the controller reaches it, to explain; --ovn-remote when empty"),
    ("--metrics-listen", "", "HOST:PORT for Prometheus; none when empty"),
    (
        "--syslog",
        "",
        "udp:HOST:PORT, tcp:HOST:PORT or unix:PATH of a syslog server (RFC 5424) for the log of security policies",
    ),
    (
        "--import-dir",
        "",
        "folder whose files may be imported as images, as source_uri file:///NAME; none when empty",
    ),
    ("--resync-s", "30", "seconds between full comparisons of the northbound database"),
    ("--log-format", "text", "text or json"),
)
_TRUST = {
    "--trust-dhcpv6": "let OVN answer DHCPv6 whatever its version: for an OVN with a backported fix of CVE-2026-5367;"
    " without the fix any guest that is answered DHCPv6 can read the memory of its host's ovn-controller",
    "--trust-reject": "let rules that reject tell the sender whatever the version of OVN: for one with a backported fix"
    " of CVE-2026-5265; without the fix any guest that is told can read the memory of its host's ovn-controller. Where"
    " OVN is neither safe nor trusted such rules deny",
}
DEFAULT_LISTEN = "unix:/run/netctl/netctl.sock"


@dataclass(frozen=True, slots=True, kw_only=True)
class ControllerConfig:
    """What a controller needs to know.

    `northbound` and `ovn_remote` are OVSDB remotes, comma-separated for a cluster: `unix:PATH`, `tcp:HOST:PORT`,
    `ssl:HOST:PORT`. `ovn_remote` is the southbound database as hosts reach it, `southbound` as the controller does.
    `listen` are gRPC addresses, `unix:PATH` or `HOST:PORT`. `metrics_listen` is `HOST:PORT` or "".
    `trust_dhcpv6`: the operator vouches for DHCPv6 of an OVN whose version says that it is open to CVE-2026-5367;
    `trust_reject` the same for ACLs that reject, CVE-2026-5265.
    `syslog`: where the log of security policies goes, None nowhere.
    `import_dir`: the folder whose files may become images, None none.
    """

    state_dir: Path
    northbound: str
    ovn_remote: str
    southbound: str
    listen: tuple[str, ...]
    metrics_listen: str
    resync_s: float
    log_format: str
    bfd_min_rx_ms: int = 0
    bfd_min_tx_ms: int = 0
    bfd_multiplier: int = 0
    trust_dhcpv6: bool = False
    trust_reject: bool = False
    syslog: SyslogTarget | None = None
    import_dir: Path | None = None

    @property
    def ovn_options(self) -> dict[str, str]:
        """The keys of NB_Global.options that are asked for (ovn-nb(5), NB_Global)."""
        asked = {
            "bfd-min-rx": self.bfd_min_rx_ms,
            "bfd-min-tx": self.bfd_min_tx_ms,
            "bfd-mult": self.bfd_multiplier,
        }
        return {key: str(value) for key, value in asked.items() if value}


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
    trust = {flag: _trusted(parser, flag, getattr(args, _name(flag))) for flag in _TRUST}
    if resync_s <= 0:
        parser.error(f"--resync-s: {resync_s:g} must be more than 0")
    try:
        syslog = parse_target(args.syslog) if args.syslog else None
    except ValueError as error:
        parser.error(f"--syslog: {error}")
    bfd = {flag: _number(parser, flag, getattr(args, _name(flag))) for flag in _BFD}
    return ControllerConfig(
        state_dir=Path(args.state_dir),
        northbound=args.northbound,
        ovn_remote=args.ovn_remote,
        southbound=args.southbound or args.ovn_remote,
        listen=tuple(args.listen or listen or (DEFAULT_LISTEN,)),
        metrics_listen=args.metrics_listen,
        resync_s=resync_s,
        log_format=args.log_format,
        bfd_min_rx_ms=bfd["--bfd-min-rx-ms"],
        bfd_min_tx_ms=bfd["--bfd-min-tx-ms"],
        bfd_multiplier=bfd["--bfd-multiplier"],
        trust_dhcpv6=trust["--trust-dhcpv6"],
        trust_reject=trust["--trust-reject"],
        syslog=syslog,
        import_dir=Path(args.import_dir) if args.import_dir else None,
    )


def _make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="netctl-controller",
        description="netctl's controller: takes intents over gRPC and keeps the OVN northbound database equal to them.",
        epilog="Each flag can also be given as NETCTL_<FLAG>, e.g. NETCTL_STATE_DIR.",
    )
    for flag, default, text in _PLAIN:
        _add(parser, flag, default, text)
    for flag, text in _BFD.items():
        _add(parser, flag, "", f"BFD between gateway hosts: {text}; as OVN has it when empty")
    for flag, text in _TRUST.items():
        parser.add_argument(
            flag,
            action="store_const",
            const="1",
            default=os.environ.get(_variable(flag), ""),
            help=f"{text} (default no; {_variable(flag)}=1 is yes)",
        )
    parser.add_argument(
        "--listen",
        action="append",
        metavar="ADDRESS",
        help=f"gRPC address, unix:PATH or HOST:PORT; may be repeated (default {DEFAULT_LISTEN})",
    )
    return parser


def _name(flag: str) -> str:
    return flag[2:].replace("-", "_")


def _variable(flag: str) -> str:
    return f"NETCTL_{_name(flag).upper()}"


def _trusted(parser: argparse.ArgumentParser, flag: str, text: str) -> bool:
    if text not in ("", "0", "1"):
        parser.error(f"{_variable(flag)}: {text!r} is neither 0 nor 1")
    return text == "1"


def _number(parser: argparse.ArgumentParser, flag: str, text: str) -> int:
    if text and not (text.isdecimal() and 1 <= int(text) <= _BFD_MAX):
        parser.error(f"{flag}: {text!r} is not a number from 1 to {_BFD_MAX}")
    return int(text or 0)


def _add(parser: argparse.ArgumentParser, flag: str, default: str, text: str) -> None:
    value = os.environ.get(_variable(flag), default)
    parser.add_argument(flag, default=value, help=f"{text} (default {default or 'none'})")
