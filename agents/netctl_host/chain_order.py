"""Which service chains can be served here, and in which order frames meet functions. Pure.

Frames do not say which functions they met: whoever comes back from a function is told by its port. So there must be
one order of all functions in which every chain goes strictly forward. A chain that would turn it round is not served:
its frames are dropped, and `problems` says so. With that no frame can come to a function a second time on its way,
whatever the functions make of it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from netctl_host.assignment_chains import Chain, Function, ServiceChains


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """The chains that are served, by id, and why others are not."""

    chains: Mapping[str, Chain]
    problems: tuple[str, ...]


def serve(chains: ServiceChains) -> Served:
    """Take the chains that a segment uses, in the order of their ids, as far as they agree."""
    used = {rule.chain_id for segment in chains.segments for rule in segment.rules if rule.chain_id}
    functions = {function.function_id: function for function in chains.functions}
    known = {chain.chain_id: chain for chain in chains.chains}
    served: dict[str, Chain] = {}
    problems = []
    following: dict[str, set[str]] = {}
    for id in sorted(used):
        chain = known.get(id)
        if chain is None:
            problems.append(f"serviceChains/{id} is not known on this host: its packets are dropped")
            continue
        problems.extend(_unknown(chain, functions))
        inline = [name for name in chain.function_ids if not _is_tap(functions.get(name))]
        steps = list(itertools.pairwise(inline))
        extended = {name: set(after) for name, after in following.items()}
        for before, after in steps:
            extended.setdefault(before, set()).add(after)
        if len(set(inline)) < len(inline) or any(_leads(extended, after, before) for before, after in steps):
            problems.append(
                f"serviceChains/{id} has its functions in another order than the chains before it:"
                " its packets are dropped"
            )
            continue
        following, served[id] = extended, chain
    return Served(chains=served, problems=tuple(problems))


def _unknown(chain: Chain, functions: Mapping[str, Function]) -> Iterator[str]:
    for id in chain.function_ids:
        if id not in functions:
            yield (
                f"serviceChains/{chain.chain_id}: networkFunctions/{id} is not known on this host:"
                " its packets are dropped"
            )


def _is_tap(function: Function | None) -> bool:
    return function is not None and function.tap


def _leads(following: Mapping[str, set[str]], start: str, end: str) -> bool:
    """Does a way lead from `start` to `end`?"""
    seen, waiting = set(), [start]
    while waiting:
        at = waiting.pop()
        if at == end:
            return True
        if at not in seen:
            seen.add(at)
            waiting.extend(following.get(at, ()))
    return False
