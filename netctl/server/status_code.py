"""The one table from errors to gRPC codes, and what a client can read in an error besides its text.

Details travel as google.rpc.Status: ErrorInfo (reason: the error's class, domain `netctl`), BadRequest (the field),
PreconditionFailure (the dependents).
"""

from __future__ import annotations

import re

import grpc
from google.rpc import code_pb2, error_details_pb2, status_pb2

from netctl.errors import (
    AlreadyExists,
    Conflict,
    Exhausted,
    Forbidden,
    HostUnavailable,
    InUse,
    InvalidIntent,
    NetctlError,
    NorthboundUnavailable,
    NotFound,
    OutOfRange,
    Rejected,
    SouthboundUnavailable,
    StoreUnavailable,
    Unavailable,
    Unsupported,
)

DOMAIN = "netctl"
CODES: dict[type[NetctlError], grpc.StatusCode] = {
    NetctlError: grpc.StatusCode.INTERNAL,
    InvalidIntent: grpc.StatusCode.INVALID_ARGUMENT,
    NotFound: grpc.StatusCode.NOT_FOUND,
    AlreadyExists: grpc.StatusCode.ALREADY_EXISTS,
    InUse: grpc.StatusCode.FAILED_PRECONDITION,
    Unsupported: grpc.StatusCode.FAILED_PRECONDITION,
    Exhausted: grpc.StatusCode.RESOURCE_EXHAUSTED,
    Forbidden: grpc.StatusCode.PERMISSION_DENIED,
    Conflict: grpc.StatusCode.ABORTED,
    OutOfRange: grpc.StatusCode.OUT_OF_RANGE,
    Unavailable: grpc.StatusCode.UNAVAILABLE,
    StoreUnavailable: grpc.StatusCode.UNAVAILABLE,
    NorthboundUnavailable: grpc.StatusCode.UNAVAILABLE,
    SouthboundUnavailable: grpc.StatusCode.UNAVAILABLE,
    HostUnavailable: grpc.StatusCode.UNAVAILABLE,
    Rejected: grpc.StatusCode.INTERNAL,
}

# Clients take 8 KiB of metadata. The text travels twice, once percent-encoded, and the details in base64.
_MESSAGE_MAX_BYTES = 1024
_DESCRIPTION_MAX_BYTES = 512
_DEPENDENTS_MAX_BYTES = 1536


def code_of(error: NetctlError) -> grpc.StatusCode:
    """Return an error's gRPC code."""
    return CODES[type(error)]


def status_of(error: NetctlError) -> status_pb2.Status:
    """Return what is answered for an error."""
    name = code_of(error).name
    status = status_pb2.Status(
        code=code_pb2.Code.Value(name), message=_cut(error.message, _MESSAGE_MAX_BYTES)
    )
    info = error_details_pb2.ErrorInfo(reason=reason_of(error), domain=DOMAIN)
    if error.field:
        info.metadata["field"] = _cut(error.field, 200)
    if isinstance(error, InUse):
        info.metadata["dependents"] = str(error.total)
    status.details.add().Pack(info)
    if error.field:
        request = error_details_pb2.BadRequest()
        description = _cut(error.message, _DESCRIPTION_MAX_BYTES)
        request.field_violations.add(field=_cut(error.field, 200), description=description)
        status.details.add().Pack(request)
    if isinstance(error, InUse):
        status.details.add().Pack(_dependents(error))
    return status


def reason_of(error: NetctlError) -> str:
    """Return the name of an error's class as ErrorInfo spells it: INVALID_INTENT."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type(error).__name__).upper()


def _dependents(error: InUse) -> error_details_pb2.PreconditionFailure:
    failure = error_details_pb2.PreconditionFailure()
    for name in error.dependents:
        if failure.ByteSize() > _DEPENDENTS_MAX_BYTES:
            break
        failure.violations.add(type="IN_USE", subject=name)
    return failure


def _cut(text: str, limit: int) -> str:
    raw = text.encode()
    if len(raw) <= limit:
        return text
    return raw[: limit - 3].decode(errors="ignore") + "..."
