"""`netctl policy hits`, `clear-hits` and `log`: hits by rule in a table, the log in lines, as an agent tells them."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from netctl.analysis.acls import index_acls
from netctl.compiler.observed import NOTHING_OBSERVED
from netctl.loop import wait_until
from netctl.model.hits import AclFlow
from netctl.model.security_policy import Direction
from netctl.v1 import agent_pb2 as pb
from netctl.v1 import agent_pb2_grpc
from tests.controllers import Controller
from tests.functional.cli.conftest import Ran, Run

WORLD = """
resources:
  - {kind: Category, name: web, key: tier, value: web}
  - {kind: Nic, name: w1, subnet: web, host: h1, ipv4_address: 10.0.0.11, categories: [web]}
  - {kind: Nic, name: w2, subnet: web, host: h1, ipv4_address: 10.0.0.12}
  - {kind: SecurityPolicy, name: shop, policy_kind: application, mode: enforce, scope: all-vlan, secured: [cat/web],
     rules: [tls allow from any tcp/443, ssh deny from any tcp/22]}
  - {kind: SecurityPolicy, name: watch, policy_kind: application, mode: monitor, scope: all-vlan, secured: [cat/web]}
  - {kind: Vpc, name: blue}
  - {kind: RoutingPolicy, name: both, vpc: blue, priority: 100, action: deny}
  - {kind: SecurityPolicy, name: both, policy_kind: application, mode: save, scope: all-vlan, secured: [cat/web]}
"""


class Agent:
    """The agent of h1: counts what it is told to, and logs."""

    def __init__(self, address: str) -> None:
        self.counters: dict[int, tuple[int, int]] = {}
        self._requests: queue.SimpleQueue[pb.ConnectRequest | None] = queue.SimpleQueue()
        self._requests.put(pb.ConnectRequest(report=pb.HostReport(host_id="h1")))
        # Of its own: channels to one address share a connection, and this one lives as long as the server.
        self._channel = grpc.insecure_channel(address, options=[("grpc.use_local_subchannel_pool", 1)])
        self._call = agent_pb2_grpc.AgentServiceStub(self._channel).Connect(iter(self._requests.get, None))
        next(self._call)  # the assignment
        self._thread = threading.Thread(target=self._answer)
        self._thread.start()

    def log(self, acl: str, verdict: str, port: int, *, dropped: int = 0) -> None:
        line = pb.AclLog(
            acl_name=acl,
            verdict=verdict,
            source_address="10.0.0.12",
            destination_address="10.0.0.11",
            protocol="tcp",
            source_port=port,
            destination_port=22,
        )
        line.time.seconds = 1_700_000_000
        self._requests.put(pb.ConnectRequest(acl_logs=pb.AclLogs(logs=[line], dropped=dropped)))

    def close(self) -> None:
        self._requests.put(None)
        self._call.cancel()
        self._thread.join()
        self._channel.close()

    def _answer(self) -> None:
        try:
            for message in self._call:
                if message.HasField("count_flows"):
                    question = message.count_flows
                    answer = pb.FlowCounts(id=question.id)
                    for key in question.flows:
                        if key.cookie in self.counters:
                            packets, size = self.counters[key.cookie]
                            answer.counts.add(key=key, packets=packets, bytes=size)
                    self._requests.put(pb.ConnectRequest(flow_counts=answer))
        except grpc.RpcError:
            return  # the stream is over


@pytest.fixture
def shop(furnished: Run, tmp_path: Path) -> Run:
    file = tmp_path / "shop.yaml"
    file.write_text(WORLD)
    furnished("apply", "-f", str(file))
    return furnished


@pytest.fixture
def agent(shop: Run, controller: Controller) -> Iterator[Agent]:
    made = Agent(controller.address)
    yield made
    made.close()


def said(ran: Ran) -> list[str]:
    """What the command printed, without what the server in its process logs."""
    return [line for line in ran.lines if " [info " not in line]


def acl(controller: Controller, policy: str, rule: str) -> str:
    """The ACL of a rule, or of what a policy does beside its rules, of connections to its secured."""
    acls = index_acls(controller.admission.snapshot(), NOTHING_OBSERVED)
    wanted = (policy, rule, Direction.IN)
    found = (
        uuid
        for uuid, use in acls.items()
        if (use.clause.policy, use.clause.rule, use.clause.direction) == wanted
    )
    return next(found)


def be_northd(controller: Controller) -> dict[str, int]:
    """Make a flow of each ACL; return their cookies."""
    acls = index_acls(controller.admission.snapshot(), NOTHING_OBSERVED)
    cookies = {uuid: number for number, uuid in enumerate(acls, 1)}
    controller.southbound.acls = [AclFlow(uuid[:8], acls[uuid].match, cookies[uuid]) for uuid in acls]
    return cookies


def test_hits_by_rule(shop: Run, controller: Controller, agent: Agent) -> None:
    cookies = be_northd(controller)
    agent.counters = {cookies[acl(controller, "shop", "ssh")]: (7, 420)}
    lines = said(shop("policy", "hits", "shop"))
    assert (
        lines[0]
        == "securityPolicies/shop: since it was created; (own) is what the policy does beside its rules"
    )
    assert lines[1].split() == ["RULE", "DIRECTION", "ACTION", "PACKETS", "BYTES", "LAST", "(UTC)", "HOSTS"]
    assert lines[2].split() == ["tls", "in", "allow", "0", "0", "-", "-"]
    ssh = lines[3].split()
    assert (ssh[:5], ssh[-2:]) == (["ssh", "in", "deny", "7", "420"], ["h1:", "7"])
    assert [line.split()[:3] for line in lines[4:6]] == [["(own)", "in", "deny"], ["(own)", "out", "deny"]]
    assert "did not answer" in lines[-1]
    assert "h2" in lines[-1]
    data = json.loads("\n".join(said(shop("policy", "hits", "sp/shop", "-o", "json"))))
    assert data["rules"][1]["packets"] == "7"
    assert said(shop("policy", "clear-hits", "shop")) == ["securityPolicies/shop counts from zero"]
    assert said(shop("policy", "hits", "shop"))[3].split()[3] == "0"


def test_would_drops_are_marked(shop: Run, controller: Controller, agent: Agent) -> None:
    cookies = be_northd(controller)
    agent.counters = {cookies[acl(controller, "watch", "")]: (3, 180)}
    row = said(shop("policy", "hits", "watch"))[2].split()
    assert row[:6] == ["(own)", "in", "deny", "(would-drop)", "3", "180"]


def test_an_id_of_both_kinds_has_to_be_said(shop: Run, agent: Agent) -> None:
    assert "write rp/both or sp/both" in shop("policy", "hits", "both", expect=2).err
    assert said(shop("policy", "clear-hits", "rp/both")) == ["routingPolicies/both counts from zero"]
    assert shop("policy", "hits", "nothing", expect=4).err


def test_the_log_in_lines_and_as_json(shop: Run, controller: Controller, agent: Agent) -> None:
    agent.log(acl(controller, "shop", "ssh"), "drop", 40_000)
    agent.log(acl(controller, "watch", ""), "allow", 40_001, dropped=3)
    wait_until(lambda: len(shop("policy", "log").lines) == 2, timeout_s=5, what="both lines are there")
    ran = shop("policy", "log")
    assert ran.lines == [
        "2023-11-14 22:13:20.000Z  deny       shop/ssh in  tcp w2 (10.0.0.12:40000) -> w1 (10.0.0.11:22) on h1",
        "2023-11-14 22:13:20.000Z  would-drop watch/(own) in  tcp w2 (10.0.0.12:40001) -> w1 (10.0.0.11:22) on h1",
    ]
    assert "3 lines before the next one are missing" in ran.err
    assert len(shop("policy", "log", "shop").lines) == len(shop("policy", "log", "--last", "1").lines) == 1
    entry = json.loads(shop("policy", "log", "sp/watch", "-o", "json").lines[0])
    assert (entry["policy"], entry["would_drop"], entry["source_nic"]) == (
        "securityPolicies/watch",
        True,
        "nics/w2",
    )
    assert entry["lost_before"] == "3"


def test_following_goes_on_after_a_restart_of_the_controller_and_repeats_nothing(
    shop: Run, controller: Controller, tmp_path: Path
) -> None:
    first = Agent(controller.address)
    ssh = acl(controller, "shop", "ssh")
    first.log(ssh, "drop", 1)
    out = tmp_path / "log.jsonl"
    command = [sys.executable, "-m", "netctl.cli.main", "policy", "log", "shop", "--follow", "-o", "json"]
    environment = {**os.environ, "NETCTL_SERVER": controller.address}

    def ports() -> list[int]:
        return [json.loads(line)["source_port"] for line in out.read_text().splitlines()]

    with out.open("w") as stdout, subprocess.Popen(command, stdout=stdout, env=environment) as following:
        try:
            wait_until(lambda: ports() == [1], timeout_s=10, what="the line of before")
            first.log(ssh, "drop", 2)
            wait_until(lambda: ports() == [1, 2], timeout_s=10, what="a new line")
            first.close()
            controller.restart()
            second = Agent(controller.address)
            try:
                second.log(ssh, "drop", 3)
                wait_until(lambda: ports() == [1, 2, 3], timeout_s=20, what="a line after the restart")
            finally:
                second.close()
        finally:
            following.terminate()
            following.wait(10)
