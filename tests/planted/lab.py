"""Bugs of the lab."""

from __future__ import annotations

from tests.planted.bug import Bug

BUGS = (
    Bug(
        "an interface may be in two links",
        "netctl/lab/topology.py",
        "            if end in taken:",
        "            if end is taken:",
        "tests/unit/lab/test_topology.py",
    ),
    Bug(
        "an uplink needs no link",
        "netctl/lab/topology.py",
        "                if Endpoint(node=host.id, interface=interface) not in connected:",
        "                if not connected:",
        "tests/unit/lab/test_topology.py",
    ),
    Bug(
        "down leaves the guests",
        "netctl/lab/namespaces.py",
        'if name.startswith(f"{_PREFIX}.{lab}."))',
        'if name.startswith(f"{_PREFIX}.{lab}.") and ".g." not in name)',
        "tests/functional/lab/test_lab.py::test_down_removes_the_ruins_of_a_crash",
    ),
    Bug(
        "down takes a lab with a longer name along",
        "netctl/lab/namespaces.py",
        'if name.startswith(f"{_PREFIX}.{lab}."))',
        'if name.startswith(f"{_PREFIX}.{lab}"))',
        "tests/functional/lab/test_lab.py::test_two_labs_of_one_topology_do_not_meet",
    ),
)
