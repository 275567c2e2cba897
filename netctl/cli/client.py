"""Calls to the controller: a deadline on each, one retry policy, every error as a Failure.

A mutation carries its request_id, so repeating it after a lost connection has at most one effect.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable, Iterator
from threading import Event
from typing import TypeVar

import grpc
from google.protobuf.message import Message

from netctl.cli import address as addresses
from netctl.cli.failures import Failure, from_rpc, said_by_server
from netctl.v1 import operations_pb2 as operations

CALL_TIMEOUT_S = 30.0
# A controller restarts within this time; commands ride it out.
RETRY_FOR_S = 10.0
_PAUSE_S = 0.2
_OPTIONS = (
    ("grpc.max_receive_message_length", 64 << 20),  # a batch answers with up to 10000 resources
    ("grpc.enable_http_proxy", 0),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.keepalive_time_ms", 10_000),  # a watch notices that its controller vanished without a word
    ("grpc.keepalive_timeout_ms", 5_000),
)

M = TypeVar("M", bound=Message)
R = TypeVar("R", bound=Message)


def new_request_id() -> str:
    """Return an idempotency key for one mutation and its repetitions."""
    return str(uuid.uuid4())


class Client:
    """One channel to the controller, opened at the first call."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._channel: grpc.Channel | None = None

    def call(self, method: str, request: Message, answer: type[M], *, timeout_s: float = CALL_TIMEOUT_S) -> M:
        """Call `Service/Method`; repeat it while the connection is down, at most RETRY_FOR_S."""
        rpc = self._open().unary_unary(
            f"/netctl.v1.{method}",
            request_serializer=type(request).SerializeToString,
            response_deserializer=answer.FromString,
        )
        give_up = time.monotonic() + RETRY_FOR_S
        left_s, again = timeout_s, False
        while True:
            try:
                return rpc(request, timeout=left_s, wait_for_ready=again)
            except grpc.RpcError as error:
                left_s = give_up - time.monotonic()
                self._raise_unless_retried(error, left_s=left_s, again=again)
            again = True

    def watch(
        self, request: operations.WatchRequest, *, timeout_s: float | None = None, again: bool = False
    ) -> Iterator[operations.WatchResponse]:
        """Yield events until the connection ends, which raises grpc.RpcError: the caller knows how to resume."""
        method = "WatchService/Watch"
        return self.stream(method, request, operations.WatchResponse, timeout_s=timeout_s, again=again)

    def stream(
        self,
        method: str,
        request: Message,
        answer: type[M],
        *,
        timeout_s: float | None = None,
        again: bool = False,
    ) -> Iterator[M]:
        """Yield the answers of `Service/Method` until the connection ends, which raises grpc.RpcError.

        `again`: the connection was there a moment ago; wait for it to come back.
        """
        rpc = self._open().unary_stream(
            f"/netctl.v1.{method}",
            request_serializer=type(request).SerializeToString,
            response_deserializer=answer.FromString,
        )
        return iter(rpc(request, timeout=timeout_s, wait_for_ready=again))

    def upload(self, method: str, requests: Iterable[R], request: type[R], answer: type[M]) -> M:
        """Send a stream of requests, once: what broke off half-way is the caller's to send again."""
        rpc = self._open().stream_unary(
            f"/netctl.v1.{method}",
            request_serializer=request.SerializeToString,
            response_deserializer=answer.FromString,
        )
        try:
            return rpc(iter(requests))
        except grpc.RpcError as error:
            failure = from_rpc(error)
            raise self._gone(error, failure) if failure.code == "UNAVAILABLE" else failure from error

    def close(self) -> None:
        """Close the channel."""
        if self._channel is not None:
            self._channel.close()
            self._channel = None

    def _open(self) -> grpc.Channel:
        if self._channel is None:
            addresses.check_listening(self.address)
            self._channel = grpc.insecure_channel(self.address, options=_OPTIONS)
        return self._channel

    def _raise_unless_retried(self, error: grpc.RpcError, *, left_s: float, again: bool) -> None:
        """Return after a short pause when the call is to be repeated."""
        failure = from_rpc(error)
        if failure.code == "DEADLINE_EXCEEDED" and again:
            why = f"the connection broke and did not come back in {RETRY_FOR_S:g} s"
            raise addresses.unreachable(self.address, why)
        if failure.code != "UNAVAILABLE":
            raise failure from error
        if left_s <= _PAUSE_S:
            raise self._gone(error, failure) from error
        pause(_PAUSE_S)

    def _gone(self, error: grpc.RpcError, failure: Failure) -> Failure:
        return failure if said_by_server(error) else addresses.unreachable(self.address, failure.message)


def pause(seconds: float) -> None:
    """Let a little time pass between two attempts."""
    Event().wait(seconds)
