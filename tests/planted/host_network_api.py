"""Bugs of how the host's network is told, asked and migrated: server and command line."""

from __future__ import annotations

from tests.planted.bug import Bug

BUGS = (
    Bug(
        "a probe waits for the assignment",
        "netctl/server/agents.py",
        """                for response in stream.to_send():
                    yield response
                newest = stream.newest
                if newest is not None and (sent is None or self._differs(sent, newest)):
                    yield pb.ConnectResponse(assignment=assignment_to_proto(newest))
                    sent = newest
""",
        """                newest = stream.newest
                if newest is not None and (sent is None or self._differs(sent, newest)):
                    yield pb.ConnectResponse(assignment=assignment_to_proto(newest))
                    sent = newest
                for response in stream.to_send():
                    yield response
""",
        "tests/functional/server/test_inspect.py",
    ),
    Bug(
        "a probe is taken for a report",
        "netctl/server/agents.py",
        "return counted or inspected or logged or request.probe != 0",
        "return counted or inspected or logged",
        "tests/functional/server/test_inspect.py",
    ),
    Bug(
        "what a switch at the other end announces is printed as it came",
        "netctl/server/convert_agent.py",
        """letter if letter.isprintable() else "?" for letter in text[:_ANNOUNCED_MAX]""",
        "letter for letter in text[:_ANNOUNCED_MAX]",
        "tests/unit/server/test_convert_host.py",
    ),
    Bug(
        "LACP that followed the bond mode is kept when the bond mode changes",
        "netctl/server/convert_infra.py",
        "    if switch.lacp_mode is follows:",
        "    if switch.lacp_mode is follows and False:",
        "tests/functional/cli/test_host_network.py",
    ),
    Bug(
        "a migration overwrites what somebody changed in between",
        "netctl/server/migrate.py",
        "plan.add(Replace(intent=wanted, if_revision=subnet.meta.revision), place)",
        "plan.add(Replace(intent=wanted), place)",
        "tests/functional/server/test_migrate.py",
    ),
    Bug(
        "released addresses stay",
        "netctl/server/migrate.py",
        "release = asked == pb.MIGRATED_ADDRESSES_RELEASE\n",
        "release = False\n",
        "tests/functional/server/test_migrate.py",
    ),
    Bug(
        "a repeated migration of what has gone is refused",
        "netctl/server/migrate.py",
        "            before = await answered_before(ports.intents, (request, context))\n",
        "            before = None\n",
        "tests/functional/server/test_migrate.py",
    ),
    Bug(
        "a waiting command calls a migration that failed done",
        "netctl/cli/migrate.py",
        "if subnet.migration.state == _FAILED]",
        "if subnet.migration.state == 0]",
        "tests/functional/cli/test_host_network.py",
    ),
    Bug(
        "a host that is away is asked for ten seconds",
        "netctl/cli/failures.py",
        'if code == "UNAVAILABLE" and is_of_a_host(error):',
        'if code == "nothing" and is_of_a_host(error):',
        "tests/functional/cli/test_host_network.py",
    ),
)
