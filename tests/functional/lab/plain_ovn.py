"""OVN and Open vSwitch set up by hand on a lab without controller and agents: what the lab itself must carry.

One VLAN switch through br0 and one overlay switch, a guest of each on each host, addresses by OVN's DHCP.
"""

from netctl.lab.lab import Lab
from netctl.loop import wait_until

GUESTS = {
    "v1": ("h1", "vlan", "02:00:00:00:01:01", "10.0.1.11"),
    "v2": ("h2", "vlan", "02:00:00:00:01:02", "10.0.1.12"),
    "o1": ("h1", "overlay", "02:00:00:00:00:01", "10.0.0.11"),
    "o2": ("h2", "overlay", "02:00:00:00:00:02", "10.0.0.12"),
}
CIDRS = {"vlan": "10.0.1.0/24", "overlay": "10.0.0.0/24"}
MTU_BYTES = 1400
WITHOUT = frozenset({"controller", "agent"})


def set_up_host(lab: Lab, host: str) -> None:
    """Do what the agent does: chassis settings, brAtlas, br0 with its bond, the tunnel address, the taps."""
    node = lab.place(host).node
    address = node.tunnel_address.partition("/")[0]
    settings = {
        "system-id": host,
        "ovn-remote": f"tcp:{lab.topology.central.management_ip}:6642",
        "ovn-encap-type": "geneve",
        "ovn-encap-ip": address,
        "ovn-bridge": "brAtlas",
        "ovn-bridge-mappings": "physnet0:br0",
        "ovn-bridge-datapath-type": "netdev",
    }
    bond = ["add-bond", "br0", "br0-up", "eth1", "eth2", "bond_mode=active-backup"]
    lab.exec(
        host,
        [
            *("ovs-vsctl", "set", "Open_vSwitch", "."),
            *(f"external_ids:{key}={value}" for key, value in settings.items()),
            *("--", "add-br", "br0", "--", "set", "Bridge", "br0", "datapath_type=netdev"),
            *("--", *bond, "--", "set", "Port", "br0-up", "other_config:bond-primary=eth1"),
            *(
                "--",
                "--may-exist",
                "add-br",
                "brAtlas",
                "--",
                "set",
                "Bridge",
                "brAtlas",
                "datapath_type=netdev",
            ),
            *("fail_mode=secure",),
        ],
    )
    lab.exec(host, ["ip", "addr", "add", node.tunnel_address, "dev", "br0"])
    lab.exec(host, ["ip", "link", "set", "br0", "mtu", "9000", "up"])
    plug(lab, host)


def plug(lab: Lab, host: str) -> None:
    """Make the host's guests and give their taps to OVN."""
    for name, (where, _, mac, _) in GUESTS.items():
        if where == host:
            lab.add_guest(host, f"tap-{name}", mac, 1500, name=name)
            add = ["ovs-vsctl", "add-port", "brAtlas", f"tap-{name}"]
            lab.exec(
                host,
                [*add, "--", "set", "Interface", f"tap-{name}", f"external_ids:iface-id={lab.name}-{name}"],
            )


def set_up_central(lab: Lab) -> None:
    """Do what the controller does: two switches, their ports, DHCP."""
    nbctl(lab, "ls-add", "overlay", "--", "ls-add", "vlan")
    nbctl(lab, "lsp-add", "vlan", "vlan-net", "", "10", "--", "lsp-set-type", "vlan-net", "localnet")
    nbctl(lab, "lsp-set-addresses", "vlan-net", "unknown")
    nbctl(lab, "lsp-set-options", "vlan-net", "network_name=physnet0")
    for name, (_, switch, mac, address) in GUESTS.items():
        port = f"{lab.name}-{name}"
        nbctl(lab, "lsp-add", switch, port, "--", "lsp-set-addresses", port, f"{mac} {address}")
        nbctl(lab, "lsp-set-dhcpv4-options", port, dhcp_options(lab, switch))


def dhcp_options(lab: Lab, switch: str) -> str:
    """Make or find a switch's DHCP options; return their UUID."""
    cidr = CIDRS[switch]
    found = nbctl(lab, "--bare", "--columns=_uuid", "find", "DHCP_Options", f'cidr="{cidr}"').strip()
    if found:
        return found
    server = cidr.replace("0/24", "254")
    uuid = nbctl(lab, "create", "DHCP_Options", f'cidr="{cidr}"').strip()
    options = ["lease_time=3600", f"router={cidr.replace('0/24', '1')}", f"server_id={server}"]
    nbctl(lab, "dhcp-options-set-options", uuid, *options, "server_mac=02:00:00:00:00:fe", f"mtu={MTU_BYTES}")
    return uuid


def wait_for_ports(lab: Lab) -> None:
    """Wait until every guest's port is up and its flows are installed everywhere."""
    for name in GUESTS:
        wait_until(
            lambda name=name: nbctl(lab, "lsp-get-up", f"{lab.name}-{name}").strip() == "up",  # type: ignore[misc]
            timeout_s=20,
            what=f"port {name} up",
            poll_s=0.1,
        )
    nbctl(lab, "--wait=hv", "--timeout=20", "sync")


def set_up(lab: Lab) -> None:
    """Bring two switches with two guests each to life."""
    set_up_central(lab)
    for host in ("h1", "h2"):
        set_up_host(lab, host)
    wait_for_ports(lab)


def nbctl(lab: Lab, *arguments: str) -> str:
    """Run ovn-nbctl on central."""
    return lab.exec("central", ["ovn-nbctl", *arguments]).stdout
