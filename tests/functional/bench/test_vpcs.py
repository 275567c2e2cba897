"""The VPC benchmark runs, what it counts is right, and every target finds the figures that it compares."""

from bench import vpcs
from bench.figures import judge


def test_one_vpc() -> None:
    figures = vpcs.run(sizes=(1,), repetitions=1)
    measured = {figure.way for figure in figures}
    for target in vpcs.TARGETS:
        assert {target.way, target.peer} <= measured | {""}
    assert len(judge(figures, vpcs.TARGETS)) == sum(not target.peer_size for target in vpcs.TARGETS)
