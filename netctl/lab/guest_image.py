"""The disk image of the lab's guest: a real kernel with busybox, which tests and people ask from outside.

It boots from its own disk under SeaBIOS, OVMF and OVMF with Secure Boot: one FAT file system on the whole disk with
SYSLINUX in its boot sector and, for UEFI, Debian's signed shim and GRUB, all of which load the same signed kernel and
the same initial RAM disk. What the guest does is in `guest/`: busybox and `guest.c`, which is compiled here.

Made without root, from Debian's packages as apt downloads them; nothing of them is installed. Image and packages are
kept in one folder, in a checkout `.guest`. A guest needs 128 MiB of memory, with UEFI 256, with Secure Boot 512.

Asked from outside: `POST /cgi-bin/run` with a shell script answers what it prints. Commands made for it, besides
busybox: facts, nics, disks, seed, marker, vlan, dirty, tpm; TCP and UDP port 7 echo.

    python -m netctl.lab.guest_image      make the image unless it is there, and print its path

Formats: Linux Documentation/driver-api/early-userspace/buffer-format.rst (cpio `newc`), mtools(1), syslinux(1).
"""

from __future__ import annotations

import fcntl
import gzip
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from netctl.errors import Unavailable

ENVIRONMENT = "NETCTL_GUEST_DIR"
BUSYBOX = Path("/bin/busybox")
_PARTS = Path(__file__).parent / "guest"
_KERNEL = "linux-image-cloud-amd64"  # names the current one, on which it depends
_SIGNED = ("shim-signed", "grub-efi-amd64-signed")
_DISK_MIB = 32
_FILE, _LINK, _FOLDER = 0o100000, 0o120000, 0o040000  # inode(7)
_RESERVED_SECTORS = 64  # `marker` of the guest keeps its text here
# What the guest needs of the kernel's modules: before its services start, and while they do. Those that they need are
# put before them.
_FIRST = ("virtio_pci", "virtio_net", "evdev", "button", "qemu_fw_cfg", "virtio_blk")
_LATER = (
    *(
        "efivarfs",
        "isofs",
        "sd_mod",
        "sr_mod",
        "virtio_scsi",
        "ata_piix",
        "8021q",
        "virtio_rng",
        "virtio_balloon",
    ),
    "virtio_console",
)
_MOUNT_POINTS = ("dev", "proc", "run", "seed", "sys", "tmp")
_COMMAND_LINE = "console=tty0 console=ttyS0 quiet net.ifnames=0 mitigations=off random.trust_cpu=on panic=-1"
_SYSLINUX_CFG = f"""\
DEFAULT guest
PROMPT 0
LABEL guest
  KERNEL /vmlinuz
  INITRD /initrd
  APPEND {_COMMAND_LINE}
"""
_GRUB_CFG = f"""\
linux /vmlinuz {_COMMAND_LINE}
initrd /initrd
boot
"""


def folder() -> Path:
    """Return where image and packages are kept: $NETCTL_GUEST_DIR, the checkout's .guest, or a cache of the machine."""
    checkout = Path(__file__).parents[2]
    default = (
        checkout / ".guest" if (checkout / "pyproject.toml").exists() else Path("/var/cache/netctl/guest")
    )
    return Path(os.environ.get(ENVIRONMENT) or default)


def guest_image() -> Path:
    """Return the image, made now unless it is there; its name changes with its parts."""
    here = folder()
    image = here / f"guest-{_digest()[:12]}.qcow2"
    with _locked(here):
        if not image.exists():
            with tempfile.TemporaryDirectory(prefix="making-", dir=here) as making:
                made = _make(Path(making), _packages(here))
                for old in here.glob("guest-*.qcow2"):
                    old.unlink()
                made.replace(image)
    return image


def _digest() -> str:
    content = hashlib.sha256(Path(__file__).read_bytes())
    for path in sorted(path for path in _PARTS.rglob("*") if path.is_file()):
        content.update(f"{path.relative_to(_PARTS)} {path.stat().st_mode & 0o111}\n".encode())
        content.update(path.read_bytes())
    return content.hexdigest()


def _packages(here: Path) -> Path:
    """Return the folder in which the packages' files are, downloaded once."""
    unpacked = here / "packages"
    if unpacked.exists():
        return unpacked
    depends = _run(here, "apt-cache", "depends", "--important", _KERNEL)
    kernel = re.search(r"Depends: (linux-image-\S+)", depends)
    if kernel is None:
        raise Unavailable(f"apt knows no kernel behind {_KERNEL}; read its lists again: apt-get update")
    with tempfile.TemporaryDirectory(prefix="download-", dir=here) as download:
        into = Path(download)
        _run(into, "apt-get", "download", kernel[1], *_SIGNED)
        for package in into.glob("*.deb"):
            _run(into, "dpkg", "-x", package.name, "files")
        (into / "files").replace(unpacked)
    return unpacked


def _make(making: Path, packages: Path) -> Path:
    (kernel,) = (packages / "boot").glob("vmlinuz-*")
    program = making / "guest"
    _run(making, "gcc", "-static", "-Os", "-s", "-o", str(program), str(_PARTS / "guest.c"))
    initrd = making / "initrd"
    files = _files(program, _modules(packages / "lib/modules"))
    initrd.write_bytes(gzip.compress(_cpio(files), 6, mtime=0))
    (making / "syslinux.cfg").write_text(_SYSLINUX_CFG)
    (making / "grub.cfg").write_text(_GRUB_CFG)
    disk, image = making / "disk.raw", making / "guest.qcow2"
    _file_system(
        disk,
        {
            "vmlinuz": kernel,
            "initrd": initrd,
            "syslinux.cfg": making / "syslinux.cfg",
            "EFI/BOOT/BOOTX64.EFI": packages / "usr/lib/shim/shimx64.efi.signed",
            "EFI/BOOT/grubx64.efi": packages / "usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed",
            "EFI/debian/grub.cfg": making / "grub.cfg",
        },
    )
    _run(making, "qemu-img", "convert", "-c", "-O", "qcow2", str(disk), str(image))
    return image


def _file_system(disk: Path, files: Mapping[str, Path]) -> None:
    here = disk.parent
    with disk.open("wb") as file:
        file.truncate(_DISK_MIB << 20)
    tracks = f"{_DISK_MIB * 2048 // (63 * 16)}"
    _run(
        here,
        *("mformat", "-i", str(disk), "-t", tracks, "-h", "16", "-s", "63", "-c", "8"),
        *("-R", str(_RESERVED_SECTORS), "-v", "GUEST", "::"),
    )
    _run(here, "mmd", "-i", str(disk), "::/EFI", "::/EFI/BOOT", "::/EFI/debian")
    for target, source in files.items():
        _run(here, "mcopy", "-i", str(disk), str(source), f"::/{target}")
    _run(here, "syslinux", "--install", str(disk))


def _modules(root: Path) -> tuple[list[Path], list[Path]]:
    """Return the files of the modules for `_FIRST` and `_LATER`, each in an order in which they can be loaded."""
    # With - for _, as a module's file is called one way or the other.
    found = {path.stem.replace("-", "_"): path for path in root.rglob("*.ko")}
    ordered: dict[str, Path] = {}

    def add(name: str) -> None:
        if name in ordered or name not in found:  # built in
            return
        needs = re.search(rb"\0depends=([^\0]*)\0", found[name].read_bytes())
        for need in needs[1].decode().split(",") if needs else ():
            add(need.replace("-", "_"))
        ordered[name] = found[name]

    if missing := sorted({*_FIRST, *_LATER} - set(found)):
        raise Unavailable(f"the kernel package lacks modules: {' '.join(missing)}")
    for name in _FIRST:
        add(name)
    first = list(ordered.values())
    for name in _LATER:
        add(name)
    return first, list(ordered.values())[len(first) :]


def _files(program: Path, modules: tuple[list[Path], list[Path]]) -> dict[str, tuple[int, bytes]]:
    """Return the initial RAM disk's files: path to mode, with its type, and content."""
    found: dict[str, tuple[int, bytes]] = {
        f"bin/{applet}": (_LINK | 0o777, b"busybox")
        for applet in _run(program.parent, str(BUSYBOX), "--list").split()
    }
    found["bin/busybox"] = (_FILE | 0o755, BUSYBOX.read_bytes())
    found["bin/guest"] = (_FILE | 0o755, program.read_bytes())
    for name, paths in zip(("first", "later"), modules, strict=True):
        found[f"modules/{name}"] = (
            _FILE | 0o644,
            "\n".join(f"/modules/{path.name}" for path in paths).encode(),
        )
        found |= {f"modules/{path.name}": (_FILE | 0o644, path.read_bytes()) for path in paths}
    root = _PARTS / "files"
    for path in sorted(path for path in root.rglob("*") if path.is_file()):
        name = str(path.relative_to(root))
        executable = name == "init" or name.startswith(("bin/", "www/cgi-bin/"))
        found[name] = (_FILE | (0o755 if executable else 0o644), path.read_bytes())
    return found


def _cpio(files: Mapping[str, tuple[int, bytes]]) -> bytes:
    folders = {str(parent) for name in files for parent in Path(name).parents} - {"."} | set(_MOUNT_POINTS)
    entries = [(name, _FOLDER | 0o755, b"") for name in sorted(folders)]
    entries += [(name, mode, content) for name, (mode, content) in sorted(files.items())]
    archive = bytearray()
    for number, (name, mode, content) in enumerate([*entries, ("TRAILER!!!", 0, b"")], start=1):
        fields = (number, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name) + 1, 0)
        archive += b"070701" + b"".join(b"%08x" % field for field in fields) + name.encode() + b"\0"
        archive += bytes(-len(archive) % 4) + content
        archive += bytes(-len(archive) % 4)
    return bytes(archive)


def _run(here: Path, *argv: str) -> str:
    if shutil.which(argv[0]) is None:
        raise Unavailable(f"{argv[0]} is not installed: make setup")
    done = subprocess.run(argv, cwd=here, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode:
        raise Unavailable(f"{' '.join(argv)}: {done.stderr.strip()[-500:]}")
    return done.stdout


@contextmanager
def _locked(here: Path) -> Iterator[None]:
    here.mkdir(parents=True, exist_ok=True)
    with (here / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    print(guest_image())
