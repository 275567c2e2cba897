"""cpu_models: the newest model that all hosts serve; a host that cannot serve one says which features it lacks."""

from __future__ import annotations

import pytest

from netctl.model.compute_report import CpuModel, HostCapacity
from netctl.scheduler.cpu_models import baseline_of, lacking_for
from tests.intents import cluster
from tests.machines import capacity, compute, view


def able(*names: str, vendor: str = "Intel", arch: str = "x86_64") -> HostCapacity:
    models = tuple(CpuModel(name=name, usable=True) for name in names)
    return capacity(cpu_models=models, cpu_vendor=vendor, arch=arch)


@pytest.mark.parametrize(
    ("names", "newest"),
    [
        (("qemu64", "Haswell", "Westmere"), "Haswell"),
        (("Haswell-noTSX", "Haswell", "Haswell-IBRS"), "Haswell-IBRS"),
        (("Skylake-Server-IBRS", "Cascadelake-Server", "Skylake-Client"), "Cascadelake-Server"),
        (("Icelake-Server", "SapphireRapids", "Cooperlake"), "SapphireRapids"),
        (("Nehalem", "kvm64", "486"), "Nehalem"),
        (("qemu64", "kvm64", "pentium3"), "kvm64"),
        (("Haswell", "Haswell-v2", "Haswell-v4"), "Haswell-v4"),
        (("EPYC-Rome", "qemu64"), "qemu64"),  # a host of another vendor
        (("Unheard-Of",), ""),
    ],
)
def test_the_newest_of_one_host(names: tuple[str, ...], newest: str) -> None:
    assert baseline_of([able(*names)]) == newest


def test_what_all_hosts_share() -> None:
    new = able("qemu64", "Nehalem", "Haswell", "Icelake-Server")
    old = able("qemu64", "Nehalem", "SandyBridge")
    assert baseline_of([new, new]) == "Icelake-Server"
    assert baseline_of([new, old]) == "Nehalem"
    assert baseline_of([old, new]) == "Nehalem"
    assert baseline_of([new, able("SandyBridge")]) == ""


def test_vendors_share_what_is_nobodys() -> None:
    intel = able("qemu64", "kvm64", "Haswell", "EPYC", vendor="GenuineIntel")
    amd = able("qemu64", "kvm64", "Haswell", "EPYC", vendor="AuthenticAMD")
    assert baseline_of([intel]) == "Haswell"
    assert baseline_of([amd]) == "EPYC"
    assert baseline_of([intel, amd]) == "kvm64"


def test_other_architectures_share_nothing() -> None:
    assert baseline_of([able("qemu64"), able("qemu64", arch="aarch64")]) == ""


def test_a_host_that_said_nothing_does_not_count() -> None:
    assert baseline_of([]) == ""
    assert baseline_of([able(), able("Haswell")]) == "Haswell"
    one = view(
        reports={
            "h1": compute("h1", cpu_models=able("Haswell").cpu_models),
            "h2": compute("h2", cpu_models=()),
        }
    )
    assert one.baseline(cluster().id) == "Haswell"
    assert one.baseline(cluster("c9").id) == ""


def test_one_that_is_not_usable_is_not_shared_and_its_features_are_named() -> None:
    poor = capacity(
        cpu_models=(
            CpuModel(name="Haswell", usable=False, missing_features=("hle", "rtm")),
            CpuModel(name="Nehalem", usable=True),
        )
    )
    assert baseline_of([poor, able("Haswell", "Nehalem")]) == "Nehalem"
    assert lacking_for("Haswell", poor) == "has a CPU without hle, rtm, which Haswell has"
    assert lacking_for("Nehalem", poor) == ""
    assert lacking_for("EPYC", poor) == "has a libvirt that does not know the CPU model EPYC"
