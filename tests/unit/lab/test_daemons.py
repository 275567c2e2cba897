"""Everything a node runs is private to the lab and the node."""

from pathlib import Path

from netctl.lab import daemons
from netctl.lab.daemons import Place
from netctl.lab.topology import Topology, parse_topology

FOLDER = Path(__file__).parents[3] / "containerlab"
TOPOLOGY = parse_topology((FOLDER / "two-hosts.clab.yml").read_text())
COMPUTE = parse_topology((FOLDER / "compute-hosts.clab.yml").read_text())


def places(lab: str, topology: Topology = TOPOLOGY) -> list[Place]:
    return [Place(lab=lab, central=topology.central, node=node) for node in topology.nodes]


def test_names_are_those_that_can_be_left_out() -> None:
    found = [daemon.name for place in places("one") for daemon in daemons.daemons(place)]
    assert found == [*daemons.CENTRAL_DAEMONS, *daemons.HOST_DAEMONS, *daemons.HOST_DAEMONS]


def test_every_file_is_below_the_labs_own_directory() -> None:
    for place in places("one"):
        assert "/one/" in f"{place.directory}/"
        for daemon in daemons.daemons(place):
            words = [*daemon.argv, *daemon.environment.values()]
            paths = [word.partition("=")[2] or word for word in words if "/" in word]
            mine = [path.removeprefix("unix:").removeprefix("punix:") for path in paths]
            assert all(path.startswith(str(place.directory.parent)) or "/bin/" in path for path in mine), mine


def test_two_labs_share_no_word_that_is_a_path() -> None:
    def paths(lab: str) -> set[str]:
        found = [daemon for place in places(lab) for daemon in daemons.daemons(place)]
        return {word for daemon in found for word in daemon.argv if "/run/" in word} | {
            d.namespace for d in found
        }

    assert not paths("one") & paths("two")


def test_hosts_reach_the_southbound_database_where_it_listens() -> None:
    central, *_ = places("one")
    words = {daemon.name: daemon.argv for daemon in daemons.daemons(central)}
    assert "--remote=ptcp:6642:192.168.76.2" in words[daemons.SB]
    assert "tcp:192.168.76.2:6642" in words[daemons.CONTROLLER]


def test_hosts_of_virtual_machines_run_libvirt_and_its_agent_last() -> None:
    _, h1, h2, h3, _ = places("one", COMPUTE)
    names = [daemon.name for daemon in daemons.daemons(h1)]
    assert names == [*daemons.HOST_DAEMONS, *daemons.COMPUTE_DAEMONS]
    assert h1.libvirt.store == h2.libvirt.store != h3.libvirt.store
    libvirtd, agent = daemons.daemons(h1)[-2:]
    # Both see the host's own libvirt as the machine's; nothing of it is where the machine's own would be.
    assert str(h1.libvirt.directory) in libvirtd.argv
    assert str(h1.libvirt.directory) in agent.argv
    assert libvirtd.serves == h1.libvirt.socket
    assert str(h1.libvirt.socket).startswith(str(h1.directory))
    assert h1.libvirt.directory != h2.libvirt.directory
    assert set(daemons.tools(TOPOLOGY)) < set(daemons.tools(COMPUTE))
