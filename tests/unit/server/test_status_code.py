"""Every error has a code, and a client can read from the answer what to do."""

from __future__ import annotations

import grpc
import pytest
from google.rpc import error_details_pb2

import netctl.errors
from netctl.errors import InUse, InvalidIntent, NetctlError, NorthboundUnavailable, NotFound
from netctl.server.status_code import CODES, code_of, reason_of, status_of


def every_error() -> list[type[NetctlError]]:
    values = vars(netctl.errors).values()
    return [value for value in values if isinstance(value, type) and issubclass(value, NetctlError)]


@pytest.mark.parametrize("error", every_error())
def test_every_error_has_a_code(error: type[NetctlError]) -> None:
    assert error in CODES


def test_the_table_has_no_others() -> None:
    assert set(CODES) == set(every_error())
    assert grpc.StatusCode.OK not in CODES.values()


def test_clients_can_tell_who_must_act() -> None:
    """The codes that clients act on: ABORTED is read again and repeated, UNAVAILABLE repeated as it is."""
    codes = {error.__name__: code.name for error, code in CODES.items()}
    assert codes["Conflict"] == "ABORTED"
    assert codes["InUse"] == codes["Unsupported"] == "FAILED_PRECONDITION"
    assert codes["Exhausted"] == "RESOURCE_EXHAUSTED"
    assert codes["OutOfRange"] == "OUT_OF_RANGE"
    assert {code for error, code in codes.items() if error.endswith("Unavailable")} == {"UNAVAILABLE"}


def test_the_field_and_the_class_can_be_read() -> None:
    error = InvalidIntent("nic.ipv4_address", "10.0.1.5 is not in 10.0.0.0/24")
    status = status_of(error)
    assert code_of(error) is grpc.StatusCode.INVALID_ARGUMENT
    assert status.code == 3
    info, request = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    assert status.details[0].Unpack(info)
    assert status.details[1].Unpack(request)
    assert (info.reason, info.domain, dict(info.metadata)) == (
        "INVALID_INTENT",
        "netctl",
        {"field": "nic.ipv4_address"},
    )
    assert request.field_violations[0].field == "nic.ipv4_address"
    assert request.field_violations[0].description == error.message


def test_reasons_are_upper_snake() -> None:
    assert reason_of(NorthboundUnavailable("x")) == "NORTHBOUND_UNAVAILABLE"
    assert reason_of(InUse("x", dependents=(), total=0)) == "IN_USE"


def test_dependents_are_listed() -> None:
    status = status_of(InUse("in use", dependents=("nics/a", "nics/b"), total=250))
    failure, info = error_details_pb2.PreconditionFailure(), error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    assert status.details[-1].Unpack(failure)
    assert [violation.subject for violation in failure.violations] == ["nics/a", "nics/b"]
    assert info.metadata["dependents"] == "250"


@pytest.mark.parametrize("letter", ["x", "é", "😀"])
def test_an_answer_fits_into_the_metadata_that_clients_take(letter: str) -> None:
    names = tuple(f"nics/{letter * 60}{number}" for number in range(100))
    for error in (
        InUse(letter * 5000, dependents=names, total=10**6),
        NotFound(letter * 5000, field=letter * 5000),
    ):
        status = status_of(error)
        # grpc-message is percent-encoded, grpc-status-details-bin in base64.
        encoded = len(status.SerializeToString()) * 4 / 3 + len(status.message.encode()) * 3
        assert encoded < 8000
