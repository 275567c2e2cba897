"""`make bench`: every benchmark, its figures, and how they stand against their targets.

    python -m bench                      all, about nineteen minutes on two cores
    python -m bench api_bulk start       some
    python -m bench --quick              the smallest size, once: do they work?
    python -m bench -o json > FILE       figures and verdicts for programs

Nothing here is a timed test: a missed target is shown, not an error. The status is 1 when a benchmark crashed or
something that is counted is wrong (e.g. a start with nothing to do that wrote to the northbound database).
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict
from tempfile import TemporaryDirectory

from bench.figures import Figure, judge, table
from bench.loaded import ENVIRONMENT
from bench.one import BENCHES


def main() -> int:
    """Run what was asked for; return the exit status."""
    arguments = _parser().parse_args()
    unknown = sorted(set(arguments.names) - set(BENCHES))
    if unknown:
        print(f"no such bench: {', '.join(unknown)}; there are {', '.join(BENCHES)}", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    status = 0
    report: dict[str, object] = {}
    with TemporaryDirectory(prefix="netctl-bench-") as cache:
        os.environ[ENVIRONMENT] = cache
        for name in arguments.names or BENCHES:
            began = time.monotonic()
            figures = _run(name, arguments.quick)
            status |= figures is None
            shown = figures or []
            verdicts = judge(shown, BENCHES[name].targets)
            report[name] = {
                "figures": [asdict(figure) for figure in shown],
                "targets": [
                    {**asdict(v.target), "size": v.size, "value": v.value, "met": v.met} for v in verdicts
                ],
            }
            if arguments.output == "text":
                title = f"{name} ({time.monotonic() - began:.0f} s)"
                print("\n".join(["", title, "-" * len(title), table(shown), *map(str, verdicts)]), flush=True)
    if arguments.output == "json":
        print(json.dumps(report, indent=1))
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Benchmarks of netctl.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which ones (default: {' '.join(BENCHES)})")
    parser.add_argument("--quick", action="store_true", help="the smallest size, once")
    parser.add_argument("-o", dest="output", choices=("text", "json"), default="text", help="output format")
    return parser


def _run(name: str, quick: bool) -> list[Figure] | None:
    """Return the figures of a benchmark, run in a process of its own; None when it failed, which it said itself."""
    print(f"{name} …", file=sys.stderr, flush=True)
    command = [sys.executable, "-m", "bench.one", name, *(["--quick"] if quick else [])]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            output, _ = process.communicate()
        except KeyboardInterrupt:
            process.terminate()
            process.wait()
            raise
    if process.returncode:
        print(f"{name} failed with status {process.returncode}", file=sys.stderr)
        return None
    return [Figure(**figure) for figure in json.loads(output.splitlines()[-1])]


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
