"""The limit of a unary call: a grpc.aio server with netctl's own options that answers CreateNic with what it was asked.

`python -m bench.echo ADDRESS` is that server; `echo_server` runs it for a block.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc

from bench.controllers import channel_to
from netctl.server.serve import SERVER_OPTIONS
from netctl.v1 import network_pb2 as pb


async def _echo(request: pb.CreateNicRequest, context: object) -> pb.CreateNicResponse:
    return pb.CreateNicResponse(nic=request.nic)


@contextmanager
def echo_server(directory: Path) -> Iterator[tuple[str, int]]:
    """Run the server; return its address and process number."""
    address = f"unix:{directory}/echo.sock"
    process = subprocess.Popen([sys.executable, "-m", "bench.echo", address])
    try:
        with channel_to(address) as channel:
            grpc.channel_ready_future(channel).result(timeout=30)
        yield address, process.pid
    finally:
        process.terminate()
        process.wait(timeout=30)


async def _serve(address: str) -> None:
    server = grpc.aio.server(options=SERVER_OPTIONS)
    method = grpc.unary_unary_rpc_method_handler(
        _echo,
        request_deserializer=pb.CreateNicRequest.FromString,
        response_serializer=pb.CreateNicResponse.SerializeToString,
    )
    handler = grpc.method_handlers_generic_handler("netctl.v1.NicService", {"CreateNic": method})
    server.add_generic_rpc_handlers((handler,))
    server.add_insecure_port(address)
    await server.start()
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1]))
