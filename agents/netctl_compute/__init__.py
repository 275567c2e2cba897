"""The compute agent: makes one host's libvirt domains and disks equal to what the controller assigned to it."""
