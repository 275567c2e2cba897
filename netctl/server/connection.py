"""TestPolicy: from a request to a question, and the verdict as a message."""

from __future__ import annotations

import contextlib

from netctl.analysis.ends import End, Question, find_ends
from netctl.analysis.sentence import explain
from netctl.analysis.verdict import Evaluator
from netctl.compiler.observed import Observed
from netctl.errors import InvalidIntent, NotFound
from netctl.model import shape
from netctl.model.keys import Kind, NicId, check_id
from netctl.model.service import Service, check_service
from netctl.model.snapshot import Snapshot
from netctl.server.convert_security import service_from_proto
from netctl.server.convert_verdict import verdict_to_proto
from netctl.v1 import explain_pb2 as pb

_NICS = f"{Kind.NIC.value}/"


def answer_policy_test(
    snapshot: Snapshot, observed: Observed, request: pb.TestPolicyRequest
) -> pb.TestPolicyResponse:
    """Return whether one end may open a connection to the other; errors say what cannot be asked."""
    if request.ip_version not in (0, 4, 6):
        raise InvalidIntent("ip_version", f"{request.ip_version} is not 4 or 6, or 0 for whichever they have")
    evaluator = Evaluator(snapshot, observed)
    question = Question(
        source=_parse_end(snapshot, "source", request.source),
        destination=_parse_end(snapshot, "destination", request.destination),
        service=_parse_service(request),
        ip_version=request.ip_version,
    )
    ends = find_ends(evaluator, question)
    verdict = evaluator.verdict(ends.source, ends.destination, ends.packet)
    return verdict_to_proto(verdict, explain(snapshot, ends, verdict))


def _parse_service(request: pb.TestPolicyRequest) -> Service | None:
    if not request.HasField("service"):
        return None
    service = service_from_proto("service", request.service)
    check_service("service", service)
    return service


def _parse_end(snapshot: Snapshot, field: str, text: str) -> End:
    if not text.startswith(_NICS):
        with contextlib.suppress(InvalidIntent):
            return shape.canonical_any_address(field, text)
        raise InvalidIntent(
            field, f"{text[:80]!r} is neither a NIC nor a unicast address, e.g. nics/web-1 or 10.0.1.5"
        )
    id = text.removeprefix(_NICS)
    check_id(field, id)
    nic = snapshot.nic(NicId(id))
    if nic is None:
        raise NotFound(f"nics/{id} does not exist", field=field)
    return nic
