"""ControllerService: the state of the controller itself."""

from __future__ import annotations

from netctl.model import shape
from netctl.server.edge import Context
from netctl.server.ports import Ports
from netctl.server.writes import REASON_MAX, actor_of
from netctl.v1 import operations_pb2 as pb
from netctl.v1 import operations_pb2_grpc


class ControllerService(operations_pb2_grpc.ControllerServiceServicer):
    """State of the controller itself."""

    def __init__(self, ports: Ports) -> None:
        self._controller, self._intents = ports.controller, ports.intents

    async def GetController(
        self, request: pb.GetControllerRequest, context: Context
    ) -> pb.GetControllerResponse:
        """Return what is so now."""
        info = self._controller.info()
        return pb.GetControllerResponse(
            version=info.version,
            store_revision=self._intents.snapshot().revision,
            northbound_revision=info.northbound_revision,
            ready=info.ready,
            problems=info.problems,
            northbound_schema=info.northbound_schema,
            northd_version=info.northd_version,
            passes=info.passes,
            rows_owned=info.rows_owned,
        )

    async def AllowMassDelete(
        self, request: pb.AllowMassDeleteRequest, context: Context
    ) -> pb.AllowMassDeleteResponse:
        """Let the next pass delete more rows than the guard allows."""
        shape.check_text("change_reason", request.change_reason, REASON_MAX)
        self._controller.allow_mass_delete(actor_of(context.peer()), request.change_reason)
        return pb.AllowMassDeleteResponse()
