"""The probe of a session: who is silent is asked before he is given up, however late we come to ask."""

import socket
from pathlib import Path

import pytest

from netctl.errors import NorthboundUnavailable
from netctl.ovsdb.session import Session

PROBE_S = 5.0


def test_a_peer_is_asked_before_it_is_given_up(tmp_path: Path) -> None:
    path = str(tmp_path / "peer.sock")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        session = Session(f"unix:{path}", 0.0)
        session.run(0.0)
        peer, _ = listener.accept()
        with peer:
            assert session.probe(1.0, PROBE_S, 0.0) == 4.0
            # We were busy for half a minute, and nobody was asked anything.
            assert session.probe(31.0, PROBE_S, 0.0) == PROBE_S
            assert b'"echo"' in peer.recv(4096)
            assert session.probe(33.0, PROBE_S, 0.0) == 3.0
            with pytest.raises(NorthboundUnavailable, match="silent for 36 s"):
                session.probe(36.0, PROBE_S, 0.0)
        session.close()
