"""The lab as a client of the controller's public API: registers what the topology says, carries the demo's intents."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

import grpc

from netctl.errors import InvalidIntent, Unavailable
from netctl.lab.topology import Node, Topology
from netctl.v1.infra_pb2 import Cluster, Host, Uplink, VirtualSwitch
from netctl.v1.network_pb2 import ListNicsRequest, Nic
from netctl.v1.network_pb2_grpc import NicServiceStub
from netctl.v1.operations_pb2 import (
    EVENT_KIND_PUT,
    EVENT_KIND_SYNCED,
    BatchRequest,
    Edit,
    Resource,
    WatchRequest,
)
from netctl.v1.operations_pb2_grpc import BatchServiceStub, WatchServiceStub

CALL_TIMEOUT_S = 20.0
_OURS_TO_RETRY = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)


class Api:
    """A connection to the controller of a lab; a context manager."""

    def __init__(self, server: str) -> None:
        self._channel = grpc.insecure_channel(server, options=[("grpc.max_reconnect_backoff_ms", 200)])
        self._batches = BatchServiceStub(self._channel)
        self._watches = WatchServiceStub(self._channel)
        self._nics = NicServiceStub(self._channel)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._channel.close()

    def names(self) -> frozenset[str]:
        """Name every resource that the controller knows."""
        found: list[str] = []
        with _translated():
            stream = self._watches.Watch(WatchRequest(), timeout=CALL_TIMEOUT_S, wait_for_ready=True)
            for event in stream:
                if event.kind == EVENT_KIND_PUT:
                    found.append(event.name)
                if event.kind == EVENT_KIND_SYNCED:
                    break
            stream.cancel()
        return frozenset(found)

    def batch(self, edits: Iterable[Edit], reason: str) -> list[Resource]:
        """Make all edits as one atomic change; return what was stored."""
        request = BatchRequest(edits=list(edits), change_reason=reason)
        with _translated():
            return list(self._batches.Batch(request, timeout=CALL_TIMEOUT_S, wait_for_ready=True).resources)

    def nics(self) -> list[Nic]:
        """List the NICs with their status; a lab has fewer than a page of them."""
        with _translated():
            request = ListNicsRequest(page_size=1000)
            return list(self._nics.ListNics(request, timeout=CALL_TIMEOUT_S, wait_for_ready=True).nics)


def register(server: str, topology: Topology) -> int:
    """Tell the controller of cluster, virtual switches and hosts; what it knows already stays as it is."""
    with Api(server) as api:
        known = api.names()
        missing = [resource for name, resource in infrastructure(topology) if name not in known]
        if missing:
            api.batch((Edit(create=resource) for resource in missing), "netctl lab up")
        return len(missing)


def infrastructure(topology: Topology) -> Iterator[tuple[str, Resource]]:
    """Return what the topology says as resources, each after what it refers to."""
    for cluster in topology.clusters:
        # Tunnels of every host must get through the narrowest of the links that carry them.
        hosts = topology.hosts_of(cluster)
        underlay = min(topology.mtu_bytes(host.tunnel_virtual_switch) for host in hosts)
        name = f"clusters/{cluster}"
        yield name, Resource(cluster=Cluster(name=name, underlay_mtu_bytes=underlay))
    for switch in topology.virtual_switches:
        name, cluster = f"virtualSwitches/{switch}", f"clusters/{topology.cluster_of(switch)}"
        mtu = topology.mtu_bytes(switch)
        yield name, Resource(virtual_switch=VirtualSwitch(name=name, cluster=cluster, mtu_bytes=mtu))
    for node in topology.hosts:
        host = _host(node)
        yield host.name, Resource(host=host)


def _host(node: Node) -> Host:
    return Host(
        name=f"hosts/{node.id}",
        cluster=f"clusters/{node.cluster}",
        tunnel_address=node.tunnel_address,
        tunnel_virtual_switch=f"virtualSwitches/{node.tunnel_virtual_switch}",
        uplinks=[
            Uplink(virtual_switch=f"virtualSwitches/{uplink.virtual_switch}", interfaces=uplink.interfaces)
            for uplink in node.uplinks
        ],
    )


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except grpc.RpcError as error:
        code, details = error.code(), error.details() or ""
        if code in _OURS_TO_RETRY:
            raise Unavailable(f"the lab's controller does not answer: {details}") from None
        raise InvalidIntent("", f"the controller refused: {code.name}: {details}") from None
