"""`validate_only` answers the rows that the reconciler then really writes."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from netctl.analysis.rows import render_value
from netctl.nb.rows import Delta, MapEdit, Rows
from netctl.reconciler.board import StatusBoard
from netctl.reconciler.reconcile import Reconciler, Settings
from netctl.server.admission import Admission
from netctl.server.ports import Ports
from netctl.server.sealing import random_seal
from netctl.server.serve import serve
from netctl.store.sqlite import SqliteStore
from netctl.v1 import infra_pb2 as infra
from netctl.v1 import network_pb2 as network
from netctl.v1 import operations_pb2 as operations
from netctl.v1 import security_pb2 as security
from netctl.v1 import status_pb2
from netctl.v1 import vpc_pb2 as vpc
from tests.fakes.controller import FakeAssignments, FakeController, FakeDerived, FakeReports, FakeStatuses
from tests.fakes.northbound import FakeNorthbound
from tests.functional.server.compute import sealing
from tests.functional.server.verbs import NOUNS, Verbs
from tests.functional.server.world import World, nic, refused, vlan_subnet

_INSERT, _UPDATE = status_pb2.ROW_CHANGE_KIND_INSERT, status_pb2.ROW_CHANGE_KIND_UPDATE
_DELETE = status_pb2.ROW_CHANGE_KIND_DELETE
_ADD, _REMOVE = status_pb2.ROW_CHANGE_KIND_ADD_MEMBER, status_pb2.ROW_CHANGE_KIND_REMOVE_MEMBER

_UID = re.compile(r"[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}")
# (kind, table, row, column, value or member)
Written = tuple[int, str, str, str, str]


@dataclass(frozen=True, slots=True)
class Town:
    """A server with a reconciler behind it."""

    world: World
    northbound: FakeNorthbound
    reconciler: Reconciler

    def reconcile(self) -> set[Written]:
        """Run a pass; return what it wrote."""
        self.northbound.take_changed()
        before = dict(self.northbound.owned_rows())
        written = len(self.northbound.deltas)
        self.reconciler.step()
        assert len(self.northbound.deltas) - written <= 1, "more than one transaction"
        return {one for delta in self.northbound.deltas[written:] for one in _of_delta(delta, before)}

    async def foretold(self, call: Callable[..., Any], *, new: bool = False) -> list[status_pb2.RowChange]:
        """Ask what a call would write, make it, compare with what a pass writes; return the answer.

        What is `new` gets another uid when it is really made: rows are compared without theirs.
        """
        self.reconcile()
        would = await call(validate_only=True)
        assert self.reconcile() == set(), "what was only validated was written"
        done = await call()
        assert not done.row_changes
        told = list(would.row_changes)
        assert would.row_change_count == len(told)
        foretold, wrote = {one for change in told for one in _of_change(change)}, self.reconcile()
        if new:
            assert sorted(map(_nameless, foretold)) == sorted(map(_nameless, wrote))
        else:
            assert foretold == wrote
        return told


def _of_delta(delta: Delta, before: Rows) -> set[Written]:
    found: set[Written] = {(_DELETE, table, row, "", "") for table, row in delta.delete}
    for row in delta.insert:
        found |= {(_INSERT, *row.key, column, render_value(value)) for column, value in row.columns.items()}
    for update in delta.update:
        key = (update.table, update.uuid)
        found |= {(_UPDATE, *key, column, render_value(value)) for column, value in update.columns.items()}
        have: Any = before[key]
        for column, edit in update.maps.items():
            found.add((_UPDATE, *key, column, render_value(_edited(have.columns[column], edit))))
    for kind, members in ((_ADD, delta.add), (_REMOVE, delta.remove)):
        found |= {(kind, one.table, one.parent, one.column, one.member) for one in members}
    return found


def _nameless(one: Written) -> tuple[str, ...]:
    return tuple(_UID.sub("UID", str(part)).replace('"', "") for part in one)


def _edited(values: dict[str, str], edit: MapEdit) -> dict[str, str]:
    return {key: value for key, value in values.items() if key not in edit.remove} | dict(edit.put)


def _of_change(change: status_pb2.RowChange) -> set[Written]:
    key = (change.table, change.row)
    if change.kind in (_INSERT, _UPDATE):
        assert change.columns
        return {(change.kind, *key, column, value) for column, value in change.columns.items()}
    return {(change.kind, *key, change.column, change.member)}


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    store = SqliteStore(tmp_path / "netctl.db")
    admission = Admission(store, sealing=sealing(random_seal()))
    admission.start()
    northbound = FakeNorthbound(owner=store.owner)
    board = StatusBoard(admission.snapshot)
    reconciler = Reconciler(admission, northbound, board, Settings(owner=store.owner, epoch=1, resync_s=1e9))
    statuses, reports, controller = FakeStatuses(), FakeReports(), FakeController()
    ports = Ports(
        intents=admission,
        changes=store,
        statuses=statuses,
        reports=reports,
        assignments=FakeAssignments(admission),
        controller=controller,
        owner=store.owner,
        observed=lambda: reconciler.observed,
    )
    address = f"unix:{tmp_path}/netctl.sock"
    server = await serve(ports, [address])
    async with grpc.aio.insecure_channel(address) as channel:
        derived = FakeDerived()
        world = World(
            address, server, admission, store, statuses, reports, controller, derived, ports, channel
        )
        yield Town(world, northbound, reconciler)
    await server.stop(0)
    admission.close()
    store.close()


@pytest.mark.parametrize("verbs", NOUNS, ids=lambda verbs: verbs.noun)
async def test_what_is_foretold_of_each_noun_is_written(town: Town, verbs: Verbs) -> None:
    await verbs.furnish(town.world)
    asked = type(verbs.another)()
    asked.CopyFrom(verbs.another)
    if verbs.noun == "nic":  # an address that is drawn is drawn anew by the call that stores
        asked.mac_address = "52:00:00:00:00:07"
    has_rows = verbs.noun in _WITH_ROWS
    told = await town.foretold(verbs.caller(town.world, "Create", **{verbs.noun: asked}), new=True)
    assert bool(told) is has_rows
    assert {change.kind for change in told} <= {_INSERT, _ADD, _UPDATE}
    told = await town.foretold(verbs.caller(town.world, "Delete", name=asked.name))
    assert bool(told) is has_rows
    own = [change for change in told if change.resource_name == asked.name]
    assert bool(own) is has_rows
    assert all(change.columns_before for change in own if change.kind == _DELETE)


_WITH_ROWS = ("subnet", "nic", "vpc", "floating_ip", "route", "routing_policy", "security_policy")


async def test_a_mode_a_rule_and_a_category_that_change_touch_just_their_rows(town: Town) -> None:
    world = town.world
    await world.furnish()
    await world.furnish_security()
    policy = _shop(security.SECURITY_POLICY_MODE_SAVE)
    await world.security_policies.CreateSecurityPolicy(
        security.CreateSecurityPolicyRequest(security_policy=policy)
    )

    async def become(change: security.SecurityPolicy, *paths: str) -> list[status_pb2.RowChange]:
        change.name = policy.name
        mask = FieldMask(paths=paths)
        return await town.foretold(
            lambda **fields: world.security_policies.UpdateSecurityPolicy(
                security.UpdateSecurityPolicyRequest(security_policy=change, update_mask=mask, **fields)
            )
        )

    assert await become(security.SecurityPolicy(priority=9), "priority") == [], "SAVE writes nothing"
    told = await become(security.SecurityPolicy(mode=security.SECURITY_POLICY_MODE_ENFORCE), "mode")
    tables = {change.table for change in told if change.kind == _INSERT}
    assert {"ACL", "Port_Group"} <= tables
    joined = [change for change in told if change.column == "ports" and change.kind == _ADD]
    assert {(change.table, change.resource_name) for change in joined} == {("Port_Group", "nics/w1")}
    # One rule of another action: its rows, and no other's.
    policy.rules[0].action = security.SECURITY_ACTION_DENY
    told = await become(security.SecurityPolicy(rules=policy.rules), "rules")
    assert {(change.kind, change.table, change.resource_name) for change in told} == {
        (_UPDATE, "ACL", policy.name)
    }
    assert all(
        (change.columns["action"], change.columns_before["action"]) == ("drop", "allow-related")
        for change in told
    )

    async def move(**fields: Any) -> Any:
        resource = network.Nic(name="nics/w1", categories=["categories/db"])
        mask = FieldMask(paths=["categories"])
        return await world.nics.UpdateNic(network.UpdateNicRequest(nic=resource, update_mask=mask, **fields))

    told = await town.foretold(move)
    assert [(change.kind, change.table, change.column) for change in told] == [
        (_ADD, "Port_Group", "ports"),
        (_REMOVE, "Port_Group", "ports"),
    ], "a NIC that changes its group is one member in, one out"


async def test_a_batch_is_foretold_as_a_whole(town: Town) -> None:
    world = town.world
    await world.furnish_vpc()
    edits = [
        operations.Edit(delete=operations.DeleteEdit(name="nics/blue-1")),
        operations.Edit(
            apply=operations.Resource(
                route=vpc.Route(
                    name="routes/r",
                    vpc="vpcs/blue",
                    destination="198.51.100.0/24",
                    next_hops=[vpc.NextHop(external_subnet="subnets/internet")],
                )
            )
        ),
        operations.Edit(
            update=operations.UpdateEdit(
                resource=operations.Resource(subnet=network.Subnet(name="subnets/blue-web", mtu_bytes=1300)),
                update_mask=FieldMask(paths=["mtu_bytes"]),
            )
        ),
    ]

    async def batch(**fields: Any) -> Any:
        return await world.batches.Batch(operations.BatchRequest(edits=edits, **fields))

    told = await town.foretold(batch, new=True)
    assert {"nics/blue-1", "routes/r", "subnets/blue-web"} <= {change.resource_name for change in told}
    assert {_INSERT, _UPDATE, _DELETE, _ADD} <= {change.kind for change in told}


async def test_a_chain_and_a_migration_are_foretold(town: Town) -> None:
    world = town.world
    await world.furnish()
    await world.furnish_service_chain()
    await world.subnets.CreateSubnet(network.CreateSubnetRequest(subnet=vlan_subnet("empty", 7)))

    async def attach(**fields: Any) -> Any:
        subnet = network.Subnet(name="subnets/web", service_chain="serviceChains/inspect")
        mask = FieldMask(paths=["service_chain"])
        return await world.subnets.UpdateSubnet(
            network.UpdateSubnetRequest(subnet=subnet, update_mask=mask, **fields)
        )

    told = await town.foretold(attach)
    assert {(one.kind, one.table) for one in told if one.resource_name == "subnets/web"} == {
        *((_INSERT, "Logical_Switch_Port"), (_DELETE, "Logical_Switch_Port")),
        *((_ADD, "Logical_Switch"), (_REMOVE, "Logical_Switch")),
    }
    (way_out,) = (one for one in told if one.kind == _INSERT)
    assert "physnet-nf-vs0" in way_out.columns["options"], "the way out leads through br.nf"

    def migrate(name: str, kind: network.SubnetKind.ValueType) -> Callable[..., Any]:
        async def call(**fields: Any) -> Any:
            return await world.subnets.MigrateSubnets(
                network.MigrateSubnetsRequest(names=[name], kind=kind, **fields)
            )

        return call

    told_all = await town.foretold(migrate("subnets/empty", network.SUBNET_KIND_VLAN_BASIC))
    assert {(change.kind, change.table) for change in told_all} == {
        (_DELETE, "Logical_Switch"),
        (_DELETE, "Logical_Switch_Port"),
    }
    back = await town.foretold(migrate("subnets/empty", network.SUBNET_KIND_VLAN))
    assert {change.kind for change in back} == {_INSERT, _ADD}


async def test_what_comes_along_is_foretold_too(town: Town) -> None:
    await town.world.furnish_vpc()
    cluster = infra.Cluster(name="clusters/c1", underlay_mtu_bytes=1400)
    mask = FieldMask(paths=["underlay_mtu_bytes"])

    async def shrink(**fields: Any) -> Any:
        request = infra.UpdateClusterRequest(cluster=cluster, update_mask=mask, **fields)
        return await town.world.clusters.UpdateCluster(request)

    told = await town.foretold(shrink)
    assert "subnets/blue-web" in {change.resource_name for change in told}, "its MTU follows the underlay's"


async def test_more_than_a_thousand_rows_are_counted_and_cut(town: Town) -> None:
    await town.world.furnish("10.0.0.0/16")
    edits = [operations.Edit(create=operations.Resource(nic=nic(f"n{number}").nic)) for number in range(600)]
    would = await town.world.batches.Batch(operations.BatchRequest(edits=edits, validate_only=True))
    assert (len(would.row_changes), would.row_change_count) == (1000, 1200)


async def test_what_is_refused_is_refused_as_ever(town: Town) -> None:
    await town.world.furnish()
    async with refused(grpc.StatusCode.NOT_FOUND, "nic.subnet"):
        request = nic("x", subnet="subnets/none")
        request.validate_only = True
        await town.world.nics.CreateNic(request)


def _shop(mode: security.SecurityPolicyMode.ValueType) -> security.SecurityPolicy:
    service = security.Service(
        protocol=security.SERVICE_PROTOCOL_TCP, ports=[vpc.PortRange(first=443, last=443)]
    )
    rule = security.SecurityRule(
        name="web",
        direction=security.SECURITY_DIRECTION_IN,
        action=security.SECURITY_ACTION_ALLOW,
        peers=["categories/clients"],
        services=[service],
    )
    return security.SecurityPolicy(
        name="securityPolicies/shop",
        kind=security.SECURITY_POLICY_KIND_APPLICATION,
        mode=mode,
        scope=security.SECURITY_SCOPE_ALL_VLAN,
        secured=["categories/web", "categories/db"],
        rules=[rule],
    )
