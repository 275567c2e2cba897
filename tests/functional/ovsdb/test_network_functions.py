"""Chains of OVN 26.03 in a real server with its tables: what is compiled is taken, comes back as it was, and goes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from netctl.compiler.compile import compile_rows
from netctl.compiler.observed import Observed
from netctl.model.chain import FailureHandling
from netctl.model.intent import Intent
from netctl.model.routing_policy import PolicyAction
from netctl.nb.diff import diff
from netctl.nb.features import FUNCTION_PROBES, has_network_functions
from netctl.nb.rows import Delta
from netctl.ovsdb.northbound import OvsdbNorthbound
from tests import vpcs
from tests.chained import chain, function, function_nics, pair, with_chain
from tests.functional.ovsdb.subjects import OWNER, Wakes, connected
from tests.functional.ovsdb.test_options import options
from tests.intents import infra, routed, routed_nic, snapshot, vpc
from tests.security import category, in_categories, policy, rule
from tests.servers import SCHEMAS, OvsdbServer

NORTHD = "26.03.1-21.8.0-82.14"
NAME: dict[str, Any] = {"type": "string"}
MAP = {"type": {"key": "string", "value": "string", "min": 0, "max": "unlimited"}}
NUMBER = {"type": {"key": {"type": "integer", "minInteger": 1, "maxInteger": 255}}}


def refers(table: str, least: int = 1, most: Any = 1) -> dict[str, Any]:
    key = {"type": "uuid", "refTable": table, "refType": "strong"}
    return {"type": {"key": key, "min": least, "max": most}}


def one_of(*texts: str, least: int = 1) -> dict[str, Any]:
    return {"type": {"key": {"type": "string", "enum": ["set", list(texts)]}, "min": least, "max": 1}}


# As in ovn-nb.ovsschema 7.18.0.
TABLES: Mapping[str, dict[str, Any]] = {
    "Network_Function": {
        "columns": {
            "name": NAME,
            "outport": refers("Logical_Switch_Port"),
            "inport": refers("Logical_Switch_Port"),
            "health_check": refers("Network_Function_Health_Check", 0),
            "id": NUMBER,
            "external_ids": MAP,
        },
        "indexes": [["name"], ["id"]],
        "isRoot": True,
    },
    "Network_Function_Group": {
        "columns": {
            "name": NAME,
            "fallback": one_of("fail-open", "fail-close", least=0),
            "network_function": refers("Network_Function", 0, "unlimited"),
            "network_function_active": refers("Network_Function", 0),
            "mode": one_of("inline"),
            "id": NUMBER,
            "external_ids": MAP,
        },
        "indexes": [["name"], ["id"]],
        "isRoot": True,
    },
    "Network_Function_Health_Check": {
        "columns": {"name": NAME, "options": MAP, "external_ids": MAP},
        "indexes": [["name"]],
        "isRoot": False,
    },
}


@pytest.fixture
def newer(tmp_path: Path) -> Iterator[OvsdbServer]:
    """A server with the tables of 26.03."""
    schema = json.loads(SCHEMAS["nb"].read_text())
    schema["tables"] |= TABLES
    acl = schema["tables"]["ACL"]["columns"]
    acl["network_function_group"] = refers("Network_Function_Group", 0)
    acl["tier"] = {"type": {"key": {"type": "integer", "minInteger": 0, "maxInteger": 3}}}
    path = tmp_path / "newer.ovsschema"
    path.write_text(json.dumps(schema))
    server = OvsdbServer(tmp_path, "nb")
    server.create(path)
    try:
        server.start()
        yield server
    finally:
        server.stop()


def world() -> list[Intent]:
    """A chain at a subnet, a rule and a routing policy."""
    return [
        *infra(),
        function("fw", pair("fw"), pair("spare"), failure_handling=FailureHandling.FAIL_OPEN),
        function("empty"),
        chain("inspect"),
        chain("nothing", "empty"),
        *function_nics("fw"),
        *function_nics("spare", number=210, host="h2"),
        category("web"),
        vpc("p1"),
        with_chain(routed()),
        routed("s2", number=2),
        in_categories(routed_nic("a"), "web"),
        policy("shop", "web", rules=(with_chain(rule("r1")),), vpcs=("p1",)),
        with_chain(vpcs.policy("deep", PolicyAction.PERMIT, vpc="p1")),
    ]


def test_what_is_compiled_for_it_is_taken_and_goes_again(newer: OvsdbServer) -> None:
    newer.ctl("ovn-nbctl", "set", "NB_Global", ".", f"options:northd_internal_version={NORTHD}")
    with connected(OvsdbNorthbound(newer.remote, owner=OWNER, wake=Wakes())) as northbound:
        features = northbound.features()
        assert has_network_functions(features)
        seen = Observed(network_functions=True, acl_tiers=features.has("ACL", "tier"))
        wanted = compile_rows(snapshot(world()), OWNER, seen)
        northbound.apply(diff(wanted, northbound.owned_rows()), epoch=1)
        northbound.take_changed()
        assert not diff(wanted, northbound.owned_rows()), "it comes back as it was written"
        assert {key[0] for key in northbound.owned_rows()} >= set(TABLES)
        assert FUNCTION_PROBES.items() <= options(newer).items(), "or no function is ever healthy"
        bare = compile_rows(snapshot([one for one in world() if "fw" not in one.id]), OWNER, seen)
        northbound.apply(diff(bare, northbound.owned_rows()), epoch=1)
        northbound.apply(diff({}, northbound.owned_rows()), epoch=1)
        assert not northbound.owned_rows()


def test_probes_that_somebody_set_stay_and_an_older_northd_gets_none(newer: OvsdbServer) -> None:
    newer.ctl("ovn-nbctl", "set", "NB_Global", ".", "options:theirs=1")
    with connected(OvsdbNorthbound(newer.remote, owner=OWNER, wake=Wakes())) as northbound:
        northbound.apply(Delta(), epoch=1)
        assert not set(FUNCTION_PROBES) & set(options(newer)), "northd says nothing: it has none"
    said = f"options:northd_internal_version={NORTHD}"
    newer.ctl("ovn-nbctl", "set", "NB_Global", ".", said, "options:svc_monitor_ip=192.0.2.1")
    with connected(OvsdbNorthbound(newer.remote, owner=OWNER, wake=Wakes())) as northbound:
        northbound.apply(Delta(), epoch=1)
        assert {key: options(newer)[key] for key in FUNCTION_PROBES} == {
            "svc_monitor_ip": "192.0.2.1",
            "svc_monitor_ip_dst": FUNCTION_PROBES["svc_monitor_ip_dst"],
        }
