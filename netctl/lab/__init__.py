"""The lab: real hosts on one machine, as network namespaces, from a containerlab topology file.

In goes a topology (`topology.py`); out come namespaces, links, private OVS and OVN daemons, a controller and host
agents, and guests behind taps (`lab.py`). It owns every namespace `netctl.LAB.*` and the lab's run directory. The
source of truth is the machine itself: namespaces' names, pid files and the run directory, never this process' memory.
"""
