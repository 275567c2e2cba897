"""ServiceChains, the ports of br.nf and the pairs that work -> all flows of br.nf. Pure.

    0 where from   port and VLAN: reg0 the segment, reg1 the function it comes from (0: a guest, the network)
    1, 2 rules     from guests, to guests: reg2 the chain (0: none)
    3, 4 next hop  chain and where it comes from: copies, the next function, or on to the exit
    5, 6 exit      the segment's way to the network, to the guests

What is not said is dropped: a frame of a VLAN that is no segment's, of a function's side that may not send it, or of a
function that is not in its chain. A frame keeps its way: from a function's EGRESS it goes towards the network and from
INGRESS towards the guests, and only to functions further on (`chain_order.py`). A function that is in one chain of a
segment alone needs no rule to know it: what it rewrote still meets the functions behind it.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from netctl_host.assignment_chains import Chain, Function, Pair, Segment, ServiceChains
from netctl_host.chain_order import Served, serve
from netctl_host.plan_function_bridge import FUNCTION_BRIDGE, patch_name
from netctl_host.steering_match import Match, Way, matches

PROBE_MAC = "02:6e:66:70:72:01"
"""Source of the probes; no frame of it leaves br.nf."""

_RULES = {Way.OUT: 1, Way.IN: 2}
_HOPS = {Way.OUT: 3, Way.IN: 4}
_EXITS = {Way.OUT: 5, Way.IN: 6}
_REFUSED, _KNOWN, _FIRST_RULE = 300, 100, 60000
_NOTHING = "drop"


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What flows are made of: `ofports` of br.nf by name, `active` the ingress tap of each function's pair that works.

    `integration_bridge` names ovn-controller's patch ports.
    """

    chains: ServiceChains
    ofports: Mapping[str, int]
    active: Mapping[str, str]
    integration_bridge: str = "brAtlas"


@dataclass(frozen=True, slots=True)
class _Ports:
    """Of the pair that works; `out` is 0 of a function that gets copies."""

    into: int
    out: int = 0


def render_flows(site: Site) -> tuple[str, ...]:
    """Return the flows, as ovs-ofctl(8) reads them, each once."""
    return tuple(dict.fromkeys(_Writer(site).flows()))


def steering_problems(chains: ServiceChains) -> Iterator[str]:
    """Say what of the chains cannot be served."""
    yield from serve(chains).problems
    there: dict[tuple[str, int], Segment] = {}
    for segment in chains.segments:
        first = there.setdefault((segment.uplink_bridge, segment.vlan_id), segment)
        if first is not segment:
            yield (
                f"subnets/{segment.subnet_id} and subnets/{first.subnet_id} are both VLAN {segment.vlan_id} of"
                f" {segment.uplink_bridge}: the first is not steered"
            )
    for (bridge, subnet_id), chain_ids in sorted(_ambiguous(chains).items()):
        for id in sorted(chain_ids):
            yield (
                f"serviceChains/{id} has a function that serves this VLAN of another bridge than {bridge}, too:"
                f" what would pass it in subnets/{subnet_id} is dropped; use another function or VLAN id"
            )


def _ambiguous(chains: ServiceChains) -> Mapping[tuple[str, str], frozenset[str]]:
    """Return by segment (bridge, subnet) the chains that would mix two networks.

    A frame from a function says its VLAN alone. Where two bridges have that VLAN, the first segment has the function.
    """
    inline = {function.function_id for function in chains.functions if not function.tap}
    functions_of = {chain.chain_id: inline & set(chain.function_ids) for chain in chains.chains}
    owners: dict[tuple[str, int], str] = {}
    found = {}
    for segment in chains.segments:
        bridge, used = segment.uplink_bridge, {rule.chain_id for rule in segment.rules}
        mixing = frozenset(
            id
            for id in used
            if any(owners.get((f, segment.vlan_id), bridge) != bridge for f in functions_of.get(id, ()))
        )
        if mixing:
            found[bridge, segment.subnet_id] = mixing
        for id in used - mixing:
            owners.update({(function, segment.vlan_id): bridge for function in functions_of.get(id, ())})
    return found


class _Writer:
    """The flows of one site; numbers of segments, functions and chains are their places."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._served: Served = serve(site.chains)
        self._functions = {function.function_id: function for function in site.chains.functions}
        self._function_numbers = {id: at for at, id in enumerate(sorted(self._functions), 1)}
        self._chain_numbers = {id: at for at, id in enumerate(sorted(self._served.chains), 1)}
        self._conjunctions = itertools.count(1)
        first: dict[tuple[str, int], Segment] = {}
        for segment in site.chains.segments:
            first.setdefault((segment.uplink_bridge, segment.vlan_id), segment)
        self._segments = tuple(first.values())
        self._ambiguous = _ambiguous(site.chains)

    def flows(self) -> Iterator[str]:
        yield _flow(0, _REFUSED, ("dl_dst=01:80:c2:00:00:00/ff:ff:ff:ff:ff:f0",), _NOTHING)
        yield _flow(0, _REFUSED, (f"dl_src={PROBE_MAC}",), _NOTHING)
        heard: set[tuple[int, int]] = set()  # ports and VLANs: what comes from them is of one segment
        for number, segment in enumerate(self._segments, 1):
            yield from self._sources(number, segment, heard)
            for way in Way:
                yield from self._rules(number, segment, way)
                port = self._edge(segment, way)
                if port:
                    yield _flow(_EXITS[way], _KNOWN, (f"reg0={number}",), f"output:{port}")
        for way in Way:
            yield _flow(_RULES[way], 0, ("reg1=0",), f"goto_table:{_HOPS[way]}")
            yield _flow(_HOPS[way], _KNOWN, ("reg1=0", "reg2=0"), f"goto_table:{_EXITS[way]}")
            for chain in self._served.chains.values():
                yield from self._hops(chain, way)

    def _mixing(self, segment: Segment) -> frozenset[str]:
        return self._ambiguous.get((segment.uplink_bridge, segment.subnet_id), frozenset())

    def _edge(self, segment: Segment, way: Way) -> int:
        """Return the port towards the network (OUT) or the guests (IN), 0 where it is not there yet."""
        if way is Way.OUT:
            name = patch_name(FUNCTION_BRIDGE, segment.uplink_bridge)
        elif segment.localnet:
            name = patch_name(segment.localnet, self._site.integration_bridge)
        else:
            name = patch_name(FUNCTION_BRIDGE, segment.local_bridge)
        return self._site.ofports.get(name, 0)

    def _sources(self, number: int, segment: Segment, heard: set[tuple[int, int]]) -> Iterator[str]:
        used = ({rule.chain_id for rule in segment.rules} & self._served.chains.keys()) - self._mixing(
            segment
        )
        sources = [
            (self._edge(segment, Way.IN), 0, "", Way.OUT),
            (self._edge(segment, Way.OUT), 0, "", Way.IN),
        ]
        for id, function in sorted(self._functions.items()):
            own = sorted(chain for chain in used if id in self._served.chains[chain].function_ids)
            ports = self._ports(function)
            if own and ports and not function.tap:
                only = own[0] if len(own) == 1 else ""
                sources.append((ports.out, self._function_numbers[id], only, Way.OUT))
                sources.append((ports.into, self._function_numbers[id], only, Way.IN))
        for port, source, chain, way in sources:
            if not port or (port, segment.vlan_id) in heard:
                continue
            heard.add((port, segment.vlan_id))
            known = f"set_field:{self._chain_numbers[chain]}->reg2," if chain else ""
            target = _HOPS[way] if chain else _RULES[way]
            yield _flow(
                0,
                _KNOWN,
                (f"in_port={port}", _vlan(segment.vlan_id)),
                f"set_field:{number}->reg0,set_field:{source}->reg1,{known}goto_table:{target}",
            )

    def _rules(self, number: int, segment: Segment, way: Way) -> Iterator[str]:
        mixing = self._mixing(segment)
        for at, rule in enumerate(sorted(segment.rules, key=lambda rule: -rule.priority)):
            # A priority for each rule: conjunctions of one priority must not meet flows of another rule.
            priority = _FIRST_RULE - 2 * at
            known = 0xFFFF if rule.chain_id in mixing else self._chain_numbers.get(rule.chain_id, 0xFFFF)
            chain = known if rule.chain_id else 0
            action = f"set_field:{chain}->reg2,goto_table:{_HOPS[way]}"
            for match in matches(rule, way):
                common = (f"reg0={number}", *match.common)
                yield from self._match(_RULES[way], priority - match.later, common, match, action)

    def _match(
        self, table: int, priority: int, common: tuple[str, ...], match: Match, action: str
    ) -> Iterator[str]:
        sizes = [len(dimension) for dimension in match.dimensions]
        if math.prod(sizes) <= sum(sizes) + 1:
            for choice in itertools.product(*match.dimensions):
                yield _flow(table, priority, (*common, *choice), action)
            return
        id = next(self._conjunctions)
        for at, dimension in enumerate(match.dimensions, 1):
            for value in dimension:
                yield _flow(table, priority, (*common, value), f"conjunction({id},{at}/{len(sizes)})")
        yield _flow(table, priority, (f"conj_id={id}", *common), action)

    def _hops(self, chain: Chain, way: Way) -> Iterator[str]:
        ids = chain.function_ids if way is Way.OUT else chain.function_ids[::-1]
        starts = [-1, *(at for at, id in enumerate(ids) if self._is_inline(id))]
        for start in starts:
            source = self._function_numbers[ids[start]] if start >= 0 else 0
            actions = list(self._onward(ids[start + 1 :], way))
            match = (f"reg1={source}", f"reg2={self._chain_numbers[chain.chain_id]}")
            yield _flow(_HOPS[way], _KNOWN, match, ",".join(actions) or _NOTHING)

    def _onward(self, ids: tuple[str, ...], way: Way) -> Iterator[str]:
        """Yield the actions up to the next function that takes the frame, or to the exit."""
        for id in ids:
            function = self._functions.get(id)
            if function is None:
                return
            ports = self._ports(function)
            if function.tap:
                if ports:
                    yield f"output:{ports.into}"
            elif ports:
                yield f"output:{ports.into if way is Way.OUT else ports.out}"
                return
            elif not function.fail_open:
                return
        yield f"goto_table:{_EXITS[way]}"

    def _is_inline(self, id: str) -> bool:
        return id in self._functions and not self._functions[id].tap

    def _ports(self, function: Function) -> _Ports | None:
        """Return the ports of the pair that works; None where no pair does."""
        tap = self._site.active.get(function.function_id, "")
        pair = next((pair for pair in function.pairs if pair.ingress_tap == tap), Pair(ingress_tap=""))
        into, out = (self._site.ofports.get(name, 0) for name in (pair.ingress_tap, pair.egress_tap))
        return _Ports(into, out) if into and (out or function.tap) else None


def _vlan(vlan_id: int) -> str:
    return f"dl_vlan={vlan_id}" if vlan_id else "vlan_tci=0x0000/0x1000"


def _flow(table: int, priority: int, match: tuple[str, ...], actions: str) -> str:
    return f"table={table},priority={priority},{','.join(match)},actions={actions}"
