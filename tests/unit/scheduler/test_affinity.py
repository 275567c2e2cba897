"""affinity: who is as a policy says, by where machines are."""

from __future__ import annotations

from dataclasses import replace

from netctl.model.affinity import AffinityKind, AffinityPolicy
from netctl.model.keys import AffinityPolicyId, CategoryId, HostId, VmId
from netctl.model.vm import PowerState
from netctl.scheduler.affinity import Compliance, compliance_of, hosts_of, partners_of
from tests.intents import host, snapshot
from tests.machines import machines, vm, waiting

WEB = CategoryId("web")
APART = AffinityPolicy(
    id=AffinityPolicyId("apart"), kind=AffinityKind.VM_ANTI_AFFINITY, vms=(VmId("a"),), vm_categories=(WEB,)
)
PIN = AffinityPolicy(
    id=AffinityPolicyId("pin"),
    kind=AffinityKind.VM_HOST,
    vm_categories=(WEB,),
    hosts=(HostId("h1"),),
    host_categories=(WEB,),
)


def test_those_together_on_one_host_are_not_compliant() -> None:
    alone, b, c = vm("a", on="h1"), vm("b", on="h2", categories=(WEB,)), vm("c", on="h2", categories=(WEB,))
    stranger = vm("d", on="h1")
    now = snapshot([*machines(2), APART, alone, b, c, stranger])
    assert compliance_of(APART, now) == Compliance(compliant=1, non_compliant=(VmId("b"), VmId("c")))
    off = snapshot([*machines(2), APART, alone, b, replace(c, power_state=PowerState.OFF)])
    assert compliance_of(APART, off) == Compliance(compliant=3)
    wait = snapshot([*machines(2), APART, alone, b, waiting("c", host=HostId("h2"), categories=(WEB,))])
    assert compliance_of(APART, wait) == Compliance(compliant=3)
    assert compliance_of(replace(APART, disabled=True), now) == Compliance(compliant=3)
    assert partners_of(b, now) == {"a", "c"}
    assert partners_of(stranger, now) == frozenset()


def test_those_on_other_hosts_are_not_compliant() -> None:
    third = replace(host("h3", number=3), categories=(WEB,))
    guests = [vm(name, on=f"h{i}", categories=(WEB,)) for i, name in enumerate("abc", start=1)]
    now = snapshot([*machines(3), third, PIN, *guests, vm("d", on="h2")])
    assert compliance_of(PIN, now) == Compliance(compliant=2, non_compliant=(VmId("b"),))
    assert hosts_of(PIN, now) == ["h1", "h3"]
