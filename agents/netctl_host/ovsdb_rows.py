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
    AddPatch,
    PlugTap,
    RemoveBridge,
    RemoveMirror,
    RemovePort,
    SetBond,
    SetBridge,
    SetChassis,
    SetInternalMtu,
    SetMirror,
    SwitchAction,
    UnplugTap,
)
from netctl_host.actions_uplinks import AddInternalPort, SetMulticast, SetPortTag
from netctl_host.state import OWNER, OWNER_KEY, Bridge, Interface, OpenVSwitchState, Port, SwitchMirror

Tables = Mapping[str, Any]
_NO_MEMBER = "00:00:00:00:00:00"  # what OVS calls the active member of a bond that has none


def parse_state(tables: Tables) -> OpenVSwitchState:
    """Return everything that the plan and the report need."""
    root = find_root(tables)
    return OpenVSwitchState(
        external_ids=dict(root.external_ids) if root else {},
        other_config=dict(root.other_config) if root else {},
        bridges={row.name: _parse_bridge(row) for row in tables["Bridge"].rows.values()},
        interfaces={row.name: _parse_interface(row) for row in tables["Interface"].rows.values()},
        is_applied=root is not None and root.cur_cfg >= root.next_cfg,
    )


def find_root(tables: Tables) -> Any:
    """Return the one Open_vSwitch record, None in a database that nobody has initialised."""
    return next(iter(tables["Open_vSwitch"].rows.values()), None)


def apply_actions(actions: Iterable[SwitchAction], tables: Tables, txn: Any) -> None:
    """Write `actions` into `txn`."""
    rows = _Rows(tables, txn)
    for action in actions:
        _apply(action, rows)
    # ovs-vswitchd tells in `cur_cfg` what it has done: vswitchd.conf.db(5)
    rows.root.increment("next_cfg")


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

    def mirrors(self, bridge: str) -> dict[str, Any]:
        """Return the bridge's mirrors: their names are its own."""
        return {row.name: row for row in _named(self.bridges, bridge).mirrors}

    def insert_mirror(self, bridge: str, name: str) -> Any:
        """Return a new row of `bridge`, ours."""
        row = self._insert("Mirror", name)
        row.external_ids = {OWNER_KEY: OWNER}
        self.bridges[bridge].addvalue("mirrors", row)
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
            _keep_mac(port, action, rows)
            _set_bond(port, {interface.name: interface for interface in port.interfaces}, action, rows)
        case RemovePort(bridge=name, port=port_name) | UnplugTap(bridge=name, tap=port_name):
            _named(rows.bridges, name).delvalue("ports", _named(rows.ports, port_name))
        case SetInternalMtu(bridge=name):
            _named(rows.interfaces, name).mtu_request = action.mtu_bytes or []
        case SetChassis():
            _set_keys(rows.root, "external_ids", action.external_ids)
            _set_keys(rows.root, "other_config", action.other_config)
        case PlugTap() | AddPatch() | SetMirror() | RemoveMirror():
            _apply_for_guests(action, rows)
        case SetMulticast(bridge=name):
            bridge = _named(rows.bridges, name)
            bridge.mcast_snooping_enable = action.snooping
            aging = str(action.aging_s) if action.aging_s else ""
            _set_keys(bridge, "other_config", (("mcast-snooping-aging-time", aging),))
        case AddInternalPort() | SetPortTag():
            _apply_on_internal_port(action, rows)
        case _:
            assert_never(action)


def _apply_on_internal_port(action: AddInternalPort | SetPortTag, rows: _Rows) -> None:
    if isinstance(action, AddInternalPort):
        interface = _add_port(rows, action.bridge, action.port)
        interface.type = "internal"
        interface.external_ids = {OWNER_KEY: OWNER}
    _named(rows.ports, action.port).tag = [] if action.tag is None else [action.tag]


def _apply_for_guests(action: PlugTap | AddPatch | SetMirror | RemoveMirror, rows: _Rows) -> None:
    match action:
        case PlugTap():
            _plug_tap(action, rows)
        case AddPatch():
            _add_patch(action, rows)
        case SetMirror():
            _set_mirror(action, rows)
        case RemoveMirror(bridge=name):
            _named(rows.bridges, name).delvalue("mirrors", _named(rows.mirrors(name), action.mirror))
        case _:
            assert_never(action)


def _set_bond(port: Any, there: Mapping[str, Any], action: AddBond | SetBond, rows: _Rows) -> None:
    """`there`: the interfaces that the port has; those that stay keep their rows."""
    if set(there) != set(action.interfaces):
        port.interfaces = [there.get(name) or rows.insert_interface(name) for name in action.interfaces]
    port.bond_mode = [action.bond_mode] if action.bond_mode else []
    port.lacp = [action.lacp] if action.lacp else []
    fallback = "true" if action.lacp_fallback else ""
    keys = (("bond-primary", action.primary), ("lacp-time", action.lacp_time), ("lacp-fallback-ab", fallback))
    _set_keys(port, "other_config", keys)


def _keep_mac(port: Any, action: SetBond, rows: _Rows) -> None:
    """Have the bridge's internal port keep its MAC address when the bond gets other members.

    OVS would take the lowest of the new ones, and set it while the port is down: the kernel then drops every route
    over it that has a gateway, and giving the bond its old members back does not bring them back.
    """
    if {interface.name for interface in port.interfaces} == set(action.interfaces):
        return
    for bridge in rows.bridges.values():
        internal = rows.interfaces.get(bridge.name)
        if port not in bridge.ports or internal is None or "hwaddr" in bridge.other_config:
            continue
        if mac := _first(internal.mac_in_use, ""):
            _set_keys(bridge, "other_config", (("hwaddr", mac),))


def _plug_tap(action: PlugTap, rows: _Rows) -> None:
    ids = {"iface-id": action.iface_id, "attached-mac": action.mac_address, OWNER_KEY: OWNER}
    if action.tap not in rows.ports:
        _add_port(rows, action.bridge, action.tap)
    elif action.leaves:
        # The rows stay, so ovs-vswitchd closes and opens the tap in one go. What OVN said of it is no longer so.
        _named(rows.bridges, action.leaves).delvalue("ports", rows.ports[action.tap])
        _named(rows.bridges, action.bridge).addvalue("ports", rows.ports[action.tap])
        ids |= {"ovn-installed": "", "ovn-installed-ts": ""}
    _set_keys(_named(rows.interfaces, action.tap), "external_ids", ids.items())
    port = rows.ports[action.tap]
    port.vlan_mode = [action.vlan_mode] if action.vlan_mode else []
    port.tag = [action.tag] if action.tag is not None else []
    port.trunks = list(action.trunks)


def _add_patch(action: AddPatch, rows: _Rows) -> None:
    if action.port not in rows.ports:
        _add_port(rows, action.bridge, action.port)
    interface = _named(rows.interfaces, action.port)
    interface.type = "patch"
    interface.options = {"peer": action.peer}
    _set_keys(interface, "external_ids", ((OWNER_KEY, OWNER),))


def _set_mirror(action: SetMirror, rows: _Rows) -> None:
    mirror = rows.mirrors(action.bridge).get(action.mirror) or rows.insert_mirror(
        action.bridge, action.mirror
    )
    mirror.select_src_port = [_named(rows.ports, name) for name in action.from_ports]
    mirror.select_dst_port = [_named(rows.ports, name) for name in action.to_ports]
    mirror.output_port = [_named(rows.ports, action.output_port)]


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
        mirrors={mirror.name: _parse_mirror(mirror) for mirror in row.mirrors},
        mcast_snooping=row.mcast_snooping_enable,
        mcast_timeout_s=_number(row.other_config.get("mcast-snooping-aging-time", "")),
    )


def _parse_mirror(row: Any) -> SwitchMirror:
    return SwitchMirror(
        name=row.name,
        from_ports=tuple(sorted(port.name for port in row.select_src_port)),
        to_ports=tuple(sorted(port.name for port in row.select_dst_port)),
        output_port="".join(port.name for port in row.output_port),
        is_ours=row.external_ids.get(OWNER_KEY) == OWNER,
    )


def _parse_port(row: Any) -> Port:
    return Port(
        name=row.name,
        interfaces=tuple(sorted(interface.name for interface in row.interfaces)),
        bond_mode=_first(row.bond_mode, ""),
        bond_primary=row.other_config.get("bond-primary", ""),
        active_mac=_first(row.bond_active_slave, "").replace(_NO_MEMBER, ""),
        tag=_first(row.tag, None),
        trunks=tuple(sorted(row.trunks)),
        vlan_mode=_first(row.vlan_mode, ""),
        lacp=_first(row.lacp, "").replace("off", ""),
        lacp_time=row.other_config.get("lacp-time", ""),
        lacp_fallback=row.other_config.get("lacp-fallback-ab", "false") == "true",
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
        peer=row.options.get("peer", ""),
        bfd_enabled=row.bfd.get("enable", "false") == "true",
        bfd_state=row.bfd_status.get("state", ""),
        lacp_current=_first(row.lacp_current, False),
    )


def _number(text: str) -> int:
    return int(text) if text.isdecimal() else 0


def _first(values: list[Any], default: Any) -> Any:
    return values[0] if values else default
