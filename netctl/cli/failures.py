"""What goes wrong, as users see it: one line, the field, a hint, and an exit status that never changes its meaning."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import grpc

OK, REFUSED, USAGE, UNREACHABLE, NOT_FOUND, TIMED_OUT, DENIED = 0, 1, 2, 3, 4, 5, 6

EXIT_STATUSES = (
    (OK, "done"),
    (REFUSED, "a problem: the controller refused, or something is FAILED"),
    (USAGE, "the command line is wrong"),
    (UNREACHABLE, "the controller cannot be reached, or cannot answer now"),
    (NOT_FOUND, "what was named does not exist"),
    (TIMED_OUT, "waiting took longer than --timeout"),
    (DENIED, "`netctl policy test`: denied"),
)

_EXIT_OF_CODE = {
    "UNAVAILABLE": UNREACHABLE,
    "DEADLINE_EXCEEDED": UNREACHABLE,
    "NOT_FOUND": NOT_FOUND,
}
_HINT_OF_CODE = {
    "ABORTED": "somebody changed it meanwhile: read it again with `netctl get`, then repeat",
    "DEADLINE_EXCEEDED": "the controller is alive but slow; `netctl status` says what holds it up",
    "UNIMPLEMENTED": "this netctl and the controller are of different versions: see `netctl version`",
    "RESOURCE_EXHAUSTED": "free something, or enlarge the pool: `netctl describe` shows it",
}
# Fields whose errors say what to do themselves.
_TELLING = (".rules", ".addresses")
_DEPENDENTS_MAX = 20
# The controller answers, a host of it does not: ErrorInfo's reason.
_HOST_AWAY = "HOST_UNAVAILABLE"


class Failure(Exception):
    """A reason to stop: `exit_status` is one of EXIT_STATUSES, `code` a gRPC code's name or a word of ours.

    `dependents` are the resources that the server said are in the way.
    """

    def __init__(
        self,
        message: str,
        *,
        exit_status: int = REFUSED,
        code: str = "FAILED",
        field: str = "",
        hint: str = "",
    ) -> None:
        super().__init__(message)
        self.message = message
        self.exit_status = exit_status
        self.code = code
        self.field = field
        self.hint = hint
        self.place = ""
        self.dependents: tuple[str, ...] = ()

    @classmethod
    def usage(cls, message: str, *, hint: str = "") -> Failure:
        """Make a failure of the command line itself."""
        return cls(message, exit_status=USAGE, code="USAGE", hint=hint)

    def located(self, place: str) -> Failure:
        """Return the same failure with the place in a file where its cause stands."""
        failure = Failure(
            self.message, exit_status=self.exit_status, code=self.code, field=self.field, hint=self.hint
        )
        failure.place = place
        return failure

    def render_text(self) -> str:
        """Return the lines for people."""
        place = f"{self.place}: " if self.place else ""
        hint = f"\nhint: {self.hint}" if self.hint else ""
        if self.code == "INVALID_ARGUMENT" and self.field:  # these messages are predicates: "is empty"
            return f"error: {place}{self.field}: {self.message}{hint}"
        telling = self.field and self.field.rpartition(".")[2] != "name"
        return f"error: {place}{self.message}{f' (field {self.field})' if telling else ''}{hint}"

    def render_json(self) -> str:
        """Return one JSON object for programs."""
        error: dict[str, Any] = {"code": self.code, "message": self.message, "exit_status": self.exit_status}
        more = {"field": self.field, "place": self.place, "hint": self.hint}
        error |= {key: value for key, value in more.items() if value}
        return json.dumps({"error": error}, ensure_ascii=False)

    def report(self, *, as_json: bool) -> int:
        """Print to stderr; return the exit status."""
        print(self.render_json() if as_json else self.render_text(), file=sys.stderr)
        return self.exit_status


def from_rpc(error: grpc.RpcError) -> Failure:
    """Return what a gRPC error means, with the field and the dependents that its details name."""
    # Every error that a call raises is also its Call; the stubs' RpcError does not say so.
    call: Any = error
    code = call.code().name
    field, hint, dependents = _read_details(call)
    if code == "RESOURCE_EXHAUSTED" and not said_by_server(error):  # gRPC's own limit of a message
        hint = "the request is too large: apply it in several files; a security policy has at most 1000 rules"
    if code == "UNAVAILABLE" and is_of_a_host(error):
        return Failure(call.details(), code=_HOST_AWAY, hint="`netctl describe host` says what it said last")
    failure = Failure(
        call.details() or code,
        exit_status=_EXIT_OF_CODE.get(code, REFUSED),
        code=code,
        field=field,
        hint=hint or ("" if field.endswith(_TELLING) else _HINT_OF_CODE.get(code, "")),
    )
    failure.dependents = dependents
    return failure


def is_of_a_host(error: grpc.RpcError) -> bool:
    """Say whether the controller answered that a host does not: to ask again at once leads nowhere."""
    status = _find_status(error)
    if status is None:
        return False
    from google.rpc import error_details_pb2

    info = error_details_pb2.ErrorInfo()
    return any(detail.Unpack(info) and info.reason == _HOST_AWAY for detail in status.details)


def said_by_server(error: grpc.RpcError) -> bool:
    """Say whether the server itself answered with this error, rather than the connection failing."""
    return _find_status(error) is not None


def _find_status(call: Any) -> Any:
    from grpc_status import rpc_status

    try:
        return rpc_status.from_call(call)
    except ValueError:  # the trailer contradicts the code: not ours, so not to be believed
        return None


def _read_details(call: Any) -> tuple[str, str, tuple[str, ...]]:
    """Return the field, a hint, and who is in the way."""
    status = _find_status(call)
    if status is None:
        return "", "", ()
    from google.rpc import error_details_pb2

    bad, blocked = error_details_pb2.BadRequest(), error_details_pb2.PreconditionFailure()
    field = hint = ""
    names: tuple[str, ...] = ()
    for detail in status.details:
        if detail.Unpack(bad) and bad.field_violations:
            field = bad.field_violations[0].field
        elif detail.Unpack(blocked) and blocked.violations:
            names = tuple(violation.subject for violation in blocked.violations)
            if all(name in status.message for name in names):
                continue
            # The server names as many as fit a header; how many there are stands in its message.
            more = " and others" if len(names) > _DEPENDENTS_MAX else ""
            hint = f"first remove or change {', '.join(names[:_DEPENDENTS_MAX])}{more}"
    return field, hint, names
