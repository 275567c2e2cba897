"""A private libvirtd: its configuration, and the command line that runs it beside others on one machine.

A host of libvirt is a network namespace and, for each process that must see this host's libvirt, a mount and a UTS
namespace in which the host's own directories lie over libvirt's and the name is the host's. They hold nothing: what
lasts is in the directory, so a libvirtd that was killed is started again with new ones and finds its guests. From
outside the socket is `DIRECTORY/run/libvirt/libvirt-sock`.

Nothing of the machine's libvirt is read or written. Guests run as root and without cgroups, sVirt or mount namespaces:
this is a lab. Sources: libvirtd(8), the comments in libvirt's qemu.conf and libvirtd.conf, mount_namespaces(7).
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from uuid import NAMESPACE_DNS, uuid5

LIBVIRTD = "libvirtd"
TOOLS = ("unshare", "mount", "hostname", LIBVIRTD, "qemu-system-x86_64", "qemu-img", "swtpm", "swtpm_setup")
MIGRATION_PORTS = (49152, 49215)  # libvirt's defaults
# What lies over the machine's own directories. swtpm_localca keeps the key of its certificate authority in the last.
_OVER = (
    *("etc/libvirt", "run/libvirt", "var/lib/libvirt", "var/cache/libvirt", "var/log/libvirt"),
    "var/lib/swtpm-localca",
)
# Under the same names on every host, as on hosts of one installation: a guest that migrates names its files by them.
STORE, STATE, RUN = "/var/lib/libvirt/images", "/var/lib/libvirt/netctl", "/run/libvirt/netctl"
# sysfs and procfs show the namespaces of who mounted them: libvirt looks for links in /sys/class/net.
# A name that no resolver knows may cost libvirtd seconds at each look, so /etc/hosts has it.
_INSIDE = f"""
set -e
here=$1 name=$2 store=$3
shift 3
for place in {" ".join(_OVER)}; do
    mkdir -p "/$place"
    mount --bind "$here/$place" "/$place"
done
mount --bind "$store" {STORE}
mount --bind "$here/etc/hosts" /etc/hosts
mount -t sysfs sysfs /sys
mount -t proc proc /proc
hostname "$name"
exec "$@"
"""
_LIBVIRTD_CONF = """\
listen_tls = 0
listen_tcp = 1
listen_addr = "{address}"
auth_tcp = "none"
auth_unix_rw = "none"
unix_sock_rw_perms = "0700"
host_uuid = "{host_uuid}"
log_outputs = "2:stderr"
# A controller that evacuates a host waits for many jobs at once, each in a call of its own.
max_workers = 40
max_client_requests = 20
"""
# Without namespaces, cgroups and a security driver libvirt needs no systemd, and with `file` no virtlogd.
_QEMU_CONF = """\
user = "root"
group = "root"
swtpm_user = "root"
swtpm_group = "root"
security_driver = "none"
namespaces = []
cgroup_controllers = []
stdio_handler = "file"
vnc_listen = "127.0.0.1"
# A migration's source gives up a destination that is silent for 8 s; by default 30.
keepalive_interval = 2
keepalive_count = 3
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class LibvirtHost:
    """Where a private libvirtd lives, what its host is called, and the address at which others migrate to it.

    Another folder than its own lies over STORE when hosts share one.
    """

    directory: Path
    name: str
    address: str
    shared_store: Path | None = None

    @property
    def store(self) -> Path:
        """What is STORE on this host."""
        return self.shared_store or self.directory / STORE.removeprefix("/")

    @property
    def socket(self) -> Path:
        """The socket that any process of the machine may use."""
        return self.directory / "run/libvirt/libvirt-sock"

    @property
    def uri(self) -> str:
        """The connection URI, from outside."""
        return f"qemu+unix:///system?socket={self.socket}"

    @property
    def peer_uri(self) -> str:
        """The connection URI that another libvirtd uses for a migration from peer to peer."""
        return f"qemu+tcp://{self.address}/system"

    @property
    def migrate_uri(self) -> str:
        """Where another host's QEMU sends a guest's memory."""
        return f"tcp://{self.address}"

    def prepare(self) -> None:
        """Make directories and configuration; what is there of a former start stays."""
        for place in _OVER:
            (self.directory / place).mkdir(parents=True, exist_ok=True)
        for place in (STORE, STATE, RUN):
            (self.directory / place.removeprefix("/")).mkdir(parents=True, exist_ok=True)
        self.store.mkdir(parents=True, exist_ok=True)
        etc = self.directory / "etc"
        # The same identity after a restart, and no other host's.
        host_uuid = uuid5(NAMESPACE_DNS, f"{self.directory}/{self.name}")
        settings = _LIBVIRTD_CONF.format(address=self.address, host_uuid=host_uuid)
        (etc / "libvirt/libvirtd.conf").write_text(settings)
        (etc / "libvirt/qemu.conf").write_text(_QEMU_CONF)
        (etc / "hosts").write_text(f"127.0.0.1 localhost\n{self.address} {self.name}\n")

    def inside(self, *argv: str) -> tuple[str, ...]:
        """Return the command line that runs `argv` where this host's libvirt is the machine's.

        The network namespace is the caller's. No process stays between: the pid is that of `argv`.
        """
        unshared = ("unshare", "--mount", "--uts", "--", "sh", "-c", _INSIDE)
        return (*unshared, "libvirt-host", str(self.directory), self.name, str(self.store), *argv)

    def libvirtd(self) -> tuple[str, ...]:
        """Return the command line of libvirtd, in the foreground."""
        program = shutil.which(LIBVIRTD) or LIBVIRTD
        pid_file = self.directory / "run/libvirtd.pid"
        return self.inside(program, "--listen", "--pid-file", str(pid_file))
