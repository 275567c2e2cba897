"""Random small worlds for properties: hypothesis strategies of complete, consistent sets of intents."""

from __future__ import annotations

from hypothesis import strategies as st

from netctl.model.intent import Intent
from netctl.model.snapshot import Snapshot
from tests.intents import infra, nic, overlay, snapshot, vlan

SUBNETS = ("v10", "v20", "o1")


@st.composite
def worlds(draw: st.DrawFn) -> Snapshot:
    """A snapshot with some of three subnets and some of six NICs on them, each in one of a few shapes."""
    intents: list[Intent] = list(infra())
    present = draw(st.sets(st.sampled_from(SUBNETS)))
    shapes = {
        "v10": lambda: vlan("v10", 10, dhcp=draw(st.booleans())),
        "v20": lambda: vlan("v20", 20, dhcp=draw(st.booleans())),
        "o1": lambda: overlay("o1", vni=draw(st.sampled_from((5000, 6000)))),
    }
    intents += [shapes[name]() for name in sorted(present)]
    for number in range(6):
        subnet = draw(st.sampled_from((*SUBNETS, "")))
        if subnet in present:
            host = draw(st.sampled_from(("h1", "h2", "")))
            intents.append(nic(f"n{number}", subnet, number=number + 5, host=host))
    return snapshot(intents)
