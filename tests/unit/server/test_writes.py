"""What changing calls share: the request's digest, who asks, field names."""

from __future__ import annotations

import pytest

from netctl.errors import InvalidIntent
from netctl.server.writes import actor_of, body_hash, within
from netctl.v1 import network_pb2 as pb


def test_the_digest_knows_everything_but_the_id() -> None:
    request = pb.CreateNicRequest(nic=pb.Nic(name="nics/a", labels={"b": "2", "a": "1"}), request_id="r1")
    digest = body_hash(request)
    assert request.request_id == "r1"
    same = pb.CreateNicRequest(nic=pb.Nic(name="nics/a", labels={"a": "1", "b": "2"}), request_id="r2")
    assert body_hash(same) == digest
    same.validate_only = True
    assert body_hash(same) != digest


def test_the_same_bytes_of_another_call_are_another_request() -> None:
    assert body_hash(pb.DeleteNicRequest(name="x")) != body_hash(pb.DeleteSubnetRequest(name="x"))


@pytest.mark.parametrize(
    ("peer", "actor"),
    [
        ("unix:", "local"),
        ("unix:/run/netctl/netctl.sock", "local"),
        ("ipv4:192.0.2.7:41234", "192.0.2.7"),
        ("ipv6:%5B2001:db8::7%5D:41234", "[2001:db8::7]"),
        ("", "unknown"),
    ],
)
def test_actors(peer: str, actor: str) -> None:
    assert actor_of(peer) == actor


@pytest.mark.parametrize(
    ("field", "named"),
    [
        ("ipv4_address", "nic.ipv4_address"),
        ("labels.x", "nic.labels.x"),
        ("request_id", "request_id"),
        ("", ""),
        ("edits[3]", "edits[3]"),
    ],
)
def test_fields_are_named_within_the_request(field: str, named: str) -> None:
    with pytest.raises(InvalidIntent) as caught, within("nic", pb.Nic.DESCRIPTOR):
        raise InvalidIntent(field, "wrong")
    assert caught.value.field == named
