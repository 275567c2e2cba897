"""Names of our rows: the uuid of each, and the external_ids that say whose it is."""

from __future__ import annotations

from functools import lru_cache

from netctl.model.keys import Key, Uid
from netctl.nb.rows import ID_KEY, KIND_KEY, OWNER_KEY, row_uuid

_SUBNETS = 16_384  # every NIC asks for its subnet's rows


@lru_cache(maxsize=_SUBNETS)
def switch_uuid(subnet: Uid) -> str:
    """Return the Logical_Switch of a subnet."""
    return row_uuid("Logical_Switch", subnet)


def localnet_uuid(subnet: Uid, switch: str) -> str:
    """Return the localnet port of a subnet on one of its virtual switches."""
    return row_uuid("Logical_Switch_Port", subnet, "localnet", switch)


def localnet_name(subnet: Uid, switch: str) -> str:
    """Return the localnet port's name; ovn-controller names the patch port in brAtlas after it."""
    return f"localnet-{subnet}-{switch}"


@lru_cache(maxsize=_SUBNETS)
def dhcpv4_uuid(subnet: Uid) -> str:
    """Return the DHCP_Options of a subnet."""
    return row_uuid("DHCP_Options", subnet, "ipv4")


@lru_cache(maxsize=_SUBNETS)
def dhcpv4_reference(subnet: Uid) -> frozenset[str]:
    """Return a NIC's reference to the DHCP_Options of its subnet."""
    return frozenset({dhcpv4_uuid(subnet)})


def port_uuid(nic: Uid) -> str:
    """Return the Logical_Switch_Port of a NIC."""
    return row_uuid("Logical_Switch_Port", nic)


def external_ids(owner: str, key: Key) -> dict[str, str]:
    """Return the marks of a row of ours: installation, kind, id."""
    return {OWNER_KEY: owner, KIND_KEY: key[0].value, ID_KEY: key[1]}
