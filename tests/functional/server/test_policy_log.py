"""The policy log over gRPC and to syslog: what ACLs logged on hosts, in names."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import grpc
import pytest

from netctl.server.syslog import SyslogTarget
from netctl.v1 import agent_pb2, explain_pb2, security_pb2, security_pb2_grpc
from tests.functional.server.secured import ALLOW, DENY, IN, SHOP, WATCH, Secured, line
from tests.functional.server.world import World, refused, until


@pytest.fixture
async def secured(world: World, tmp_path: Path) -> AsyncIterator[Secured]:
    async with AsyncExitStack() as last:
        made = Secured(world, tmp_path)
        await made.furnish()
        await made.start()
        last.push_async_callback(lambda: made.stop())
        yield made


class Following:
    """A stream of the log."""

    def __init__(self, secured: Secured, name: str = "", last: int = 1) -> None:
        request = explain_pb2.FollowPolicyLogRequest(name=name, follow=True, last=last)
        self._call = secured.explain.FollowPolicyLog(request)
        self._entries: list[explain_pb2.PolicyLogEntry] = []

    async def __aenter__(self) -> Following:
        await self._call.initial_metadata()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._call.cancel()

    async def next(self) -> explain_pb2.PolicyLogEntry:
        while not self._entries:
            async with asyncio.timeout(5):
                answer = await self._call.read()
            assert isinstance(answer, explain_pb2.FollowPolicyLogResponse)
            self._entries += answer.entries
        return self._entries.pop(0)


async def read(secured: Secured, name: str = "", last: int = 0) -> list[explain_pb2.PolicyLogEntry]:
    request = explain_pb2.FollowPolicyLogRequest(name=name, last=last)
    answers: AsyncIterable[explain_pb2.FollowPolicyLogResponse] = secured.explain.FollowPolicyLog(request)
    return [entry async for answer in answers for entry in answer.entries]


def count(secured: Secured, name: str) -> float:
    return secured.metrics.registry.get_sample_value(f"{name}_total") or 0


async def written(secured: Secured, lines: int) -> None:
    await until(lambda: count(secured, "netctl_policy_log_entries") >= lines)


async def test_a_line_is_in_names(secured: Secured) -> None:
    mac = secured.world.admission.snapshot().nic("web-1").mac_address  # type: ignore[arg-type, union-attr]
    sent = line(
        secured.acl(SHOP, "https"),
        source="10.0.0.6",
        destination="10.0.0.5",
        source_mac_address="02:00:00:00:00:99",
        destination_mac_address=mac,
    )
    await secured.h2.log(sent)
    await written(secured, 1)
    (entry,) = await read(secured)
    assert entry == explain_pb2.PolicyLogEntry(
        time=sent.time,
        policy=SHOP,
        rule="https",
        direction=IN,
        action=ALLOW,
        host="hosts/h2",
        source_nic="nics/web-2",  # by its address, for the MAC address is a router's
        destination_nic="nics/web-1",
        source_address="10.0.0.6",
        destination_address="10.0.0.5",
        protocol="tcp",
        source_port=40_000,
        destination_port=443,
    )


async def test_verdicts_and_would_drops(secured: Secured) -> None:
    await secured.watch()
    front = next(uuid for uuid, acl in secured.acls.items() if acl.would_drop and acl.clause.rule == "no-tls")
    await secured.h1.log(
        line(secured.acl(SHOP, "ssh"), verdict="drop"),
        line(secured.acl(SHOP, ""), verdict="drop"),
        line(front),
    )
    await written(secured, 3)
    assert [(each.policy, each.rule, each.action, each.would_drop) for each in await read(secured)] == [
        (SHOP, "ssh", DENY, False),
        (SHOP, "", DENY, False),
        (WATCH, "no-tls", DENY, True),
    ]
    assert [each.rule for each in await read(secured, WATCH)] == ["no-tls"]


async def test_following_gets_what_comes_and_the_last_ones_first(secured: Secured) -> None:
    acl = secured.acl(SHOP, "https")
    await secured.h1.log(*(line(acl, source_port=port) for port in (1, 2, 3)))
    await written(secured, 3)
    async with Following(secured, last=2) as following:
        assert [(await following.next()).source_port for _ in range(2)] == [2, 3]
        await secured.h1.log(line(acl, source_port=4))
        assert (await following.next()).source_port == 4
    assert [entry.source_port for entry in await read(secured, last=2)] == [3, 4]


async def test_a_filter_shows_one_policy(secured: Secured) -> None:
    await secured.watch()
    front = next(uuid for uuid, acl in secured.acls.items() if acl.would_drop and acl.clause.rule == "no-tls")
    async with Following(secured, WATCH) as following:
        await secured.h1.log(line(secured.acl(SHOP, "https"), source_port=1), line(front, source_port=2))
        assert (await following.next()).source_port == 2


async def test_lines_of_a_policy_that_had_the_name_before_are_not_of_this_one(secured: Secured) -> None:
    await secured.h1.log(line(secured.acl(SHOP, "https")))
    await written(secured, 1)
    policies = security_pb2_grpc.SecurityPolicyServiceStub(secured.world.channel)
    shop = (
        await policies.GetSecurityPolicy(security_pb2.GetSecurityPolicyRequest(name=SHOP))
    ).security_policy
    await policies.DeleteSecurityPolicy(security_pb2.DeleteSecurityPolicyRequest(name=SHOP))
    await secured.create(shop)
    await secured.h1.log(line(secured.acl(SHOP, "ssh"), verdict="drop"))
    await written(secured, 2)
    assert [entry.rule for entry in await read(secured, SHOP)] == ["ssh"]
    assert [entry.rule for entry in await read(secured)] == ["https", "ssh"]


async def test_what_a_host_left_out_is_told_with_its_next_line(secured: Secured) -> None:
    acl = secured.acl(SHOP, "https")
    async with Following(secured) as following:
        await secured.h1.log(dropped=5)
        await secured.h1.log(line(acl), line(acl), dropped=2)
        assert [(await following.next()).lost_before for _ in range(2)] == [7, 0]
        assert count(secured, "netctl_policy_log_lost") == 7


async def test_a_slow_reader_loses_the_oldest_and_is_told(
    secured: Secured, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ring turns while the reader is held up by gRPC's flow control: it has not taken what was sent before."""
    await secured.stop()
    monkeypatch.setattr("netctl.server.policy_log.KEPT", 200)
    monkeypatch.setattr("netctl.server.policy_log.SLICE", 50)
    await secured.start()
    acl, lines = secured.acl(SHOP, "https"), 20_000
    async with Following(secured) as following:
        for start in range(0, lines, 1000):
            await secured.h1.log(*(line(acl, source_port=1 + port) for port in range(start, start + 1000)))
        await written(secured, lines)
        seen, lost = 0, 0
        while True:
            entry = await following.next()
            seen, lost = seen + 1, lost + entry.lost_before
            if entry.source_port == lines:
                break
    assert seen + lost == lines
    assert lost > 0


async def test_unknown_acls_are_left_out_and_counted(secured: Secured) -> None:
    await secured.h1.log(line("somebodys-acl"), line("<script>"), line(""), line(secured.acl(SHOP, "https")))
    await written(secured, 1)
    assert len(await read(secured)) == 1
    assert count(secured, "netctl_policy_log_unknown") == 3


async def test_a_rule_that_was_removed_a_moment_ago_is_still_named(secured: Secured) -> None:
    acl = secured.acl(SHOP, "ssh")
    await secured.h1.log(line(acl))
    await written(secured, 1)
    policies = security_pb2_grpc.SecurityPolicyServiceStub(secured.world.channel)
    name = security_pb2.GetSecurityPolicyRequest(name=SHOP)
    changed = (await policies.GetSecurityPolicy(name)).security_policy
    del changed.rules[1]
    await policies.UpdateSecurityPolicy(security_pb2.UpdateSecurityPolicyRequest(security_policy=changed))
    assert acl not in secured.acls
    await secured.h1.log(line(acl))
    await written(secured, 2)
    assert [entry.rule for entry in await read(secured)] == ["ssh", "ssh"]


async def test_text_of_a_host_that_is_none_is_left_out(secured: Secured) -> None:
    evil = line(
        secured.acl(SHOP, "https"),
        source='1.2.3.4" ]\n<1>1 - - -',
        source_mac_address="\x00",
        protocol="tcp\n",
        source_port=70_000,
        verdict="\x1b[2J",
    )
    await secured.h1.log(evil)
    await written(secured, 1)
    (entry,) = await read(secured)
    assert (entry.source_address, entry.protocol, entry.source_port, entry.action) == ("", "", 0, ALLOW)


async def test_bad_questions_are_refused(secured: Secured) -> None:
    async with refused(grpc.StatusCode.NOT_FOUND, "name", text="securityPolicies/x does not exist"):
        await read(secured, "securityPolicies/x")
    for last in (-1, 10_001):
        async with refused(grpc.StatusCode.INVALID_ARGUMENT, "last"):
            await read(secured, last=last)


async def test_a_follower_is_told_when_the_controller_stops(secured: Secured) -> None:
    request = explain_pb2.FollowPolicyLogRequest(follow=True)
    call = secured.explain.FollowPolicyLog(request)
    await call.initial_metadata()
    stopping = asyncio.create_task(secured.server.stop(5))
    async with refused(grpc.StatusCode.UNAVAILABLE, text="stopping"):
        await call.read()
    await stopping


async def test_logs_of_a_message_are_taken_beside_a_report(secured: Secured) -> None:
    report = agent_pb2.HostReport(host_id="h1", assignment_revision=7)
    logs = agent_pb2.AclLogs(logs=[line(secured.acl(SHOP, "https"))])
    await secured.h1.send(agent_pb2.ConnectRequest(report=report, acl_logs=logs))
    await written(secured, 1)
    assert secured.world.reports.log[-1][1].assignment_revision == 7  # type: ignore[union-attr]


class Receiver:
    """A syslog server on a socket of its own."""

    def __init__(self, kind: socket.SocketKind) -> None:
        self.socket = socket.socket(socket.AF_INET, kind)
        self.socket.bind(("127.0.0.1", 0))
        self.port: int = self.socket.getsockname()[1]
        self.socket.setblocking(False)

    async def receive(self) -> bytes:
        async with asyncio.timeout(5):
            return await asyncio.get_running_loop().sock_recv(self.socket, 4096)


async def test_syslog_gets_each_line_by_udp(world: World, tmp_path: Path) -> None:
    receiver = Receiver(socket.SOCK_DGRAM)
    with receiver.socket:
        secured = Secured(world, tmp_path, syslog=SyslogTarget("udp", "127.0.0.1", receiver.port))
        await secured.furnish()
        await secured.start()
        try:
            await secured.h1.log(line(secured.acl(SHOP, "ssh"), source="10.0.0.6", verdict="drop"), dropped=3)
            said = (await receiver.receive()).decode()
        finally:
            await secured.stop()
    assert said == (
        '<133>1 2023-11-14T22:13:20.000Z h1 netctl - DENY [netctl@32473 policy="securityPolicies/shop" rule="ssh"'
        ' direction="IN" action="DENY" source_nic="nics/web-2" destination_nic="nics/web-1" source_address="10.0.0.6"'
        ' destination_address="10.0.0.5" protocol="tcp" source_port="40000" destination_port="443" lost_before="3"]'
        " DENY IN shop/ssh: tcp web-2 10.0.0.6:40000 -> web-1 10.0.0.5:443"
    )
