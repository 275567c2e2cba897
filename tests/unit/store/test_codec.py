"""Every intent comes back from its stored form as it was; what this version cannot read is refused by name."""

import dataclasses
import json

import pytest

from netctl.errors import StoreUnavailable
from netctl.model.intent import Intent, key_of
from netctl.model.keys import Kind
from netctl.store import codec
from tests.unit.store.samples import BARE, HOST, NIC, ONE_OF_EACH, SUBNET, nic


@pytest.mark.parametrize(
    "intent", [*ONE_OF_EACH, *BARE], ids=lambda intent: f"{key_of(intent)[0]}/{intent.id}"
)
def test_what_is_stored_comes_back(intent: Intent) -> None:
    back = codec.decode(key_of(intent)[0], codec.encode(intent))
    assert back == intent
    assert repr(back) == repr(intent)  # nested types too: a str is no StrEnum, a list no tuple
    assert dataclasses.replace(back) == intent  # it is a whole noun: its checks can run


def test_the_samples_set_every_field() -> None:
    """A field added to a noun must be added to the samples, or the test above does not see it."""
    named = {(type(intent), field.name) for intent in ONE_OF_EACH for field in dataclasses.fields(intent)}
    seen = {
        (type(intent), field.name)
        for intent in ONE_OF_EACH
        for field in dataclasses.fields(intent)
        if getattr(intent, field.name) != field.default
    }
    assert named - seen == set()


def test_there_is_a_sample_of_each_kind() -> None:
    assert (
        {key_of(intent)[0] for intent in ONE_OF_EACH} == {key_of(intent)[0] for intent in BARE} == set(Kind)
    )


def test_defaults_are_written_out() -> None:
    stored = json.loads(codec.encode(nic(1)))
    assert stored["port_security"] is True
    assert stored["meta"]["labels"] == {}


def test_a_field_of_later_versions_gets_its_default() -> None:
    stored = json.loads(codec.encode(nic(1)))
    del stored["allow_unknown_macs"], stored["meta"]["labels"]
    assert codec.decode("nics", json.dumps(stored).encode()) == nic(1)


def test_an_intent_without_meta_is_readable() -> None:
    stored = json.loads(codec.encode(BARE[4]))
    del stored["meta"]
    assert codec.decode("nics", json.dumps(stored).encode()) == BARE[4]


@pytest.mark.parametrize("path", [(), ("meta",), ("dhcp",), ("ipv4", "pools", 0)], ids=str)
def test_an_unknown_field_is_refused_by_name(path: tuple[str | int, ...]) -> None:
    stored = json.loads(codec.encode(SUBNET))
    place = stored
    for step in path:
        place = place[step]
    place["from_the_future"] = 1
    with pytest.raises(StoreUnavailable, match=r"unknown field `from_the_future`.*newer"):
        codec.decode("subnets", json.dumps(stored).encode())


def test_an_unknown_kind_is_refused_by_name() -> None:
    with pytest.raises(StoreUnavailable, match=r"'routers'.*newer"):
        codec.decode("routers", b"{}")


def test_an_unknown_value_of_an_enum_is_refused() -> None:
    body = codec.encode(SUBNET).replace(b'"kind":"vlan"', b'"kind":"vlan-complex"')
    with pytest.raises(StoreUnavailable, match="vlan-complex"):
        codec.decode("subnets", body)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"id": 5}', codec.encode(HOST)], ids=repr)
def test_garbage_is_refused(body: bytes) -> None:
    with pytest.raises(StoreUnavailable, match="damaged"):
        codec.decode("nics", body)


def test_what_was_stored_is_not_checked_again() -> None:
    """A check that became stricter must not keep a controller from starting."""
    body = codec.encode(NIC).replace(b'"web-1"', b'"Web_1"')
    assert codec.decode("nics", body).id == "Web_1"
