"""Rows of the Open_vSwitch database <-> our values, without a wire.

`parse_state` reads the replica's tables; `apply_action` writes one action into an open transaction. Both run on rows
as `ovs.db.idl` keeps them (an optional column is a list of none or one) and are called by `openvswitch.py` only.
Whole rows are never rewritten: maps change key by key, sets member by member, so that what others wrote stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, assert_never

from netctl_host.actions import (
    AddBond,
    AddBridge,
    PlugTap,
    RemoveBridge,
    RemovePort,
    SetBond,
    SetBridge,
    SetChassis,
    SetInternalMtu,
    SwitchAction,
    UnplugTap,
)
from netctl_host.state import OWNER, OWNER_KEY, Bridge, Interface, OpenVSwitchState, Port

Tables = Mapping[str, Any]


def parse_state(tables: Tables) -> OpenVSwitchState:
    """Return everything that the plan and the report need."""
    root = find_root(tables)
    return OpenVSwitchState(
        external_ids=dict(root.external_ids) if root else {},
        bridges={row.name: _parse_bridge(row) for row in tables["Bridge"].rows.values()},
        interfaces={row.name: _parse_interface(row) for row in tables["Interface"].rows.values()},
    )


def find_root(tables: Tables) -> Any:
    """Return the one Open_vSwitch record, None in a database that nobody has initialised."""
    return next(iter(tables["Open_vSwitch"].rows.values()), None)


def apply_action(action: SwitchAction, tables: Tables, txn: Any) -> None:
    """Write `action` into `txn`."""
    match action:
        case AddBridge():
            _add_bridge(action, tables, txn)
        case SetBridge(bridge=name):
            bridge = _named(tables["Bridge"].rows.values(), name)
            bridge.datapath_type = action.datapath_type
            bridge.fail_mode = action.fail_mode
        case RemoveBridge(bridge=name):
            find_root(tables).delvalue("bridges", _named(tables["Bridge"].rows.values(), name))
        case AddBond() | SetBond():
            _set_bond(action, tables, txn)
        case RemovePort(bridge=name, port=port) | UnplugTap(bridge=name, tap=port):
            bridge = _named(tables["Bridge"].rows.values(), name)
            bridge.delvalue("ports", _named(bridge.ports, port))
        case SetInternalMtu(bridge=name):
            _named(tables["Interface"].rows.values(), name).mtu_request = action.mtu_bytes
        case SetChassis():
            _set_keys(find_root(tables), "external_ids", action.external_ids)
        case PlugTap():
            _plug_tap(action, tables, txn)
        case _:
            assert_never(action)


def _add_bridge(action: AddBridge, tables: Tables, txn: Any) -> None:
    bridge = txn.insert(tables["Bridge"])
    bridge.name = action.bridge
    bridge.datapath_type = action.datapath_type
    bridge.fail_mode = action.fail_mode
    bridge.external_ids = {OWNER_KEY: OWNER}
    find_root(tables).addvalue("bridges", bridge)
    interface = _add_port(tables, txn, bridge, action.bridge)
    interface.type = "internal"


def _set_bond(action: AddBond | SetBond, tables: Tables, txn: Any) -> None:
    if isinstance(action, AddBond):
        port = txn.insert(tables["Port"])
        port.name = action.bond
        _named(tables["Bridge"].rows.values(), action.bridge).addvalue("ports", port)
        there: dict[str, Any] = {}
    else:
        port = _named(tables["Port"].rows.values(), action.bond)
        there = {interface.name: interface for interface in port.interfaces}
    if set(there) != set(action.interfaces):
        port.interfaces = [
            there.get(name) or _insert_interface(tables, txn, name) for name in action.interfaces
        ]
    port.bond_mode = [action.bond_mode] if action.bond_mode else []
    _set_keys(port, "other_config", (("bond-primary", action.primary),))


def _plug_tap(action: PlugTap, tables: Tables, txn: Any) -> None:
    bridge = _named(tables["Bridge"].rows.values(), action.bridge)
    ids = (("iface-id", action.iface_id), ("attached-mac", action.mac_address), (OWNER_KEY, OWNER))
    for port in bridge.ports:
        if port.name == action.tap:
            _set_keys(_named(port.interfaces, action.tap), "external_ids", ids)
            return
    _add_port(tables, txn, bridge, action.tap).external_ids = dict(ids)


def _add_port(tables: Tables, txn: Any, bridge: Any, name: str) -> Any:
    """Add a port with one interface, both called `name`; return the interface."""
    port = txn.insert(tables["Port"])
    port.name = name
    interface = _insert_interface(tables, txn, name)
    port.interfaces = [interface]
    bridge.addvalue("ports", port)
    return interface


def _insert_interface(tables: Tables, txn: Any, name: str) -> Any:
    interface = txn.insert(tables["Interface"])
    interface.name = name
    return interface


def _set_keys(row: Any, column: str, keys: Iterable[tuple[str, str]]) -> None:
    there = getattr(row, column, {})
    for key, value in keys:
        if value:
            row.setkey(column, key, value)
        elif key in there:
            row.delkey(column, key)


def _named(rows: Iterable[Any], name: str) -> Any:
    for row in rows:
        if row.name == name:
            return row
    # It was there when the state was read; the connection's caller retries with a fresh one.
    raise RuntimeError(f"{name} is gone")


def _parse_bridge(row: Any) -> Bridge:
    ports = (_parse_port(port) for port in row.ports)
    return Bridge(
        name=row.name,
        datapath_type=row.datapath_type or "system",
        fail_mode=_first(row.fail_mode, ""),
        external_ids=dict(row.external_ids),
        ports={port.name: port for port in ports},
    )


def _parse_port(row: Any) -> Port:
    return Port(
        name=row.name,
        interfaces=tuple(sorted(interface.name for interface in row.interfaces)),
        bond_mode=_first(row.bond_mode, ""),
        bond_primary=row.other_config.get("bond-primary", ""),
        active_mac=_first(row.bond_active_slave, ""),
    )


def _parse_interface(row: Any) -> Interface:
    return Interface(
        name=row.name,
        type=row.type,
        ofport=max(0, _first(row.ofport, 0)),  # -1: ovs-vswitchd could not
        error=_first(row.error, ""),
        external_ids=dict(row.external_ids),
        mtu_request=_first(row.mtu_request, 0),
        remote_ip=row.options.get("remote_ip", ""),
        bfd_state=row.bfd_status.get("state", ""),
    )


def _first(values: list[Any], default: Any) -> Any:
    return values[0] if values else default
