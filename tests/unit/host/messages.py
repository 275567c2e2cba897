"""The controller's side of an assignment, for tests: our values -> protobuf."""

from __future__ import annotations

from dataclasses import asdict

from google.protobuf.json_format import ParseDict
from netctl_host.assignment import Assignment

from netctl.v1 import agent_pb2


def to_proto(assignment: Assignment) -> agent_pb2.Assignment:
    """Return the message; the names are the same on both sides, so a field that differs is an error."""
    return ParseDict(asdict(assignment), agent_pb2.Assignment())
