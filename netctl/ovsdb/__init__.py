"""The wire to OVSDB servers: the only room of netctl that imports ovs."""
