"""One JSON-RPC connection over an ovs stream: bytes out, documents in, and the probe that finds a dead peer.

Comes in: documents to send. Goes out: documents received. Owns: the socket. Belongs to one thread. Never blocks.
This is the only importer of `ovs`, whose streams know unix:, tcp: and ssl: remotes.
"""

from __future__ import annotations

import errno
import os
import select
import ssl
from typing import Any

import orjson
import ovs.stream

from netctl.errors import NorthboundUnavailable
from netctl.ovsdb.framing import Framer, Json

_RECEIVE_BYTES = 1 << 18
_ECHO_ID = "echo"  # what python-ovs calls its probes; calls have numbers


def use_certificates(private_key: str, certificate: str, ca_certificate: str) -> None:
    """Set the files for ssl: remotes; ovs keeps them for the whole process."""
    ovs.stream.Stream.ssl_set_private_key_file(private_key)
    ovs.stream.Stream.ssl_set_certificate_file(certificate)
    ovs.stream.Stream.ssl_set_ca_cert_file(ca_certificate)


class Session:
    """A connection; every method raises NorthboundUnavailable when it is lost."""

    def __init__(self, remote: str, now: float) -> None:
        self.remote = remote
        self.connected = False
        self.silent = False  # given up by `probe`
        self._heard = now
        self._asked: float | None = None  # when `probe` asked last, since the peer was heard
        self._out = bytearray()
        self._congested = False  # the peer has not yet taken what we sent before
        self._framer = Framer()
        self._stream = self._open()

    def _open(self) -> Any:
        try:
            error, stream = ovs.stream.Stream.open(self.remote)
        except (
            OSError,
            ssl.SSLError,
            ValueError,
            TypeError,
        ) as failure:  # TypeError: ssl: without certificates
            raise NorthboundUnavailable(f"{self.remote}: {failure or type(failure).__name__}") from failure
        if error or stream is None:
            raise NorthboundUnavailable(f"{self.remote}: {os.strerror(error)}")
        return stream

    def fileno(self) -> int:
        """File descriptor to poll."""
        return int(self._stream.socket.fileno())

    def events(self) -> int:
        """What to poll for."""
        if not self.connected:
            return (
                select.POLLIN if self._reached() else select.POLLOUT
            )  # reached: TLS waits for the peer's part
        return select.POLLIN | (select.POLLOUT if self._out else 0)

    def send(self, document: bytes) -> None:
        """Queue a document; `run` sends it."""
        self._out += document

    def run(self, now: float) -> list[Json]:
        """Send and receive what can be; return the documents received, requests of the peer answered."""
        if not self.connected and not self._finish_connect(now):
            return []
        self._flush(now)
        documents = self._receive(now)
        calls = [document for document in documents if document.get("method") == "echo"]
        for call in calls:
            reply = {"id": call.get("id"), "result": call.get("params", []), "error": None}
            self.send(orjson.dumps(reply))
        self._flush(now)
        if not calls:
            return documents
        return [document for document in documents if document.get("method") != "echo"]

    def probe(self, now: float, probe_s: float, patient_until: float) -> float:
        """Ask a peer that was silent for `probe_s` for an echo; return seconds until the next look.

        Raises when it stays silent as long again, but not before `patient_until`: a server at work on a large
        transaction, or on the first rows of a large database, answers nothing else. One who was busy himself
        for longer than all that, with the rows of a large database, asks before he gives up.
        """
        idle_s = now - self._heard
        if idle_s < probe_s:
            return probe_s - idle_s
        asked = now if self._asked is None else self._asked
        last_s = max(asked + probe_s - now, patient_until - now)
        if last_s <= 0 or not self.connected:
            self.silent = True
            raise NorthboundUnavailable(f"{self.remote}: silent for {idle_s:.0f} s")
        if self._asked is None:
            self._asked = now
            self.send(orjson.dumps({"id": _ECHO_ID, "method": "echo", "params": []}))
            self._flush(now)
        return last_s

    def close(self) -> None:
        """Close the socket."""
        self._stream.close()

    def _finish_connect(self, now: float) -> bool:
        try:
            error = self._stream.connect()
        except (OSError, ValueError) as failure:
            raise NorthboundUnavailable(f"{self.remote}: {failure}") from failure
        if error == errno.EAGAIN:
            return False
        if error:
            raise NorthboundUnavailable(f"{self.remote}: {os.strerror(error)}")
        self.connected = True
        self._heard = now
        return True

    def _reached(self) -> bool:
        try:
            self._stream.socket.getpeername()
        except OSError:
            return False
        return True

    def _flush(self, now: float) -> None:
        if not self._out:
            return
        sent = 0
        with memoryview(self._out) as rest:
            while sent < len(rest):
                count = self._stream.send(rest[sent:])
                if count == -errno.EAGAIN:
                    break
                if count < 0:
                    raise NorthboundUnavailable(f"{self.remote}: {os.strerror(-count)}")
                sent += count
        if sent and self._congested:
            self._heard = now  # it takes what it would not take before: alive, if slow
        del self._out[:sent]
        self._congested = bool(self._out)

    def _receive(self, now: float) -> list[Json]:
        documents: list[Json] = []
        while True:
            error, data = self._stream.recv(_RECEIVE_BYTES)
            if error == errno.EAGAIN:
                return documents
            if error:
                raise NorthboundUnavailable(f"{self.remote}: {os.strerror(error)}")
            if not data:
                raise NorthboundUnavailable(f"{self.remote}: closed by the server")
            self._heard, self._asked = now, None
            try:
                documents += self._framer.feed(data)
            except ValueError as failure:
                raise NorthboundUnavailable(f"{self.remote}: not JSON-RPC: {failure}") from failure
