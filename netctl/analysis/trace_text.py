"""What ovn-trace prints, as values. Pure.

In: the text of `ovn-trace --no-friendly-names`, whose names are those of our rows in full (tried with OVN 23.03). Out:
the pipelines that the packet went through, each with the stages whose flows matched. What is indented below a multicast
is a pipeline like the others.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_PIPELINE = re.compile(
    r'\s*(?P<pipeline>ingress|egress)\(dp="(?P<datapath>[^"]*)", inport="(?P<inport>[^"]*)"'
    r'(?:, outport="(?P<outport>[^"]*)")?\)$'
)
_STAGE = re.compile(
    r"\s*\d+\. (?P<stage>\w+)(?: \([^)]*\))?: (?:(?P<match>.*), priority (?P<priority>\d+)(?:, uuid \w+)?|no match.*)$"
)
_OUTPUT = re.compile(r'/\* output to "(?P<port>[^"]*)", type "(?P<type>[^"]*)" \*/')


@dataclass(slots=True)
class Stage:
    """One stage's flow that matched, or none; `lines` are its actions and what ovn-trace remarked."""

    name: str
    match: str
    priority: int
    lines: list[str] = field(default_factory=list)

    @property
    def drops(self) -> bool:
        """Does the packet end here?"""
        return not self.match or "drop;" in self.lines

    def search(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """Return the first match in the actions."""
        return next((found for line in self.lines if (found := pattern.search(line))), None)


@dataclass(slots=True)
class Pipeline:
    """One pass through a switch or router; `datapath` is the uuid of its northbound row."""

    is_ingress: bool
    datapath: str
    inport: str
    outport: str
    stages: list[Stage] = field(default_factory=list)

    @property
    def outputs(self) -> list[tuple[str, str]]:
        """Name and type of the ports that the packet left by."""
        lines = (line for stage in self.stages for line in stage.lines)
        return [(found["port"], found["type"]) for line in lines if (found := _OUTPUT.search(line))]


def parse_trace(text: str) -> list[Pipeline]:
    """Return the pipelines in the packet's order."""
    pipelines: list[Pipeline] = []
    for line in text.splitlines():
        if found := _PIPELINE.match(line):
            pipelines.append(
                Pipeline(
                    is_ingress=found["pipeline"] == "ingress",
                    datapath=found["datapath"],
                    inport=found["inport"],
                    outport=found["outport"] or "",
                )
            )
        elif pipelines and (found := _STAGE.match(line)):
            stage = Stage(found["stage"], found["match"] or "", int(found["priority"] or 0))
            pipelines[-1].stages.append(stage)
        elif pipelines and pipelines[-1].stages and line.strip():
            pipelines[-1].stages[-1].lines.append(line.strip())
    return pipelines
