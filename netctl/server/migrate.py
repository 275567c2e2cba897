"""SubnetService.MigrateSubnets: kinds of many subnets as one change, and what becomes of their NICs' addresses.

In: a request; out: what is stored. The NICs move later, one by one: `reconciler/migration.py`. What rests on intents
that change meanwhile is made anew.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field, replace

from netctl.errors import AlreadyExists, Conflict, InvalidIntent, NetctlError, NotFound
from netctl.model.intent import Edit, Replace
from netctl.model.ipam import allocate_address
from netctl.model.keys import Kind, SubnetId, check_id
from netctl.model.lookups import Lookups
from netctl.model.nic import Nic
from netctl.model.snapshot import Draft, Snapshot
from netctl.model.subnet import Subnet, SubnetKind
from netctl.reconciler.migration import target_of
from netctl.server.composed import answered_before
from netctl.server.convert import parse_enum, parse_name
from netctl.server.edge import Context
from netctl.server.ports import Ports
from netctl.server.requests import Answer
from netctl.server.row_diff import RowDiff, hypothetical, row_diff
from netctl.server.writes import submit
from netctl.v1 import network_pb2 as pb

NAMES_MAX = 100
EDITS_MAX = 10_000
_ATTEMPTS = 4
_KINDS = {pb.SUBNET_KIND_VLAN: SubnetKind.VLAN, pb.SUBNET_KIND_VLAN_BASIC: SubnetKind.VLAN_BASIC}
_KIND_NAMES = {value: name for name, value in pb.SubnetKind.items()}
_ADDRESSES = {
    pb.MIGRATED_ADDRESSES_KEEP: pb.MIGRATED_ADDRESSES_KEEP,
    pb.MIGRATED_ADDRESSES_ASSIGN: pb.MIGRATED_ADDRESSES_ASSIGN,
    pb.MIGRATED_ADDRESSES_RELEASE: pb.MIGRATED_ADDRESSES_RELEASE,
}
_ADDRESSES_NAMES = {value: name for name, value in pb.MigratedAddresses.items()}
_PLACE = re.compile(r"edits\[(\d+)\](?:\.(.+))?\Z", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Migrated:
    """The subnets as they are now, or would be, how many of their NICs are to move, and the rows of a dry run."""

    subnets: tuple[Subnet, ...]
    nics: int
    diff: RowDiff


@dataclass(slots=True)
class _Plan:
    """The edits of a request, and of each the place of its subnet in `names`."""

    edits: list[Edit] = field(default_factory=list)
    places: list[int] = field(default_factory=list)

    def add(self, edit: Edit, place: int) -> None:
        self.edits.append(edit)
        self.places.append(place)


async def migrate(ports: Ports, request: pb.MigrateSubnetsRequest, context: Context) -> Migrated:
    """Change the kinds of all subnets of a request, or of none."""
    kind = parse_enum("kind", request.kind, _KINDS, _KIND_NAMES)
    asked = request.addresses or pb.MIGRATED_ADDRESSES_KEEP
    parse_enum("addresses", asked, _ADDRESSES, _ADDRESSES_NAMES)
    ids = _parse_names(request)
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            # Addresses for thousands of NICs take their time.
            plan = await asyncio.to_thread(_plan, ports.intents.snapshot(), ids, kind, asked)
        except NetctlError:
            # Admission remembers the answer if this is a repetition: then what is stored by now does not matter.
            before = await answered_before(ports.intents, (request, context))
            if before is None:
                raise
            return await _migrated(ports, before)
        try:
            answer = await submit(ports.intents, plan.edits, (request, context), batch=True)
            return await _migrated(ports, answer)
        except NetctlError as error:
            again = isinstance(error, Conflict | AlreadyExists)
            if attempt == _ATTEMPTS or not again:
                raise _located(error, plan, ids) from None
    raise AssertionError("the last attempt returned or raised")


def _parse_names(request: pb.MigrateSubnetsRequest) -> list[SubnetId]:
    if not 1 <= len(request.names) <= NAMES_MAX:
        raise InvalidIntent("names", f"has {len(request.names)} subnets; name 1 to {NAMES_MAX}")
    ids: list[SubnetId] = []
    for i, name in enumerate(request.names):
        id_ = SubnetId(parse_name(f"names[{i}]", name, Kind.SUBNET))
        check_id(f"names[{i}]", id_)
        if id_ in ids:
            raise InvalidIntent(f"names[{i}]", f"subnets/{id_} is listed twice; list it once")
        ids.append(id_)
    return ids


def _plan(
    snapshot: Snapshot, ids: list[SubnetId], kind: SubnetKind, asked: pb.MigratedAddresses.ValueType
) -> _Plan:
    plan, draft = _Plan(), snapshot.draft()
    for place, id_ in enumerate(ids):
        subnet = snapshot.subnet(id_)
        if subnet is None:
            raise NotFound(f"subnets/{id_} does not exist", field=f"names[{place}]")
        if subnet.kind not in _KINDS.values():
            raise InvalidIntent(
                f"names[{place}]",
                f"subnets/{id_} is {subnet.kind.value}: only VLAN and VLAN_BASIC subnets can be migrated",
            )
        # An MTU that follows the underlay goes on doing so.
        wanted = replace(subnet, kind=kind, mtu_bytes=0 if subnet.auto_mtu else subnet.mtu_bytes)
        plan.add(Replace(intent=wanted, if_revision=subnet.meta.revision), place)
        for nic in _nics_of(draft, subnet.id) if asked != pb.MIGRATED_ADDRESSES_KEEP else ():
            given = _with(nic, subnet, asked, (draft, place))
            if given is not nic:
                draft.put(given)
                release = asked == pb.MIGRATED_ADDRESSES_RELEASE
                plan.add(Replace(intent=given, if_revision=_revision(snapshot, nic), release=release), place)
    if len(plan.edits) > EDITS_MAX:
        raise InvalidIntent(
            "names", f"this changes {len(plan.edits)} subnets and NICs; at most {EDITS_MAX} can: name fewer"
        )
    return plan


def _nics_of(intents: Lookups, subnet: SubnetId) -> list[Nic]:
    """Return the NICs of a subnet and the trunk NICs with a VLAN on it."""
    found = {nic.id: nic for nic in (*intents.nics_of_subnet(subnet), *intents.trunks_of_subnet(subnet))}
    return [found[id_] for id_ in sorted(found)]


def _revision(snapshot: Snapshot, nic: Nic) -> int:
    """Return the revision that an edit of a NIC rests on; none if another edit of the same change is before it."""
    return nic.meta.revision if snapshot.nic(nic.id) is nic else 0


def _with(nic: Nic, subnet: Subnet, asked: pb.MigratedAddresses.ValueType, place: tuple[Draft, int]) -> Nic:
    """Return a NIC with the addresses that it shall have in a subnet; the same one when nothing changes."""
    if nic.subnet == subnet.id:
        v4, v6 = _texts((nic.ipv4_address, nic.ipv6_address), subnet, asked, place)
        if (v4, v6) != (nic.ipv4_address, nic.ipv6_address):
            nic = replace(nic, ipv4_address=v4, ipv6_address=v6)
    vlans = list(nic.trunk_vlans)
    for i, vlan in enumerate(vlans):
        if vlan.subnet == subnet.id:
            v4, v6 = _texts((vlan.ipv4_address, vlan.ipv6_address), subnet, asked, place)
            vlans[i] = replace(vlan, ipv4_address=v4, ipv6_address=v6)
    return replace(nic, trunk_vlans=tuple(vlans)) if tuple(vlans) != nic.trunk_vlans else nic


def _texts(
    stored: tuple[str, str],
    subnet: Subnet,
    asked: pb.MigratedAddresses.ValueType,
    place: tuple[Draft, int],
) -> tuple[str, str]:
    """Return the addresses of a port in a subnet; what a guest makes of its MAC address is not ours to give."""
    draft, index = place
    found = []
    for text, config in zip(stored, (subnet.ipv4, subnet.ipv6), strict=True):
        own = config is not None and config.version == 6 and subnet.ipv6_mode.from_mac
        if asked == pb.MIGRATED_ADDRESSES_RELEASE:
            found.append(text if own else "")
        elif text or config is None or own:
            found.append(text)
        else:
            found.append(allocate_address(draft, subnet, config, field=f"names[{index}]"))
    return found[0], found[1]


def _located(error: NetctlError, plan: _Plan, ids: list[SubnetId]) -> NetctlError:
    """Name the subnet in an error of admission, which knows the edit."""
    found = _PLACE.match(error.field)
    if found is None or int(found[1]) >= len(plan.places):
        return error
    place = plan.places[int(found[1])]
    error.field = f"names[{place}]"
    if f"subnets/{ids[place]}" not in error.message:
        inner = f"{found[2]}: " if found[2] else ""
        error.message = f"subnets/{ids[place]}: {inner}{error.message}"
        error.args = (error.message,)
    return error


async def _migrated(ports: Ports, answer: Answer) -> Migrated:
    snapshot = ports.intents.snapshot()
    if answer.would:
        snapshot = hypothetical(snapshot, answer.would)
    subnets = tuple(one.after for one in answer.results if isinstance(one.after, Subnet))
    to_move = {
        nic.id
        for subnet in subnets
        for nic in _nics_of(snapshot, subnet.id)
        if target_of(snapshot, nic) not in (None, nic.basic)
    }
    return Migrated(subnets=subnets, nics=len(to_move), diff=await row_diff(ports, answer))
