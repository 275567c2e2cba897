"""Rows of the Open_vSwitch database <-> our values, without a wire.

`parse_state` reads the replica's tables; `apply_actions` writes into an open transaction. Both run on rows
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
        other_config=dict(root.other_config) if root else {},
        bridges={row.name: _parse_bridge(row) for row in tables["Bridge"].rows.values()},
        interfaces={row.name: _parse_interface(row) for row in tables["Interface"].rows.values()},
    )


def find_root(tables: Tables) -> Any:
    """Return the one Open_vSwitch record, None in a database that nobody has initialised."""
    return next(iter(tables["Open_vSwitch"].rows.values()), None)


def apply_actions(actions: Iterable[SwitchAction], tables: Tables, txn: Any) -> None:
    """Write `actions` into `txn`."""
    rows = _Rows(tables, txn)
    for action in actions:
        _apply(action, rows)


class _Rows:
    """The rows by name (unique in each table, vswitch.ovsschema), those that this transaction inserts included.

    Read once: the IDL converts a whole column at every look at it, so a search for each of n ports costs n * n.
    """

    def __init__(self, tables: Tables, txn: Any) -> None:
        self.root = find_root(tables)
        self.bridges = {row.name: row for row in tables["Bridge"].rows.values()}
        self.ports = {row.name: row for row in tables["Port"].rows.values()}
        self.interfaces = {row.name: row for row in tables["Interface"].rows.values()}
        self._tables = tables
        self._txn = txn

    def insert_bridge(self, name: str) -> Any:
        """Return a new row of the Open_vSwitch record."""
        row = self.bridges[name] = self._insert("Bridge", name)
        self.root.addvalue("bridges", row)
        return row

    def insert_port(self, bridge: str, name: str) -> Any:
        """Return a new row of `bridge`, still without interfaces."""
        row = self.ports[name] = self._insert("Port", name)
        _named(self.bridges, bridge).addvalue("ports", row)
        return row

    def insert_interface(self, name: str) -> Any:
        """Return a new row that its port must hold; one of the same name must be leaving its port."""
        row = self.interfaces[name] = self._insert("Interface", name)
        return row

    def _insert(self, table: str, name: str) -> Any:
        row = self._txn.insert(self._tables[table])
        row.name = name
        return row


def _apply(action: SwitchAction, rows: _Rows) -> None:
    match action:
        case AddBridge(bridge=name):
            bridge = rows.insert_bridge(name)
            bridge.datapath_type = action.datapath_type
            bridge.fail_mode = action.fail_mode
            bridge.external_ids = {OWNER_KEY: OWNER}
            _add_port(rows, name, name).type = "internal"
        case SetBridge(bridge=name):
            bridge = _named(rows.bridges, name)
            bridge.datapath_type = action.datapath_type
            bridge.fail_mode = action.fail_mode
        case RemoveBridge(bridge=name):
            rows.root.delvalue("bridges", _named(rows.bridges, name))
        case AddBond(bridge=name):
            _set_bond(rows.insert_port(name, action.bond), {}, action, rows)
        case SetBond(bond=name):
            port = _named(rows.ports, name)
            _set_bond(port, {interface.name: interface for interface in port.interfaces}, action, rows)
        case RemovePort(bridge=name, port=port_name) | UnplugTap(bridge=name, tap=port_name):
            _named(rows.bridges, name).delvalue("ports", _named(rows.ports, port_name))
        case SetInternalMtu(bridge=name):
            _named(rows.interfaces, name).mtu_request = action.mtu_bytes
        case SetChassis():
            _set_keys(rows.root, "external_ids", action.external_ids)
            _set_keys(rows.root, "other_config", action.other_config)
        case PlugTap():
            _plug_tap(action, rows)
        case _:
            assert_never(action)


def _set_bond(port: Any, there: Mapping[str, Any], action: AddBond | SetBond, rows: _Rows) -> None:
    """`there`: the interfaces that the port has; those that stay keep their rows."""
    if set(there) != set(action.interfaces):
        port.interfaces = [there.get(name) or rows.insert_interface(name) for name in action.interfaces]
    port.bond_mode = [action.bond_mode] if action.bond_mode else []
    _set_keys(port, "other_config", (("bond-primary", action.primary),))


def _plug_tap(action: PlugTap, rows: _Rows) -> None:
    ids = (("iface-id", action.iface_id), ("attached-mac", action.mac_address), (OWNER_KEY, OWNER))
    if action.tap in rows.ports:
        _set_keys(_named(rows.interfaces, action.tap), "external_ids", ids)
    else:
        _add_port(rows, action.bridge, action.tap).external_ids = dict(ids)


def _add_port(rows: _Rows, bridge: str, name: str) -> Any:
    """Add a port with one interface, both called `name`; return the interface."""
    port = rows.insert_port(bridge, name)
    interface = rows.insert_interface(name)
    port.interfaces = [interface]
    return interface


def _set_keys(row: Any, column: str, keys: Iterable[tuple[str, str]]) -> None:
    there = getattr(row, column, {})
    for key, value in keys:
        if value:
            row.setkey(column, key, value)
        elif key in there:
            row.delkey(column, key)


def _named(rows: Mapping[str, Any], name: str) -> Any:
    if name not in rows:
        # It was there when the state was read; the next pass reads again.
        raise RuntimeError(f"{name} is gone")
    return rows[name]


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
        bfd_enabled=row.bfd.get("enable", "false") == "true",
        bfd_state=row.bfd_status.get("state", ""),
    )


def _first(values: list[Any], default: Any) -> Any:
    return values[0] if values else default
