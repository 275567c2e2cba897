"""The stream to a real gRPC server: reports up, assignments down, whatever the controller does."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from netctl_host.acl_log import AclLog, AclLogs
from netctl_host.controller_client import ControllerClient, Intervals
from netctl_host.flow_counts import FlowCount, FlowCounts, FlowKey
from netctl_host.reported import HostReport

from netctl.loop import Wake, wait_until
from netctl.v1 import agent_pb2
from tests.functional.host.controller import AgentController
from tests.functional.host.silent_proxy import SilentProxy
from tests.unit.host.samples import assign

REPORT = HostReport(host_id="h1", nb_cfg=1)


def count(keys: Collection[FlowKey]) -> FlowCounts:
    """Each flow matched 3 packets of 5 bytes together."""
    return FlowCounts(counts=tuple(FlowCount(key=key, packets=3, bytes=5) for key in keys))


@pytest.fixture
def controller(tmp_path: Path) -> Iterator[AgentController]:
    served = AgentController(tmp_path)
    served.start()
    try:
        yield served
    finally:
        served.stop()


@pytest.fixture
def wake() -> Wake:
    return Wake()


@pytest.fixture
def client(controller: AgentController, wake: Wake) -> Iterator[ControllerClient]:
    made = ControllerClient(
        controller.address, "h1", None, wake, count=count, intervals=Intervals(report_s=0.3)
    )
    made.start()
    try:
        yield made
    finally:
        made.close()


def test_a_report_is_sent_on_change_and_again_after_a_while(
    controller: AgentController, client: ControllerClient
) -> None:
    wait_until(lambda: controller.streams, timeout_s=5, what="connected")
    assert controller.reports == []  # nothing to say before the first pass
    client.offer(REPORT)
    wait_until(lambda: controller.last().nb_cfg == 1, timeout_s=5, what="the first report")
    client.offer(HostReport(host_id="h1", nb_cfg=2))
    wait_until(lambda: controller.last().nb_cfg == 2, timeout_s=5, what="the change")
    count = len(controller.reports)
    wait_until(lambda: len(controller.reports) >= count + 2, timeout_s=5, what="repeated without a change")
    assert controller.last().agent_version
    assert controller.reports[-1].time.ToNanoseconds() > controller.reports[-2].time.ToNanoseconds()


def test_an_assignment_wakes(controller: AgentController, client: ControllerClient, wake: Wake) -> None:
    assert client.latest() is None
    controller.assign(assign(revision=5, epoch=2))
    assert wake.wait(5)
    assert client.latest() == assign(revision=5, epoch=2)


def test_an_older_controller_is_refused(
    controller: AgentController, client: ControllerClient, wake: Wake
) -> None:
    controller.assign(assign(revision=5, epoch=2))
    assert wake.wait(5)
    controller.assign(assign(revision=9, epoch=1))
    assert not wake.wait(0.5)
    controller.assign(assign(revision=4, epoch=2))  # the store was restored: the same controller may say less
    assert wake.wait(5)
    assert client.latest() == assign(revision=4, epoch=2)


def test_the_epoch_on_disk_counts_as_seen(controller: AgentController, wake: Wake) -> None:
    client = ControllerClient(controller.address, "h1", assign(revision=3, epoch=7), wake)
    client.start()
    try:
        controller.assign(assign(revision=4, epoch=6))
        assert not wake.wait(0.5)
        assert client.latest() == assign(revision=3, epoch=7)
    finally:
        client.close()


def test_a_controller_that_comes_back_is_found(
    controller: AgentController, client: ControllerClient, wake: Wake
) -> None:
    client.offer(REPORT)
    wait_until(lambda: controller.reports, timeout_s=5, what="the first report")
    controller.stop()
    controller.reports.clear()
    controller.assign(assign(revision=6, epoch=3))
    controller.start()
    assert wake.wait(10)
    assert client.latest() == assign(revision=6, epoch=3)
    wait_until(lambda: controller.last().nb_cfg == 1, timeout_s=5, what="the report on the new stream")


def test_a_controller_that_went_silent_is_left(controller: AgentController, wake: Wake) -> None:
    intervals = Intervals(keepalive_s=1.0, answer_s=0.5)
    with SilentProxy(controller.address.removeprefix("unix:")) as proxy:
        client = ControllerClient(proxy.address, "h1", None, wake, intervals=intervals)
        client.start()
        try:
            client.offer(REPORT)
            wait_until(lambda: controller.reports, timeout_s=5, what="the first report")
            proxy.silence()  # both ends still have their connection: only a missing answer tells
            wait_until(lambda: proxy.connections > 1, timeout_s=10, what="connected anew")
            controller.assign(assign(revision=6))
            assert wake.wait(10)
        finally:
            client.close()


def test_counters_are_told_when_they_are_asked_for(
    controller: AgentController, client: ControllerClient, wake: Wake
) -> None:
    question = agent_pb2.CountFlows(id=5, flows=[agent_pb2.FlowKey(cookie=7, datapath=700)])
    wait_until(lambda: controller.streams, timeout_s=5, what="connected")
    controller.ask(question)
    client.offer(REPORT)  # a stream begins with a report, whatever was asked before
    wait_until(lambda: controller.counts, timeout_s=5, what="the answer")
    assert controller.reports
    (told,) = controller.counts
    assert (told.id, told.problem) == (5, "")
    assert [(count.key, count.packets, count.bytes) for count in told.counts] == [(question.flows[0], 3, 5)]
    assert client.latest() is None  # a question is no assignment
    assert not wake.wait(0)


def a_log(name: str) -> AclLog:
    return AclLog(time=datetime.now(UTC), acl_name=name, verdict="drop", direction="to-lport")


def told(controller: AgentController) -> tuple[list[str], int]:
    """Return the names of what was logged, and how many were left out."""
    names = [log.acl_name for logs in controller.logs for log in logs.logs]
    return names, sum(logs.dropped for logs in controller.logs)


def test_what_acls_logged_goes_up_and_is_counted_when_nobody_takes_it(
    controller: AgentController, client: ControllerClient, wake: Wake
) -> None:
    controller.assign(assign())
    client.offer_logs(AclLogs(logs=(a_log("early"),), dropped=5))  # before there is anything to say
    client.offer(REPORT)
    wait_until(lambda: told(controller) == ([], 6), timeout_s=5, what="counted")
    client.offer_logs(AclLogs(logs=(a_log("a"), a_log("b")), dropped=1))
    wait_until(lambda: told(controller) == (["a", "b"], 7), timeout_s=5, what="two of them")
    many = AclLogs(logs=tuple(a_log(str(number)) for number in range(1500)))
    client.offer_logs(many)
    wait_until(
        lambda: sum(map(len, told(controller)[:1])) + told(controller)[1] == 1509, timeout_s=5, what="all"
    )
    assert told(controller)[0][-1] == "999"
    controller.stop()
    wait_until(
        lambda: not client.is_up(), timeout_s=5, what="known to have ended"
    )  # else it is sent, to nobody
    controller.logs.clear()
    client.offer_logs(AclLogs(logs=(a_log("lost"),)))
    controller.start()
    wait_until(lambda: told(controller)[1] > 0, timeout_s=10, what="told on the new stream")
    assert told(controller)[0] == []


def test_reports_go_on_below_logs(controller: AgentController, client: ControllerClient) -> None:
    controller.assign(assign())
    client.offer(REPORT)

    def is_enough() -> bool:
        client.offer_logs(AclLogs(logs=(a_log("a"),)))
        return len(controller.reports) >= 4

    wait_until(is_enough, timeout_s=5, what="repeated, though something is always sent")
    assert told(controller)[0]


def test_closing_does_not_wait_for_an_absent_controller(tmp_path: Path, wake: Wake) -> None:
    client = ControllerClient(f"unix:{tmp_path / 'nobody'}", "h1", None, wake)
    client.start()
    client.offer(REPORT)
    client.close()
