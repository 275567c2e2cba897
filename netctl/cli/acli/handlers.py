"""Who does which acli command: one table. Commands about virtual machines themselves have no service to ask yet."""

from __future__ import annotations

from collections.abc import Callable

from netctl.cli.acli import host, machine, manage_ovs, network, nic, switch
from netctl.cli.acli.answer import Answer
from netctl.cli.acli.commands import COMMANDS
from netctl.cli.acli.grammar import Call
from netctl.cli.client import Client
from netctl.cli.failures import Failure

Handler = Callable[[Client, Call], Answer]


def refuse_compute(client: Client, call: Call) -> Answer:
    """Say what there is not, and what there is."""
    raise Failure(
        f"{call.command.name}: this controller has no compute service, only networks; nothing was done",
        code="FAILED_PRECONDITION",
        hint="it can do net.*, vm.nic_*, vm.list, vm.get, host.list, host.get and manage_ovs: see `help`",
    )


HANDLERS: dict[str, Handler] = {
    **{name: refuse_compute for name, command in COMMANDS.items() if command.compute},
    "net.create": network.create,
    "net.list": network.list_,
    "net.get": network.get,
    "net.delete": network.delete,
    "net.list_vms": network.list_vms,
    "net.add_dhcp_pool": network.add_dhcp_pool,
    "net.delete_dhcp_pool": network.delete_dhcp_pool,
    "net.update_dhcp_dns": network.update_dhcp_dns,
    "net.list_virtual_switch": switch.list_,
    "net.get_virtual_switch": switch.get,
    "net.update_virtual_switch": switch.update,
    "vm.nic_create": nic.create,
    "vm.nic_update": nic.update,
    "vm.nic_delete": nic.delete,
    "vm.nic_get": nic.get,
    "vm.nic_list": machine.list_nics,
    "vm.list": machine.list_,
    "vm.get": machine.get,
    "host.list": host.list_,
    "host.get": host.get,
    "manage_ovs": manage_ovs.run,
}
