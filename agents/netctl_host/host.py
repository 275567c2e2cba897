"""This machine: its Open_vSwitch database, its links, its ovs-vswitchd and its ovn-controller as one Host."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from netctl.errors import HostUnavailable
from netctl_host.actions import Action, AttachGuard, LinkAction
from netctl_host.announce import Announcement, Announcer, send_announcement
from netctl_host.arrival_watch import ArrivalWatch
from netctl_host.arrivals import find_arrivals, find_staying
from netctl_host.assignment import Assignment
from netctl_host.controller_way import ControllerWay
from netctl_host.dhcp_server import DhcpServer
from netctl_host.guest_flows import find_clients
from netctl_host.igmp_querier import IgmpQuerier
from netctl_host.igmp_query import find_places
from netctl_host.inspector import LacpReader
from netctl_host.learn import Learner
from netctl_host.learned import LearnedTable, Tap
from netctl_host.links import Links, has_kernel_datapath
from netctl_host.lldp_listener import LldpListener
from netctl_host.openvswitch import OpenVSwitch
from netctl_host.ovn_controller import read_connected
from netctl_host.patch_flows import PatchFlows
from netctl_host.saved_learned import SavedLearned
from netctl_host.settings import Settings
from netctl_host.state import HostState, OpenVSwitchState
from netctl_host.steering import Steering

T = TypeVar("T")
_LACP_LOOK_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where this host's daemons are: the Open_vSwitch database, the folders of OVN's and OVS' sockets; and ours.

    `controller`: the gRPC address that the agent connects to.
    """

    ovsdb: str
    ovn_rundir: Path
    ovs_rundir: Path
    state_dir: Path
    controller: str = ""


class RealHost:
    """The host that the process runs on, in its network namespace.

    `wake` is called when the database changes, `look_again` (with seconds) when something else is about to.
    """

    def __init__(
        self,
        places: Places,
        wake: Callable[[], None],
        look_again: Callable[[float], None],
        *,
        timeout_s: float = 5.0,
    ) -> None:
        self._switch = OpenVSwitch(places.ovsdb, wake, timeout_s=timeout_s)
        self._links = Links()
        self._ovn_rundir = places.ovn_rundir
        self._patch_flows = PatchFlows(places.ovs_rundir, look_again)
        self._announcer = Announcer(send_announcement, look_again)
        self._kernel_datapath = has_kernel_datapath()
        self._saved_learned = SavedLearned(places.state_dir)
        self._learned = LearnedTable(time.monotonic)
        self._learned.load(self._saved_learned.load())
        self._learner = Learner(self._learned, wake)
        self._way = ControllerWay(places.controller)
        self._lacp = LacpReader(places.ovs_rundir)
        self._querier = IgmpQuerier()
        self._neighbors = LldpListener(wake)
        self._look_again = look_again
        self._dhcp = DhcpServer()
        self._steering = Steering(places.ovs_rundir, places.state_dir, wake)
        self._arrivals = ArrivalWatch(places.ovs_rundir, wake)

    def read_state(self) -> HostState:
        """Return everything the host has; raise HostUnavailable when a part does not answer."""
        switch = self._switch.read_state()
        links = self._links.read_links()
        flowing_patches, flows_problem = self._patch_flows.read(switch)
        return HostState(
            switch=switch,
            links=links,
            kernel_datapath=self._kernel_datapath,
            ovn_controller_connected=read_connected(self._ovn_rundir),
            flowing_patches=flowing_patches,
            flows_problem=flows_problem,
            guard_problem=self._links.find_guard_problem(),
            learned={owner.iface_id: addresses for owner, addresses in self._learned.read().items()},
            controller_way=self._way.read(),
            neighbors=self._neighbors.hear(links.values()),
            lacp=self._read_lacp(switch),
            functions=self._steering.read(),
            steering_problems=self._steering.problems(),
            arrived=self._arrivals.read(),
        )

    def _read_lacp(self, switch: OpenVSwitchState) -> Mapping[str, str]:
        lacp = self._lacp.read(switch)
        if any(status != "negotiated" for status in lacp.values()):
            self._look_again(_LACP_LOOK_S)  # that it is negotiated is in no database
        return lacp

    def apply(self, actions: Sequence[Action]) -> tuple[str, ...]:
        """Do what concerns OVS in one transaction, then each link action; return what could not be done.

        The guard comes first of all: a tap that is plugged without it would let through what the guard stops.
        """
        on_links = [action for action in actions if isinstance(action, LinkAction)]
        guards = [action for action in on_links if isinstance(action, AttachGuard)]
        others = [action for action in on_links if not isinstance(action, AttachGuard)]
        on_switch = [action for action in actions if not isinstance(action, LinkAction)]
        return (
            *_collect_problems(self._links.apply, guards),
            *_collect_problems(self._switch.apply, [on_switch] if on_switch else []),
            *_collect_problems(self._links.apply, others),
        )

    def announce(self, due: frozenset[Announcement]) -> None:
        """Tell the network what of it is new; raise HostUnavailable when a link does not take it."""
        self._announcer.tell(due)

    def listen(self, taps: frozenset[Tap]) -> tuple[str, ...]:
        """Learn the addresses of the guests of these taps alone; return what could not be done."""
        self._learned.keep({tap.owner for tap in taps})
        problems = self._learner.listen(frozenset(tap for tap in taps if tap.index))
        return (*problems, *_collect_problems(self._saved_learned.save, [self._learned.read()]))

    def serve(self, assignment: Assignment, state: HostState, settings: Settings) -> tuple[str, ...]:
        """Have the flows and services that `state` needs; return what could not be done."""
        return (
            *self._steering.serve(assignment, state, settings),
            *self._dhcp.serve(find_clients(assignment, state)),
            *self._querier.follow(find_places(assignment, state)),
            *self._arrivals.follow(
                find_arrivals(assignment, state, settings), find_staying(assignment, state)
            ),
        )

    def take_reversions(self) -> tuple[str, ...]:
        """Return once what others had changed of our flows and was put right."""
        return self._steering.take_reversions()

    def close(self) -> None:
        """Close every connection; the host stays as it is."""
        self._arrivals.close()
        self._querier.close()
        self._neighbors.close()
        self._way.close()
        self._steering.close()
        self._dhcp.close()
        self._learner.close()
        self._switch.close()
        self._links.close()


def _collect_problems(apply: Callable[[T], None], tasks: Sequence[T]) -> Iterator[str]:
    """Do each of `tasks`, whatever becomes of the others."""
    for task in tasks:
        try:
            apply(task)
        except HostUnavailable as error:
            yield error.message
