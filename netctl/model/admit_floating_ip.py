"""Admission of FloatingIp: its address, and the one NIC or private address that it is of."""

from __future__ import annotations

from netctl.errors import AlreadyExists, InvalidIntent
from netctl.model.addresses import check_external_address, new_mac
from netctl.model.floating_ip import FloatingIp
from netctl.model.ipam import allocate_address
from netctl.model.keys import Key, Kind, resource_name
from netctl.model.networks import subnet_at
from netctl.model.nic import Nic
from netctl.model.nic_users import nic_claim, private_claim
from netctl.model.numbers import address_number, network_numbers, version_of
from netctl.model.snapshot import Draft
from netctl.model.stamp import Context, absent, check_kept, replace_unchecked, stamp
from netctl.model.subnet import Subnet, SubnetKind


def admit_floating_ip(
    asked: FloatingIp, before: FloatingIp | None, draft: Draft, context: Context
) -> FloatingIp:
    """Return the floating IP to store. To associate it anew is one change: nobody holds it in between or twice."""
    if before is not None:
        check_kept("external_subnet", before.external_subnet, asked.external_subnet)
        if asked.address:
            check_kept("address", before.address, asked.address)
    external = _external(asked, draft)
    target = _target(asked, draft)
    address = before.address if before is not None else _address(asked, external, target, draft)
    floating = replace_unchecked(
        asked,
        meta=stamp(asked.meta, before, context),
        address=address,
        mac_address=before.mac_address if before is not None else new_mac(draft, external),
    )
    if target is not None:
        _check_connected(floating, target, external, draft)
        _check_private(floating, target, draft)
    return floating


def _external(asked: FloatingIp, draft: Draft) -> Subnet:
    subnet = draft.subnet(asked.external_subnet)
    if subnet is None:
        raise absent((Kind.SUBNET, asked.external_subnet), "external_subnet")
    if subnet.kind is not SubnetKind.EXTERNAL or not subnet.nat:
        what = "has no NAT" if subnet.kind is SubnetKind.EXTERNAL else "is not EXTERNAL"
        raise InvalidIntent(
            "external_subnet", f"subnets/{subnet.id} {what}: a floating IP needs an EXTERNAL subnet with NAT"
        )
    return subnet


def _target(asked: FloatingIp, draft: Draft) -> Nic | Subnet | None:
    """Return the NIC or the subnet of the private address that is asked for."""
    if asked.nic:
        nic = draft.nic(asked.nic)
        if nic is None:
            raise absent((Kind.NIC, asked.nic), "nic")
        return nic
    if not asked.vpc:
        return None
    if draft.vpc(asked.vpc) is None:
        raise absent((Kind.VPC, asked.vpc), "vpc")
    version, number, _ = network_numbers(asked.private_address)
    subnet = subnet_at(draft, asked.vpc, version, number)
    if subnet is None or subnet.kind is SubnetKind.EXTERNAL:
        raise InvalidIntent(
            "private_address", f"{asked.private_address} is in no subnet of vpcs/{asked.vpc}: use one that is"
        )
    return subnet


def _address(asked: FloatingIp, external: Subnet, target: Nic | Subnet | None, draft: Draft) -> str:
    if asked.address:
        check_external_address(draft, external, asked.address, "address", (Kind.FLOATING_IP, asked.id))
        return asked.address
    wanted = [version for version in (4, 6) if external.config(version) is not None]
    if asked.private_address:
        wanted = [version for version in wanted if version == version_of(asked.private_address)]
    elif isinstance(target, Nic):
        wanted = [version for version in wanted if _address_of(target, version)]
    config = external.config(wanted[0]) if wanted else None
    if config is None:
        raise InvalidIntent(
            "external_subnet",
            f"subnets/{external.id} and {asked.private_address or f'nics/{asked.nic}'} have no IP version in common:"
            " use another external subnet",
        )
    return allocate_address(draft, external, config, field="address")


def _address_of(nic: Nic, version: int) -> str:
    return nic.ipv4_address if version == 4 else nic.ipv6_address


def _check_connected(floating: FloatingIp, target: Nic | Subnet, external: Subnet, draft: Draft) -> None:
    """Refuse a target whose VPC has no connection to the external subnet with this IP version."""
    field = "nic" if isinstance(target, Nic) else "vpc"
    subnet = draft.subnet(target.subnet) if isinstance(target, Nic) else target
    vpc = draft.vpc(subnet.vpc) if subnet is not None and subnet.vpc else None
    if vpc is None:
        raise InvalidIntent(field, f"nics/{floating.nic} is in no VPC: a floating IP needs a NIC in one")
    connection = vpc.connection(external.id)
    version = version_of(floating.address)
    router = connection and (connection.ipv4_address if version == 4 else connection.ipv6_address)
    if not router:
        how = f"with an IPv{version} address " if connection is not None else ""
        raise InvalidIntent(
            field,
            f"vpcs/{vpc.id} is not connected {how}to subnets/{external.id}: add it to its external_connections first",
        )


def _check_private(floating: FloatingIp, target: Nic | Subnet, draft: Draft) -> None:
    """Refuse a private address that is nobody's to give, or that has a floating IP already."""
    version = version_of(floating.address)
    if isinstance(target, Nic):
        field, subnet, text = "nic", draft.subnet(target.subnet), _address_of(target, version)
        if subnet is None or subnet.config(version) is None or not text:
            raise InvalidIntent(
                field,
                f"nics/{target.id} has no IPv{version} address in its subnet, {floating.address} needs one:"
                " give it one or use another floating IP",
            )
    else:
        field, subnet, text = "private_address", target, floating.private_address
        if version_of(text) != version:
            raise InvalidIntent(field, f"{text} is of another IP version than {floating.address}")
        _check_host_address(subnet, text, draft)
    holders = (_holder_of_nic(subnet, text, draft), draft.owner(private_claim(subnet.vpc, text)))
    own = draft.owner(nic_claim(target.id, version)) if isinstance(target, Nic) else None
    for holder in (own, *holders):
        if holder not in (None, (Kind.FLOATING_IP, floating.id)):
            what = f"nics/{target.id}" if isinstance(target, Nic) else text
            raise AlreadyExists(
                f"{what} has {resource_name(holder)} already, one for each NIC and IP version and for each private"
                " address: dissociate that first",
                field=field,
            )


def _holder_of_nic(subnet: Subnet, text: str, draft: Draft) -> Key | None:
    """Return the floating IP of the NIC that holds an address as its own."""
    version = version_of(text)
    owner = draft.owner(((f"ipv{version}", subnet.id), address_number(version, text)))
    nic = draft.get(owner) if owner is not None else None
    if not isinstance(nic, Nic) or text not in (nic.ipv4_address, nic.ipv6_address):
        return None
    return draft.owner(nic_claim(nic.id, version)) if nic.subnet == subnet.id else None


def _check_host_address(subnet: Subnet, text: str, draft: Draft) -> None:
    version = version_of(text)
    config = subnet.config(version)
    owner = draft.owner(((f"ipv{version}", subnet.id), address_number(version, text)))
    if config is not None:
        config.check_inside("private_address", text)
    if owner is not None and owner[0] is Kind.SUBNET:
        raise InvalidIntent(
            "private_address",
            f"{text} is the router's or DHCP server's of subnets/{subnet.id}: use another address",
        )
