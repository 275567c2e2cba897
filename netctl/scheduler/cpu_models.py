"""CPU models that libvirt knows, oldest first, and the newest that all hosts of a cluster can serve.

In: what compute agents report of their hosts' CPUs; out: names of models. Source of the order: libvirt's cpu_map and
the generations of the vendors' processors. A model that is not in the table is nobody's baseline.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from netctl.model.compute_report import HostCapacity

INTEL, AMD, HYGON, ANY = "Intel", "AMD", "Hygon", ""
_VENDORS = {
    "genuineintel": INTEL,
    "intel": INTEL,
    "authenticamd": AMD,
    "amd": AMD,
    "hygongenuine": HYGON,
    "hygon": HYGON,
}
# Words of one line are of one generation, in the order of what they offer.
_GENERATIONS: dict[str, tuple[str, ...]] = {
    ANY: (
        "486 pentium pentium2 pentium3 pentiumpro",
        "qemu32 kvm32",
        "cpu64-rhel5 cpu64-rhel6 qemu64 kvm64",
    ),
    INTEL: (
        "coreduo n270 core2duo Conroe Penryn",
        "Nehalem Nehalem-IBRS",
        "Westmere Westmere-IBRS Snowridge",
        "SandyBridge SandyBridge-IBRS",
        "IvyBridge IvyBridge-IBRS",
        "Haswell-noTSX Haswell-noTSX-IBRS Haswell Haswell-IBRS",
        "Broadwell-noTSX Broadwell-noTSX-IBRS Broadwell Broadwell-IBRS",
        "Skylake-Client-noTSX-IBRS Skylake-Client Skylake-Client-IBRS",
        "Skylake-Server-noTSX-IBRS Skylake-Server Skylake-Server-IBRS",
        "Cascadelake-Server-noTSX Cascadelake-Server",
        "Cooperlake",
        "Icelake-Client-noTSX Icelake-Client",
        "Icelake-Server-noTSX Icelake-Server",
        "SapphireRapids",
        "GraniteRapids",
    ),
    AMD: (
        "athlon phenom",
        "Opteron_G1 Opteron_G2 Opteron_G3 Opteron_G4 Opteron_G5",
        "EPYC EPYC-IBPB",
        "EPYC-Rome",
        "EPYC-Milan",
        "EPYC-Genoa",
        "EPYC-Turin",
    ),
    HYGON: ("Dhyana",),
}
_ORDER: dict[str, tuple[str, int]] = {
    name: (vendor, place)
    for vendor, lines in _GENERATIONS.items()
    for place, name in enumerate(name for line in lines for name in line.split())
}
_VERSION = re.compile(r"-v(\d+)\Z")  # libvirt 10 and later: EPYC-Milan-v2


def vendor_of(capacity: HostCapacity) -> str:
    """Return a host's CPU vendor as libvirt spells it; "" where it is not one of the table."""
    return _VENDORS.get(capacity.cpu_vendor.lower(), ANY)


def baseline_of(capacities: Iterable[HostCapacity]) -> str:
    """Return the newest model usable on every host that said what it can; "" where there is none.

    Hosts of several vendors share what belongs to no vendor.
    """
    hosts = [capacity for capacity in capacities if capacity.cpu_models]
    if not hosts or len({host.arch for host in hosts}) > 1:
        return ""
    vendors = {vendor_of(host) for host in hosts}
    own = vendors.pop() if len(vendors) == 1 else ANY
    common = frozenset.intersection(*(usable_on(host) for host in hosts))
    known = [(_rank(name, own), name) for name in common]
    return max(((rank, name) for rank, name in known if rank is not None), default=(None, ""))[1]


def usable_on(capacity: HostCapacity) -> frozenset[str]:
    """Return the names of the models that a host can serve."""
    return frozenset(model.name for model in capacity.cpu_models if model.usable)


def lacking_for(model: str, capacity: HostCapacity) -> str:
    """Say why a host cannot serve a model, after "hosts/h2 "; "" when it can."""
    for one in capacity.cpu_models:
        if one.name == model:
            missing = ", ".join(one.missing_features) or "features that libvirt does not name"
            return "" if one.usable else f"has a CPU without {missing}, which {model} has"
    return f"has a libvirt that does not know the CPU model {model}"


def _rank(name: str, vendor: str) -> tuple[bool, int, int] | None:
    """Return how new a model is among those of a vendor and of none; None when it is neither or unknown."""
    version = _VERSION.search(name)
    place = _ORDER.get(name[: version.start()] if version else name)
    if place is None or place[0] not in (ANY, vendor):
        return None
    return place[0] != ANY, place[1], int(version[1]) if version else 0
