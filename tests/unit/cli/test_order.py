"""The order of a batch: every edit finds what it needs, whatever the order of the documents."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from netctl.cli.order import Step, circle_through, in_order


def step(name: str, *needs: str, leaves: tuple[str, ...] = (), certain: bool = False) -> Step:
    return Step(
        name=name,
        message=name.split("-")[0],
        needs=frozenset(needs),
        leaves=frozenset(leaves),
        is_certain=certain,
    )


def gone(name: str, *needs: str) -> Step:
    return Step(name=name, message=name.split("-")[0], is_removal=True, needs=frozenset(needs))


SITE = (
    step("Cluster"),
    step("VirtualSwitch", "Cluster"),
    step("Host", "Cluster", "VirtualSwitch"),
    step("Subnet-backbone", "VirtualSwitch"),
    step("Vpc-hub", "Subnet-backbone"),
    step("Subnet-exchange", "Vpc-hub", "Cluster"),
    step("Vpc-green", "Subnet-exchange"),
    step("Vpc-gold", "Subnet-exchange"),
    step("Subnet-green", "Vpc-green", "Cluster"),
    step("AddressReservation", "Subnet-green"),
    step("Nic", "Subnet-green", "Host"),
    step("FloatingIp", "Subnet-exchange", "Nic"),
    step("Route", "Vpc-green", "Subnet-exchange"),
    step("RoutingPolicy", "Vpc-green"),
)


def names(steps: list[Step]) -> list[str]:
    return [("-" if one.is_removal else "+") + one.name for one in steps]


@given(st.permutations(SITE))
def test_what_is_referred_to_is_made_first(steps: list[Step]) -> None:
    done: set[str] = set()
    order = in_order(steps)
    for one in order:
        assert one.needs <= done, names(order)
        done.add(one.name)
    assert done == {one.name for one in SITE}
    kinds = [one.message for one in order]
    assert kinds[-5:] == ["AddressReservation", "Nic", "FloatingIp", "Route", "RoutingPolicy"]


@given(st.permutations([gone(one.name, *one.needs) for one in SITE]))
def test_what_refers_goes_first(steps: list[Step]) -> None:
    left = {one.name: one for one in SITE}
    order = in_order(steps)
    for one in order:
        assert not [other.name for other in left.values() if one.name in other.needs], names(order)
        del left[one.name]
    assert not left


def test_what_goes_is_left_first_and_frees_what_it_held() -> None:
    steps = [
        step("Vpc-blue", "Subnet-new", leaves=("Subnet-old",)),
        step("Subnet-new"),
        gone("Subnet-old"),
        gone("Nic-old", "Subnet-web"),
        step("Nic-new", "Subnet-web"),
        gone("Host-old"),
        step("Nic-moved", "Host-new", leaves=("Host-old",)),
        step("Host-new"),
    ]
    assert names(in_order(steps)) == [
        "-Nic-old",
        "+Host-new",
        "+Subnet-new",
        "+Vpc-blue",
        "-Subnet-old",
        "+Nic-new",
        "+Nic-moved",
        "-Host-old",
    ]


def test_who_asks_for_an_address_goes_before_who_takes_any() -> None:
    steps = [step("Nic-any"), step("Nic-certain", certain=True), step("Nic-other")]
    assert names(in_order(steps)) == ["+Nic-certain", "+Nic-any", "+Nic-other"]


def test_a_circle_is_left_to_the_server() -> None:
    steps = [
        step("Vpc-a", "Subnet-b"),
        step("Subnet-b", "Vpc-a"),
        step("Nic-n", "Subnet-b"),
        step("Cluster"),
    ]
    assert names(in_order(steps)) == ["+Cluster", "+Vpc-a", "+Subnet-b", "+Nic-n"]


def test_a_resource_that_names_itself_is_no_circle() -> None:
    assert names(in_order([step("Vpc-a", "Vpc-a", leaves=("Vpc-a",))])) == ["+Vpc-a"]


def test_an_edit_can_be_told_to_wait() -> None:
    steps = [replace(gone("Nic-fw"), after=frozenset({"RoutingPolicy-p", "gone"})), step("RoutingPolicy-p")]
    assert names(in_order(steps)) == ["+RoutingPolicy-p", "-Nic-fw"]


def test_the_way_round_a_circle_is_told() -> None:
    circle = (step("EntityGroup-a", "EntityGroup-b"), step("EntityGroup-b", "Category", "EntityGroup-c"))
    steps = [*circle, step("EntityGroup-c", "EntityGroup-b", "EntityGroup-a"), step("Category")]
    assert circle_through(steps, "EntityGroup-a") == [f"EntityGroup-{it}" for it in "abca"]
    assert circle_through(steps, "EntityGroup-b") == [f"EntityGroup-{it}" for it in "bcb"]
    assert circle_through(steps, "Category") == []
    assert circle_through([step("EntityGroup-a", "EntityGroup-a")], "EntityGroup-a") == ["EntityGroup-a"] * 2
    assert circle_through([circle[0], gone("EntityGroup-b", "EntityGroup-a")], "EntityGroup-a") == []
