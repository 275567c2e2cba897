"""ComputeAgentService: one stream for each host's compute agent, and the bytes of images both ways.

Whole reports in, whole assignments out; secrets are opened as they are sent. The book of assignments gives the same
object as long as there is nothing to tell: another one is sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from netctl.errors import InvalidIntent, NetctlError, NotFound, Unavailable
from netctl.model.compute_assignment import ComputeAssignment
from netctl.model.image import Image
from netctl.model.keys import ImageId, Kind, check_id
from netctl.server.agents import SILENCE_MAX_S
from netctl.server.convert_compute_assignment import compute_assignment_to_proto
from netctl.server.convert_compute_report import compute_report_from_proto
from netctl.server.edge import Context
from netctl.server.host_stream import HostStream, HostStreams
from netctl.server.image_intake import Intake
from netctl.server.ports import ComputeAssignments, Ports
from netctl.server.wakes import LoopWake
from netctl.server.writes import actor_of
from netctl.v1 import agent_compute_pb2 as pb
from netctl.v1 import agent_compute_pb2_grpc

CHUNK_BYTES = 1 << 20
_Stream = HostStream[ComputeAssignment]


class ComputeAgentService(agent_compute_pb2_grpc.ComputeAgentServiceServicer):
    """Every compute agent holds one stream."""

    def __init__(self, ports: Ports, intake: Intake) -> None:
        """Begin; needs the running event loop."""
        self._reports, self._seal, self._intents = ports.compute_reports, ports.seal, ports.intents
        self._assignments, self._intake, self._images = ports.compute_assignments, intake, ports.images
        self._streams: HostStreams[_Stream] = HostStreams("compute agent")
        self._wake = LoopWake(self._look)
        if self._assignments is not None:
            self._assignments.on_assignment_change(self._wake)

    def close(self) -> None:
        """End all streams; the agents connect again."""
        self._wake.close()
        self._streams.close()

    async def Connect(
        self, request_iterator: AsyncIterator[pb.ComputeAgentServiceConnectRequest], context: Context
    ) -> AsyncIterator[pb.ComputeAgentServiceConnectResponse]:
        """Hear a host's reports, send its assignments."""
        first = await anext(request_iterator, None)
        if first is None:
            return
        report = compute_report_from_proto(first.report)
        stream: _Stream = HostStream(report.host)
        stream.offer(self._book().assignment(report.host))
        if stream.error is not None:
            raise stream.error
        self._streams.enter(stream, context.peer())
        reading = asyncio.create_task(self._read(request_iterator, stream))
        reading.add_done_callback(stream.heard_all)
        try:
            self._reports.note_report(report)
            sent: ComputeAssignment | None = None
            while not stream.ended:
                stream.flag.clear()
                newest = stream.newest
                if newest is not None and newest is not sent:
                    message = compute_assignment_to_proto(newest, self._seal)
                    yield pb.ComputeAgentServiceConnectResponse(assignment=message)
                    sent = newest
                    continue
                await stream.flag.wait()
            if stream.error is not None:
                raise stream.error
        finally:
            reading.cancel()
            if self._streams.leave(stream):
                self._reports.note_disconnect(stream.host)

    async def _read(
        self, requests: AsyncIterator[pb.ComputeAgentServiceConnectRequest], stream: _Stream
    ) -> None:
        try:
            while True:
                async with asyncio.timeout(SILENCE_MAX_S):
                    request = await anext(requests, None)
                if request is None:
                    return
                report = compute_report_from_proto(request.report)
                if report.host != stream.host:
                    raise InvalidIntent(
                        "report.host_id", f"was {stream.host} before; one stream is for one host"
                    )
                if not stream.ended:
                    self._reports.note_report(report)
        except TimeoutError:
            stream.end(Unavailable(f"no report for {SILENCE_MAX_S:g} s; connect again"))
        except NetctlError as error:
            stream.end(error)

    async def _look(self) -> None:
        for stream in self._streams:
            stream.offer(self._book().assignment(stream.host))
            await asyncio.sleep(0)

    def _book(self) -> ComputeAssignments:
        if self._assignments is None:
            raise Unavailable("this controller makes no compute assignments")
        return self._assignments

    async def ReadImage(
        self, request: pb.ReadImageRequest, context: Context
    ) -> AsyncIterator[pb.ReadImageResponse]:
        """Send the bytes of an image, from an offset on."""
        image = self._image(request.image_id)
        if not image.is_stored:
            raise Unavailable(f"images/{image.id} is not stored yet; try again when it is")
        if not 0 <= request.offset <= image.stored_bytes:
            raise InvalidIntent("offset", f"{request.offset} is outside 0 to {image.stored_bytes}")
        file = await asyncio.to_thread(self._images.open, image.meta.uid)
        try:
            await asyncio.to_thread(file.seek, request.offset)
            while data := await asyncio.to_thread(file.read, CHUNK_BYTES):
                yield pb.ReadImageResponse(data=data, total_bytes=image.stored_bytes)
        finally:
            file.close()

    async def WriteImage(
        self, request_iterator: AsyncIterator[pb.WriteImageRequest], context: Context
    ) -> pb.WriteImageResponse:
        """Take the bytes of an image that a host made of a disk."""
        first = await anext(request_iterator, None)
        if first is None:
            raise InvalidIntent("image_id", "is empty; the first message names the image")
        image = self._image(first.image_id)
        if not image.source_vm:
            raise InvalidIntent("image_id", f"images/{image.id} is not made of a disk")
        stored = await self._intake.take(image, _data(first, request_iterator), actor_of(context.peer()))
        return pb.WriteImageResponse(sha256=stored.sha256)

    def _image(self, id: str) -> Image:
        check_id("image_id", id)
        image = self._intents.snapshot().get((Kind.IMAGE, ImageId(id)))
        if not isinstance(image, Image):
            raise NotFound(f"images/{id} does not exist", field="image_id")
        return image


async def _data(
    first: pb.WriteImageRequest, others: AsyncIterator[pb.WriteImageRequest]
) -> AsyncIterator[bytes]:
    yield first.data
    async for request in others:
        yield request.data
