"""The local Open_vSwitch database: rows -> OpenVSwitchState, SwitchActions -> one transaction.

The only module of the agent that speaks OVSDB. ovsdbapp's connection thread keeps the replica current and carries the
transactions; every update of the replica wakes the loop and says nothing else. The database is the source of truth.
Where it does not answer, everything here raises HostUnavailable and the next call tries again.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import ovs.jsonrpc
import ovs.stream
from ovs.db import idl
from ovsdbapp import api, exceptions
from ovsdbapp.backend import ovs_idl
from ovsdbapp.backend.ovs_idl import command, connection

from netctl.errors import HostUnavailable
from netctl_host.actions import SwitchAction
from netctl_host.ovsdb_rows import apply_actions, find_root, parse_state
from netctl_host.state import OpenVSwitchState

# Without the statistics, which ovs-vswitchd writes every 5 s, an idle host does not wake us.
COLUMNS = {
    "Open_vSwitch": ("bridges", "external_ids", "other_config", "next_cfg", "cur_cfg"),
    "Bridge": (
        *("name", "datapath_type", "fail_mode", "external_ids", "ports", "mirrors"),
        *("mcast_snooping_enable", "other_config"),
    ),
    "Port": (
        *("name", "interfaces", "bond_mode", "other_config", "bond_active_slave", "external_ids"),
        *("tag", "trunks", "vlan_mode", "lacp"),
    ),
    "Mirror": ("name", "select_src_port", "select_dst_port", "output_port", "external_ids"),
    "Interface": (
        *("name", "type", "ofport", "error", "external_ids", "options", "mtu_request", "bfd", "bfd_status"),
        *("lacp_current", "mac_in_use"),
    ),
}


class OpenVSwitch:
    """A connection to the database at `remote`, e.g. `unix:/run/openvswitch/db.sock`."""

    def __init__(self, remote: str, wake: Callable[[], None], *, timeout_s: float = 5.0) -> None:
        self._remote = remote
        self._wake = wake
        self._timeout_s = timeout_s
        self._backend: Any = None

    def read_state(self) -> OpenVSwitchState:
        """Return what the replica holds."""
        with self._replica() as tables:
            return parse_state(tables)

    def apply(self, actions: Sequence[SwitchAction]) -> None:
        """Do `actions` in one transaction: all or none. After a timeout nobody knows which: read again."""
        backend = self._connected()
        try:
            with backend.transaction(check_error=True, log_errors=False) as transaction:
                transaction.add(_Apply(backend, actions))
        except exceptions.TimeoutException as error:
            # its str() fails in ovsdbapp 3.0 when it was raised without arguments
            raise HostUnavailable(f"{self._remote}: no answer within {self._timeout_s:g} s") from error
        except RuntimeError as error:
            raise HostUnavailable(f"{self._remote}: {error}") from error

    def close(self) -> None:
        """End the connection and its thread; what was applied stays."""
        if self._backend is not None:
            self._backend.ovsdb_connection.stop(self._timeout_s)
            self._backend = None

    @contextmanager
    def _replica(self) -> Iterator[Any]:
        backend = self._connected()
        # The connection thread holds the lock during a transaction, for as long as a frozen server takes.
        if not backend.ovsdb_connection.lock.acquire(timeout=self._timeout_s):
            raise HostUnavailable(f"{self._remote}: a transaction is not answered")
        try:
            yield backend.tables
        finally:
            backend.ovsdb_connection.lock.release()

    def _connected(self) -> Any:
        if self._backend is None:
            self._backend = self._connect()
        replica = self._backend.idl
        # The IDL has no public way to ask: a replica that lost its server keeps the old rows.
        if replica.state != idl.Idl.IDL_S_MONITORING or not replica._session.is_connected():
            raise HostUnavailable(f"{self._remote}: not connected; is ovsdb-server running?")
        return self._backend

    def _connect(self) -> Any:
        helper = idl.SchemaHelper(schema_json=_fetch_schema(self._remote))
        for table, columns in COLUMNS.items():
            helper.register_columns(table, list(columns))
        link = connection.Connection(_WakingIdl(self._remote, helper, self._wake), self._timeout_s)
        # ovsdbapp keeps the connection on the class: one class for each connection.
        backend_class = type("OpenVSwitchBackend", (ovs_idl.Backend, api.API), {"schema": "Open_vSwitch"})
        try:
            backend = backend_class(link, auto_index=False)
            if find_root(backend.tables) is None:  # as `ovs-vsctl init`; ovs-vswitchd waits for it
                backend.db_create("Open_vSwitch").execute(check_error=True, log_errors=False)
            return backend
        except exceptions.OvsdbConnectionUnavailable as error:
            raise HostUnavailable(f"{self._remote}: not in sync within {self._timeout_s:g} s") from error


class _WakingIdl(connection.OvsdbIdl):  # type: ignore[misc]
    """A replica whose every change wakes the loop."""

    def __init__(self, remote: str, helper: Any, wake: Callable[[], None]) -> None:
        self._wake_loop = wake
        super().__init__(remote, helper)

    def notify(self, event: str, row: Any, updates: Any = None) -> None:
        """Wake; the loop reads the tables itself."""
        self._wake_loop()


class _Apply(command.BaseCommand):  # type: ignore[misc]
    """All actions of a transaction."""

    def __init__(self, backend: Any, actions: Sequence[SwitchAction]) -> None:
        super().__init__(backend)
        self._actions = actions

    def run_idl(self, txn: Any) -> None:
        """Write the actions into the transaction; runs on the connection thread, again when it must be retried."""
        apply_actions(self._actions, self.api.tables, txn)


def _fetch_schema(remote: str) -> Any:
    """Return the server's schema; ovsdbapp's own way raises a bare Exception."""
    error, stream = ovs.stream.Stream.open_block(ovs.stream.Stream.open(remote), timeout=2000)
    if error:
        raise HostUnavailable(f"{remote}: {os.strerror(error)}")
    rpc = ovs.jsonrpc.Connection(stream)
    try:
        request = ovs.jsonrpc.Message.create_request("get_schema", ["Open_vSwitch"])
        error, reply = rpc.transact_block(request)
    finally:
        rpc.close()
    if error or reply.error:
        raise HostUnavailable(f"{remote}: no schema: {reply.error if reply else os.strerror(error)}")
    return reply.result
