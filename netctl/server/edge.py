"""The edge of every call of ours: malformed bytes and errors of the house become clean gRPC answers.

In: handlers of netctl's services; out: the same handlers, which answer INVALID_ARGUMENT to bytes that are no message
and the code of `status_code.py` to a NetctlError. Any other exception is our bug: grpc answers UNKNOWN and logs it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import grpc
from google.protobuf.message import DecodeError

from netctl.errors import InvalidIntent, NetctlError
from netctl.server.status_code import code_of, status_of

# Quoted: these classes take parameters only in the eyes of mypy.
Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
_Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
_OURS = "/netctl."
_GONE_S = 0.2
_DETAILS = "grpc-status-details-bin"


@dataclass(frozen=True, slots=True)
class Malformed:
    """Takes the place of a request whose bytes are no message: raising while parsing would answer UNKNOWN."""

    reason: str


class Edge(grpc.aio.ServerInterceptor):
    """Wraps each handler once."""

    def __init__(self) -> None:
        self._wrapped: dict[str, _Handler] = {}

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """Return the handler to use for a call."""
        method = handler_call_details.method
        wrapped = self._wrapped.get(method)
        if wrapped is None:
            handler = await continuation(handler_call_details)
            if handler is None or not method.startswith(_OURS):
                return handler
            wrapped = self._wrapped[method] = _wrap(handler)
        return wrapped


def _wrap(handler: Any) -> _Handler:
    deserializer = _parser(handler.request_deserializer)
    serializer = handler.response_serializer
    if handler.unary_unary is not None:
        return grpc.unary_unary_rpc_method_handler(_unary(handler.unary_unary), deserializer, serializer)
    if handler.unary_stream is not None:
        return grpc.unary_stream_rpc_method_handler(_stream(handler.unary_stream), deserializer, serializer)
    if handler.stream_unary is not None:
        return grpc.stream_unary_rpc_method_handler(_taken(handler.stream_unary), deserializer, serializer)
    return grpc.stream_stream_rpc_method_handler(_streams(handler.stream_stream), deserializer, serializer)


def _parser(parse: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    def parse_or_say(raw: bytes) -> Any:
        try:
            return parse(raw)
        except DecodeError as error:
            return Malformed(str(error))

    return parse_or_say


def _checked(request: Any) -> Any:
    if type(request) is Malformed:
        raise InvalidIntent("", f"the request cannot be read: {request.reason}")
    return request


def _unary(inner: Callable[[Any, Context], Awaitable[Any]]) -> Callable[[Any, Context], Awaitable[Any]]:
    async def answer(request: Any, context: Context) -> Any:
        try:
            return await inner(_checked(request), context)
        except NetctlError as error:
            await _refuse(context, error)

    return answer


def _stream(
    inner: Callable[[Any, Context], AsyncIterator[Any]],
) -> Callable[[Any, Context], AsyncIterator[Any]]:
    async def answer(request: Any, context: Context) -> AsyncIterator[Any]:
        try:
            # Closed with the call, not when the garbage collector finds it: what it owns ends with it.
            async with contextlib.aclosing(inner(_checked(request), context)) as replies:  # type: ignore[type-var]
                async for reply in replies:
                    yield reply
        except NetctlError as error:
            await _refuse(context, error)

    return answer


def _taken(
    inner: Callable[[AsyncIterator[Any], Context], Awaitable[Any]],
) -> Callable[[AsyncIterator[Any], Context], Awaitable[Any]]:
    async def whole(requests: AsyncIterator[Any]) -> AsyncIterator[Any]:
        async for request in _checked_all(requests):
            yield request
        # To gRPC a client that went away has sent all, too; that the call is cancelled is said a moment later.
        await asyncio.sleep(_GONE_S)

    async def answer(requests: AsyncIterator[Any], context: Context) -> Any:
        try:
            return await inner(whole(requests), context)
        except NetctlError as error:
            await _refuse(context, error)

    return answer


def _streams(
    inner: Callable[[Any, Context], AsyncIterator[Any]],
) -> Callable[[Any, Context], AsyncIterator[Any]]:
    return _stream(lambda requests, context: inner(_checked_all(requests), context))


async def _checked_all(requests: AsyncIterator[Any]) -> AsyncIterator[Any]:
    async for request in requests:
        yield _checked(request)


async def _refuse(context: Context, error: NetctlError) -> None:
    status = status_of(error)
    details = ((_DETAILS, status.SerializeToString()),)
    await context.abort(code_of(error), status.message, trailing_metadata=details)
