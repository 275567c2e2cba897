"""`docs/acli.md`, written from the table of commands: python -m netctl.cli.acli.reference > docs/acli.md"""

from __future__ import annotations

from netctl.cli.acli.commands import COMMANDS
from netctl.cli.acli.grammar import Command, Option

_HEAD = """# AHV's acli

Written by `python -m netctl.cli.acli.reference > docs/acli.md`; a test compares the two.

`netctl acli` understands the commands of AHV's acli as scripts and documents write them, and says them to netctl's API.
`netctl manage_ovs` is AHV's tool for uplinks.

```
netctl acli vm.nic_create fooVM vlan_mode=kTrunked trunked_networks=10,20,30 network=vlan.10
netctl acli "net.create vlan.27 vlan=27 ip_config=10.1.1.1/24"
netctl acli -f networks.acli --keep-going
netctl acli < networks.acli
netctl acli
<acropolis> help vm.nic_create
```

- **Script**: one command in a line; `#` begins a comment, `acli` in front and `-y` are fine. It stops at the first
  error, with `FILE:LINE`; with `--keep-going` it tells every error and ends with the exit status of the first.
- **Shell**: without a command and in a terminal. TAB completes commands, `key=`, values and the server's names; the
  history is `~/.local/state/netctl/acli_history`. `help`, `help net`, `help net.create`, `exit`.
- **Output**: tables, or with `-o json` (before or after the command) acli's envelope `{"status": 0, "data": ...,
  "error": null}`. Errors and exit status are those of [netctl](cli.md).
- **Names** that are no ids of netctl (`vlan.10`, `fooVM`) are kept as display names, the id is made from them:
  lower case, other characters become `-` (`vlan-10`, `foovm`). Both find the resource, as do its uid and, of a
  host, its addresses. Two names that make one id (`vlan.10`, `vlan_10`) cannot both be.
- **Several**: `a,b`, `clone-vm-[01..20]`, `web-*`; they are changed all together or not at all.
- **NICs** of a virtual machine are called `foovm-nic-0` and are where it is. One of a machine that netctl does not run
  says by its label `vm` whose it is; it is on `host=`, else where the machine's other NICs are, else on the only host;
  otherwise it floats. `vm.list` and `vm.get` show both kinds.
- **Change log**: `netctl history` shows the acli line as the reason.

## Where it differs

- A network made here is a VLAN_BASIC subnet, as in acli. `net.list`, `net.get`, `net.delete` and NICs work with all
  subnets; the column STACK says which they are.
- Without a pool the whole network is one: acli hands out no addresses then.
- `trunked_networks` may name the network's own VLAN, which is untagged in the guest; it is left out of the tags.
- The API cannot change a NIC's mode or network. `vm.nic_update` makes the NIC anew in one atomic change: id, MAC
  address and, on the same network, addresses stay; the tap's name changes.
- `vm.nic_update` refuses `vlan_mode` and `trunked_networks` without `update_vlan_trunk_info=true`; acli ignores
  them silently.
- `quick_mode` holds for the change that says it; without it hosts change one after the other.
- `manage_ovs update_uplinks` changes the intent, so nothing reverts it, and asks for `--host` (or `--host all`)
  where there is a choice. Bond settings are those of the virtual switch.
- Nothing is asked back, with or without `-y`.
- `vm.on`, `vm.off`, `vm.shutdown` and `vm.migrate` do one machine after the other and stop at the first that is
  refused; `vm.migrate` returns when the migrations are asked for, `netctl get migrations` shows them.
- A disk is in the store of its machine's host: there is no `container`. Snapshots, `timezone`, `ha_priority` and
  `extra_flags` are refused with what to do instead. A memory size needs a unit.
- A group is an affinity policy of the kind VM_ANTI_AFFINITY, disabled until `vm_group.antiaffinity_set`.
- A host is emptied in the background unless `wait=true`; a machine that cannot move stays (`block`).

## Commands

"later": understood with all options, and refused (exit status 1): netctl has no scheduler and no HA yet.

| command | here | options |
|---|---|---|
"""


def render() -> str:
    """Return the whole page."""
    return _HEAD + "".join(_row(command) for command in COMMANDS.values())


def _row(command: Command) -> str:
    words = [command.name, *(it.metavar if len(it.metavar) < 20 else "ACTION" for it in command.positionals)]
    about = f"later: {command.about}" if command.later else command.about
    options = ", ".join(f"`{_render(command, option)}`" for option in command.options)
    return f"| `{' '.join(words)}` | {about} | {options} |\n"


def _render(command: Command, option: Option) -> str:
    value = "\\|".join(option.choices) or option.metavar.replace("|", "\\|")
    return f"{command.spell(option.name)}{' ' if command.dashes else '='}{value}"


if __name__ == "__main__":
    print(render(), end="")
