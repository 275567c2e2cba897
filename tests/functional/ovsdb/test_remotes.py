"""The real class over every kind of remote: lists, TCP, TLS, and a cluster whose leader changes."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from netctl.errors import NorthboundUnavailable
from netctl.loop import wait_until
from netctl.ovsdb.northbound import OvsdbNorthbound
from netctl.ovsdb.session import use_certificates
from tests.functional.ovsdb.facts import network, switch
from tests.functional.ovsdb.subjects import OWNER, Wakes, connected
from tests.servers import OvsdbServer, ovsdb_cluster, ovsdb_server, run


def northbound(remote: str) -> OvsdbNorthbound:
    """Return a client whose probe is quick."""
    return OvsdbNorthbound(remote, owner=OWNER, wake=Wakes(), probe_s=0.5)


def test_the_first_remote_that_answers_is_taken(tmp_path: Path) -> None:
    port = _free_port()
    with ovsdb_server(tmp_path, "nb", remotes=(f"ptcp:{port}:127.0.0.1",)):
        remotes = f"unix:{tmp_path}/nobody, tcp:127.0.0.1:{_free_port()},tcp:127.0.0.1:{port}"
        with connected(northbound(remotes)) as subject:
            subject.apply(network("a", "p"), epoch=1)
            assert switch("a").key in subject.owned_rows()


@pytest.mark.parametrize("remote", ["", "nonsense", "udp:1.2.3.4:5", "tcp:", "tcp:300.1.1.1:6641"])
def test_a_remote_that_is_none_is_said_to_be_so(remote: str) -> None:
    subject = northbound(remote)
    subject.start()
    try:
        wait_until(lambda: subject.last_error, timeout_s=5, what="an error", poll_s=0.005)
        with pytest.raises(NorthboundUnavailable):
            subject.owned_rows()
    finally:
        subject.close()


def test_another_service_is_not_taken_for_a_database(tmp_path: Path) -> None:
    with ovsdb_server(tmp_path, "sb") as southbound:
        subject = northbound(southbound.remote)
        subject.start()
        try:
            wait_until(
                lambda: "no database OVN_Northbound" in subject.last_error, timeout_s=5, what="refusal"
            )
        finally:
            subject.close()


def test_tls_with_certificates_of_one_authority(tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    for authority in (ours, theirs):
        authority.mkdir()
        _make_certificates(authority)
    port = _free_port()
    with tls_server(tmp_path, ours, port):
        remote = f"ssl:127.0.0.1:{port}"
        use_certificates(*_files(theirs))
        stranger = northbound(remote)
        stranger.start()
        try:
            wait_until(lambda: stranger.last_error, timeout_s=5, what="refusal")
            assert not stranger.connected
        finally:
            stranger.close()
        use_certificates(*_files(ours))
        with connected(northbound(remote)) as subject:
            subject.apply(network("a", *(f"p{number}" for number in range(2000))), epoch=1)
            assert len(subject.owned_rows()) == 4001


def test_the_leader_of_a_cluster_is_followed(tmp_path: Path) -> None:
    with ovsdb_cluster(tmp_path, "nb") as servers:
        remotes = ",".join(server.remote for server in reversed(servers))
        with connected(northbound(remotes)) as subject:
            subject.apply(network("a", "p"), epoch=1)
            before = dict(subject.owned_rows())
            subject.take_changed()
            servers[0].appctl("cluster/failure-test", "transfer-leadership")
            wait_until(lambda: _leader(servers) > 0, timeout_s=10, what="another leader")
            wait_until(lambda: _writes(subject, "b"), timeout_s=10, what="writing again")
            servers[_leader(servers)].stop()
            wait_until(lambda: _writes(subject, "c"), timeout_s=20, what="writing to the third")
            assert before.keys() < subject.owned_rows().keys()


def _writes(subject: OvsdbNorthbound, name: str) -> bool:
    """As the reconciler does: look, write what lacks, and on failure look again."""
    try:
        subject.take_changed()
        if switch(name).key not in subject.owned_rows():
            subject.apply(network(name), epoch=1)
        return switch(name).key in subject.owned_rows()
    except NorthboundUnavailable:
        return False


def _leader(servers: list[OvsdbServer]) -> int:
    for number, server in enumerate(servers):
        if "Role: leader" in server.appctl("cluster/status", "OVN_Northbound"):
            return number
    return -1


@contextmanager
def tls_server(directory: Path, authority: Path, port: int) -> Iterator[OvsdbServer]:
    """Run a server that asks for a certificate."""
    key, certificate, ca = _files(authority)
    options = (f"--private-key={key}", f"--certificate={certificate}", f"--ca-cert={ca}")
    with ovsdb_server(directory, "nb", remotes=(f"pssl:{port}:127.0.0.1",), options=options) as server:
        yield server


def _files(authority: Path) -> tuple[str, str, str]:
    return str(authority / "key.pem"), str(authority / "cert.pem"), str(authority / "cert.pem")


def _make_certificates(authority: Path) -> None:
    """Make one self-signed certificate, its own authority, for both sides."""
    key, certificate, _ = _files(authority)
    subject = ("-subj", f"/CN={authority.name}", "-days", "2")
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", *subject,
        "-keyout", key, "-out", certificate)  # fmt: skip


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
