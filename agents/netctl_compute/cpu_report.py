"""libvirt's domain capabilities -> which CPU models this host can give to guests, and what it lacks for the others.

The features that the host can give are those of `host-model`: a model that libvirt knows, with some more and without
some. What a model consists of is in libvirt's own map. Sources: formatdomaincaps.html, /usr/share/libvirt/cpu_map.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from xml.etree import ElementTree

from netctl_compute.reported import CpuModel

CPU_MAP = Path("/usr/share/libvirt/cpu_map")
_MAP_PREFIXES = {"x86_64": "x86", "i686": "x86"}


@dataclass(frozen=True, slots=True, kw_only=True)
class HostCpu:
    """What guests of this host can have; `secure_loader`, `vtpm`: libvirt can give them."""

    arch: str = ""
    vendor: str = ""
    models: tuple[CpuModel, ...] = ()
    secure_loader: bool = False
    vtpm: bool = False


@lru_cache(maxsize=4)
def parse_capabilities(xml: str, cpu_map: Path = CPU_MAP) -> HostCpu:
    """Read the domain capabilities of the machine type q35; the other one has no Secure Boot."""
    root = ElementTree.fromstring(xml)
    arch = root.findtext("arch", "")
    known = read_cpu_map(cpu_map, _MAP_PREFIXES.get(arch, arch))
    host = root.find("cpu/mode[@name='host-model']")
    features = _host_features(host, known) if host is not None else frozenset()
    return HostCpu(
        arch=arch,
        vendor=host.findtext("vendor", "") if host is not None else "",
        models=tuple(
            _model(element, known, features)
            for element in root.iterfind("cpu/mode[@name='custom'][@supported='yes']/model")
        ),
        secure_loader=_offers(root, "os/loader/enum[@name='secure']", "yes"),
        vtpm=_offers(root, "devices/tpm[@supported='yes']/enum[@name='backendModel']", "emulator"),
    )


@lru_cache(maxsize=4)
def read_cpu_map(directory: Path, prefix: str) -> Mapping[str, frozenset[str]]:
    """Return the features of each CPU model that libvirt knows; nothing where its map is not installed."""
    models: dict[str, ElementTree.Element] = {}
    for path in sorted(directory.glob(f"{prefix}_*.xml")):
        for model in ElementTree.parse(path).getroot().iterfind("model"):
            models[model.get("name", "")] = model
    return {name: _own_and_inherited(name, models) for name in models}


def _own_and_inherited(name: str, models: Mapping[str, ElementTree.Element]) -> frozenset[str]:
    features: set[str] = set()
    seen: set[str] = set()
    rest = [name]
    while rest:
        model = models.get(rest.pop())
        if model is None or model.get("name", "") in seen:
            continue
        seen.add(model.get("name", ""))
        features |= {feature.get("name", "") for feature in model.iterfind("feature")}
        rest += [base.get("name", "") for base in model.iterfind("model")]
    return frozenset(features)


def _host_features(host: ElementTree.Element, known: Mapping[str, frozenset[str]]) -> frozenset[str]:
    features = set(known.get(host.findtext("model", ""), ()))
    for feature in host.iterfind("feature"):
        change = features.discard if feature.get("policy") == "disable" else features.add
        change(feature.get("name", ""))
    return frozenset(features)


def _model(
    element: ElementTree.Element, known: Mapping[str, frozenset[str]], features: frozenset[str]
) -> CpuModel:
    name = element.text or ""
    usable = element.get("usable") == "yes"
    lacking = () if usable else tuple(sorted(known.get(name, frozenset()) - features))
    return CpuModel(name=name, usable=usable, missing_features=lacking if features else ())


def _offers(root: ElementTree.Element, path: str, value: str) -> bool:
    return any(each.text == value for each in root.iterfind(f"{path}/value"))
