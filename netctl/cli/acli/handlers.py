"""Who does which acli command: one table."""

from __future__ import annotations

from collections.abc import Callable

from netctl.cli.acli import group, host, machine, manage_ovs, network, nic, switch, vm
from netctl.cli.acli.answer import Answer
from netctl.cli.acli.commands import COMMANDS
from netctl.cli.acli.grammar import Call
from netctl.cli.client import Client
from netctl.cli.failures import Failure

Handler = Callable[[Client, Call], Answer]


_INSTEAD = {
    "ads.update": "machines are placed when they start and stay: `vm.migrate` moves one, `vm.affinity_set` and"
    " `vm_group.*` say where they may be",
    "ha.update": "a machine that crashed is started again on its host (`netctl update vm NAME --restart`); one whose"
    " host died waits for it",
}


def refuse_later(client: Client, call: Call) -> Answer:
    """Say what there is not, and what there is."""
    raise Failure(
        f"{call.command.name}: netctl has no scheduler and no HA yet; nothing was done",
        code="UNSUPPORTED",
        hint=_INSTEAD[call.command.name],
    )


HANDLERS: dict[str, Handler] = {
    **{name: refuse_later for name, command in COMMANDS.items() if command.later},
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
    "host.enter_maintenance_mode_check": host.check_maintenance,
    "host.enter_maintenance_mode": host.enter_maintenance,
    "host.exit_maintenance_mode": host.exit_maintenance,
    "vm.create": vm.create,
    "vm.update": vm.update,
    "vm.delete": vm.delete,
    "vm.disk_create": vm.create_disk,
    "vm.on": vm.on,
    "vm.off": vm.off,
    "vm.shutdown": vm.shutdown,
    "vm.clone": vm.clone,
    "vm.migrate": vm.migrate,
    "vm.affinity_set": vm.set_affinity,
    "vm.affinity_unset": vm.unset_affinity,
    "vm_group.create": group.create,
    "vm_group.list": group.list_,
    "vm_group.delete": group.delete,
    "vm_group.add_vms": group.add_vms,
    "vm_group.remove_vms": group.remove_vms,
    "vm_group.list_vms": group.list_vms,
    "vm_group.antiaffinity_set": group.set_anti_affinity,
    "vm_group.antiaffinity_unset": group.unset_anti_affinity,
    "manage_ovs": manage_ovs.run,
}
