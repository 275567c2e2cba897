"""What the VPC benchmarks ask for is what they say they ask for."""

from collections import Counter

from bench import vpc_layout


def test_a_vpc_has_what_the_issue_asks_for() -> None:
    kinds = Counter(resource.WhichOneof("resource") for resource in vpc_layout.resources_of(3))
    assert kinds == {"vpc": 1, "subnet": 10, "nic": 100, "route": 1, "floating_ip": 1, "routing_policy": 2}


def test_vpcs_share_networks_and_no_name() -> None:
    seen: set[str] = set()
    networks = []
    for number in (0, 1):
        resources = vpc_layout.resources_of(number)
        names = {getattr(resource, str(resource.WhichOneof("resource"))).name for resource in resources}
        assert len(names) == len(resources)
        assert not names & seen
        assert vpc_layout.nic_name(number) in names
        assert vpc_layout.route_name(number) in names
        assert all(name.split("/")[1].startswith(vpc_layout.name_of(number)) for name in names)
        seen |= names
        networks.append([resource.subnet.ipv4.cidr for resource in resources if resource.HasField("subnet")])
    assert networks[0] == networks[1]
    assert len(set(networks[0])) == vpc_layout.SUBNETS
