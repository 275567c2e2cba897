"""A mutation whose answer was lost is repeated with the same idempotency key."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest

from netctl.cli.main import main
from netctl.v1 import network_pb2


class ForgetfulServer(grpc.GenericRpcHandler):
    """Breaks off the first call, whatever it did; answers the second. Keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[network_pb2.CreateNicRequest] = []

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        return grpc.unary_unary_rpc_method_handler(
            self._answer,
            request_deserializer=network_pb2.CreateNicRequest.FromString,
            response_serializer=network_pb2.CreateNicResponse.SerializeToString,
        )

    def _answer(
        self, request: network_pb2.CreateNicRequest, context: grpc.ServicerContext
    ) -> network_pb2.CreateNicResponse:
        self.asked.append(request)
        if len(self.asked) == 1:
            context.abort(grpc.StatusCode.UNAVAILABLE, "Socket closed")
        return network_pb2.CreateNicResponse(nic=request.nic)


def test_a_lost_answer_is_asked_for_again_with_the_same_id(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    handler = ForgetfulServer()
    monkeypatch.setenv("NETCTL_SERVER", f"unix:{tmp_path}/s.sock")
    with ThreadPoolExecutor(max_workers=2) as pool:
        server = grpc.server(pool, handlers=[handler])
        server.add_insecure_port(f"unix:{tmp_path}/s.sock")
        server.start()
        try:
            assert main(["create", "nic", "a", "--subnet", "web"]) == 0
        finally:
            server.stop(None).wait()
    assert capsys.readouterr().out == "created    nics/a\n"
    first, second = handler.asked
    assert first.request_id
    assert first == second
