"""The reference of the command line as Markdown, from the commands themselves:

python -m netctl.cli.reference > docs/cli.md
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from netctl.cli.failures import EXIT_STATUSES
from netctl.cli.main import make_command

_WIDTH = 100
# The lab explains itself and changes on its own; its help needs more than a client has.
_LEFT_OUT = ("lab",)
_HEAD = """\
# The command line

Written by `python -m netctl.cli.reference > docs/cli.md`; a test compares the two. The lab's: `netctl lab --help`.

The controller's address is `--server`, else `NETCTL_SERVER`, else the socket of the only running lab, else
`unix:/run/netctl/netctl.sock`. A resource is named by kind and id (`subnet web`, `subnet/web`) or by its full name
(`subnets/web`). With `-o json` errors are JSON on standard error too. Mutations carry an idempotency key and are
repeated with it when the connection breaks, so they take effect at most once.
"""
_FILES = """\
## Files for `netctl apply`

YAML documents, each one resource, a list of resources, or `set:` and `resources:`; see
[examples/cluster.yaml](examples/cluster.yaml), [examples/vpc.yaml](examples/vpc.yaml),
[examples/transit.yaml](examples/transit.yaml), [examples/security.yaml](examples/security.yaml),
[examples/host_network.yaml](examples/host_network.yaml) and [examples/vms.yaml](examples/vms.yaml).

- `kind: Subnet` and `name: web` say what it is; the other keys are the API's fields, in snake_case or camelCase.
- A subnet's own kind is `subnet_kind: vlan`, `overlay`, `external` or `vlan-basic`, a NIC's `nic_kind: direct`, a VPC's
  `vpc_kind: transit`, a security policy's `policy_kind: application`, because `kind` is taken.
- Documents may stand in any order, of one file or of several: what is referred to is made first, what nobody refers
  to any more is pruned after that, all in one atomic change.
- References may be ids (`virtual_switches: [vs0]`); enum values may go without prefix (`bond_mode: active-backup`).
- Where resources of several kinds may stand (`secured`, `peers`, `include` ...), the kind is written as in commands:
  `cat/web`, `eg/shop`, `ag/offices`, `subnet/web`.
- One-line forms: `10.0.0.10-10.0.0.99` for a range, `vs0=eth1,eth2` for an uplink, `10.9.0.0/16=10.0.0.1` for a route
  told by DHCP; `internet` or `internet=h1,h2` for an external connection (and its gateway hosts), `10.0.0.1` or
  `internet` for a next hop, `any`, `external` or `10.0.0.0/24` for the source or destination of a policy, `443` or
  `8000-8010` for ports, `20` or `20=db` for a VLAN of a trunk NIC, `bfd: on` or `bfd: 300x3`.
- Of hosts: `vs0=eth1,eth2 active eth2 address 192.0.2.5/24` for an uplink with all of it, `storage0=vs0/20 address
  192.0.2.5/24 mtu 9000` for an internal port, `virbr0 address 192.168.5.1/24 port vnet0,vnet1` for the internal bridge;
  `fw-in,fw-out` for a pair of a network function, `nic/web-1 ingress` or `vs/vs0` for a mirror's source.
- Of security: `tcp/443`, `udp/53-60`, `tcp/80,8080`, `icmp/8`, `icmp/3/4`, `icmpv6` or `47` for a service, `cat/web` or
  `cat/db,vpc/blue` (in both) for what an entity group includes, `web-in allow from cat/clients tcp/443` for a rule, as
  `--rule` of `netctl create securitypolicy` reads it; `2026-12-31` or `2026-12-31T18:00:00Z` for a time.
- Of virtual machines: `20G`, `image=debian,20G`, `vm=web-1/0` (a copy of its disk 0), `cdrom` or `cdrom=tools`, with
  `bus pci` and `index 1` after it, for a disk; an affinity policy's own kind is `affinity_kind: vm-anti-affinity`.
- Text needs no quotes: MAC addresses and label values are taken as written.
- Output-only fields are ignored: what `netctl get -o yaml` prints can be applied.

With a set (`set: NAME` in the file, or `--set NAME`) every resource gets the label `netctl.set: NAME`. `--prune`
deletes what has that label and is not in the files, in the same atomic change, and nothing else.
"""


def render() -> Iterator[str]:
    """Yield the parts of the document."""
    yield _HEAD
    yield "## Exit status\n\n| status | meaning |\n|---|---|"
    for status, meaning in EXIT_STATUSES:
        yield f"| {status} | {meaning} |"
    yield f"\n{_FILES}"
    command = make_command()
    context = command.make_context("netctl", [], resilient_parsing=True, terminal_width=_WIDTH)
    yield from _render_command(command, context)


def _render_command(command: Any, context: Any) -> Iterator[str]:
    yield f"## {context.command_path}\n\n```text\n{_help(command, context)}\n```\n"
    if not hasattr(command, "list_commands"):
        return
    for name in command.list_commands(context):
        if name in _LEFT_OUT:
            continue
        child = command.get_command(context, name)
        if not child.hidden:
            below = child.make_context(name, [], parent=context, resilient_parsing=True)
            yield from _render_command(child, below)


def _help(command: Any, context: Any) -> str:
    return "\n".join(line.rstrip() for line in str(command.get_help(context)).strip().splitlines())


def main() -> None:
    """Print the document."""
    print("\n".join(render()).rstrip())


if __name__ == "__main__":
    main()
