"""The southbound database, read-only: questions on demand, each with a deadline.

In: names of northbound rows. Out: what northd and the hosts made of them. Owns: a connection of its own, begun by the
first question; no replica, for a southbound holds a row for each logical flow and we want few of them. Source of
truth: the database. A question that is not answered in time raises SouthboundUnavailable. Nothing is ever written.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Iterable, Mapping, Sequence

from netctl.errors import NorthboundUnavailable, SouthboundUnavailable
from netctl.model.hits import AclFlow, PolicyFlow, RouterFlows
from netctl.ovsdb.client import Ask, Client
from netctl.ovsdb.wire import Json

DATABASE = "OVN_Southbound"
POLICY_STAGE = "lr_in_policy"
# Where ACLs decide; of OVN 23.06 on by the names that end in `_eval`. Not the stages in front of them: there a
# stateless ACL has a flow that only says that its packets are not to be tracked.
ACL_STAGES = ("ls_in_acl", "ls_out_acl", "ls_in_acl_eval", "ls_out_acl_eval")


class _Quiet:
    """The dialogue of a connection that only asks when we are asked."""

    settled = True

    def __init__(self) -> None:
        self.is_open = threading.Event()

    def opened(self, ask: Ask) -> None:
        """Let questions through."""
        self.is_open.set()

    def heard(self, method: str, params: Json) -> None:
        """Nothing is monitored, so nothing is told."""

    def closed(self) -> None:
        """Let questions wait."""
        self.is_open.clear()


class OvsdbSouthbound:
    """A southbound server, or any member of a cluster of them (`remote` names all, comma separated)."""

    def __init__(self, remote: str, *, timeout_s: float = 5.0, probe_s: float = 5.0) -> None:
        self._remote = remote
        self._timeout_s = timeout_s
        self._dialogue = _Quiet()
        self._client = Client(remote, self._dialogue, probe_s=probe_s)
        self._lock = threading.Lock()
        self._started = False

    @property
    def remote(self) -> str:
        """Where it is, as OVN spells it."""
        return self._remote

    def close(self) -> None:
        """Disconnect."""
        with self._lock:
            self._started = True  # a question that comes later finds no connection
            self._client.close()

    def policy_flows(
        self, routers: Collection[str], *, priorities: tuple[int, int]
    ) -> Mapping[str, RouterFlows]:
        """Return the policies' flows of routers (by uuid of the northbound row) with a priority in `priorities`.

        A router that northd has not made yet is missing. By priority and not by `stage-hint`: of two routers with
        equal policies northd makes one logical flow, whose hint names one policy only (tried with OVN 23.03).
        """
        if not routers:
            return {}
        deadline = time.monotonic() + self._timeout_s
        *datapaths, flows = self._ask(
            deadline,
            *(
                _select("Datapath_Binding", [_includes("logical-router", router)], ["_uuid", "tunnel_key"])
                for router in routers
            ),
            _select_policies(priorities),
        )
        wanted = {group for row in flows for group in _references(row["logical_dp_group"])}
        groups = self._ask(
            deadline,
            *(
                _select("Logical_DP_Group", [_is("_uuid", ["uuid", group])], ["_uuid", "datapaths"])
                for group in wanted
            ),
        )
        members = {row["_uuid"][1]: _references(row["datapaths"]) for rows in groups for row in rows}
        found = _by_datapath(flows, members)
        return {
            router: RouterFlows(rows[0]["tunnel_key"], tuple(found.get(rows[0]["_uuid"][1], ())))
            for router, rows in zip(routers, datapaths, strict=True)
            if rows
        }

    def acl_flows(self) -> Sequence[AclFlow]:
        """Return the logical flows in which ACLs decide, anybody's; a stateful one has two, for new and for open.

        All at once: asked for one by one, each costs the server a walk over all of its flows.
        """
        deadline = time.monotonic() + self._timeout_s
        columns = ["_uuid", "match", "external_ids"]
        stages = [_select("Logical_Flow", [_includes("stage-name", stage)], columns) for stage in ACL_STAGES]
        return [
            AclFlow(ids["stage-hint"], row["match"], _cookie(row))
            for rows in self._ask(deadline, *stages)
            for row in rows
            if "stage-hint" in (ids := dict(row["external_ids"][1]))
        ]

    def chassis_of_ports(self, ports: Collection[str]) -> Mapping[str, str]:
        """Return the name of the chassis that holds each port (`cr-…` of a gateway); a port on none is missing."""
        if not ports:
            return {}
        deadline = time.monotonic() + self._timeout_s
        answers = self._ask(
            deadline,
            *(
                _select("Port_Binding", [_is("logical_port", port)], ["logical_port", "chassis"])
                for port in ports
            ),
            _select("Chassis", [], ["_uuid", "name"]),
        )
        names = {row["_uuid"][1]: row["name"] for row in answers[-1]}
        bound = {row["logical_port"]: _references(row["chassis"]) for rows in answers[:-1] for row in rows}
        return {port: names[held[0]] for port, held in bound.items() if held and held[0] in names}

    def _ask(self, deadline: float, *selects: Json) -> Sequence[list[dict[str, Json]]]:
        """Return the rows of each select, all of one moment."""
        if not selects:
            return ()
        with self._lock:
            if not self._started:
                self._started = True
                self._client.start()
        self._dialogue.is_open.wait(max(0.0, deadline - time.monotonic()))
        try:
            results = self._client.call(
                "transact", [DATABASE, *selects], timeout_s=max(0.0, deadline - time.monotonic())
            )
        except NorthboundUnavailable as error:
            raise SouthboundUnavailable(f"southbound database {self._remote}: {error.message}") from error
        return [_rows(result, self._remote) for result in results]


def _select_policies(priorities: tuple[int, int]) -> Json:
    low, high = priorities
    where = [_includes("stage-name", POLICY_STAGE), ["priority", ">=", low], ["priority", "<=", high]]
    return _select("Logical_Flow", where, ["_uuid", "priority", "logical_datapath", "logical_dp_group"])


def _by_datapath(
    flows: Iterable[dict[str, Json]], members: Mapping[str, list[str]]
) -> Mapping[str, list[PolicyFlow]]:
    """Return the flows of each datapath, by uuid; `members` are the datapaths of each group."""
    found: dict[str, list[PolicyFlow]] = {}
    for row in flows:
        flow = PolicyFlow(row["priority"], _cookie(row))
        shared = (members.get(group, []) for group in _references(row["logical_dp_group"]))
        alone = _references(row["logical_datapath"])
        for datapath in {*alone, *(each for group in shared for each in group)}:
            found.setdefault(datapath, []).append(flow)
    return found


def _cookie(flow: dict[str, Json]) -> int:
    """Return what the OpenFlow flows of a logical flow carry: the first 32 bits of its uuid."""
    return int(flow["_uuid"][1][:8], 16)


def _select(table: str, where: Iterable[Json], columns: Sequence[str]) -> Json:
    return {"op": "select", "table": table, "where": list(where), "columns": list(columns)}


def _includes(key: str, value: str) -> Json:
    return ["external_ids", "includes", ["map", [[key, value]]]]


def _is(column: str, value: Json) -> Json:
    return [column, "==", value]


def _rows(result: Json, remote: str) -> list[dict[str, Json]]:
    if not isinstance(result, dict) or "rows" not in result:
        raise SouthboundUnavailable(f"southbound database {remote}: refuses a question: {result}")
    rows: list[dict[str, Json]] = result["rows"]
    return rows


def _references(value: Json) -> list[str]:
    """Return the uuids of a set of references; one comes bare (RFC 7047, 5.1)."""
    kind, content = value
    return [content] if kind == "uuid" else [element[1] for element in content]
