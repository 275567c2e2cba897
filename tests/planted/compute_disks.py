"""Bugs of the compute agent's storage: images, disks, copies, seeds, secrets."""

from __future__ import annotations

from tests.planted.bug import Bug

_STORE = "tests/unit/compute/test_store.py"
_QCOW2 = "tests/unit/compute/test_qcow2.py"
_SEEDS = "tests/unit/compute/test_seeds.py"
_WORK = "tests/unit/compute/test_work.py"
_CPUS = "tests/unit/compute/test_cpu_report.py"
_DISKS = "tests/functional/compute/test_disks.py"
_IMAGES = "tests/functional/compute/test_images.py"

BUGS = (
    Bug(
        "disks: a backing file is looked for only in newer headers",
        "agents/netctl_compute/qcow2.py",
        "    if backing_offset or backing_bytes:",
        "    if version == 3 and backing_offset and backing_bytes:",
        _QCOW2,
    ),
    Bug(
        "disks: a data file's name is not seen behind another extension",
        "agents/netctl_compute/qcow2.py",
        "        at += 8 + (length + 7) // 8 * 8",
        "        at += 8 + length",
        _QCOW2,
    ),
    Bug(
        "disks: a truncated image is copied",
        "agents/netctl_compute/qemu_img.py",
        "        _check_whole(path, ticket)\n",
        "",
        _IMAGES,
    ),
    Bug(
        "disks: other bytes than assigned are taken",
        "agents/netctl_compute/image_cache.py",
        "        if digest.hexdigest() != sha256:",
        "        if not digest.hexdigest():",
        _IMAGES,
    ),
    Bug(
        "disks: a transfer that goes on is not hashed from its beginning",
        "agents/netctl_compute/image_cache.py",
        "            while data := file.read(_READ_BYTES):\n                digest.update(data)\n",
        "            while data := file.read(_READ_BYTES):\n",
        _IMAGES,
    ),
    Bug(
        "disks: an image in a guest's drive is evicted",
        "agents/netctl_compute/image_cache.py",
        "                elif idle_s > KEPT_S and not is_locked(path):",
        "                elif idle_s > KEPT_S:",
        _IMAGES,
    ),
    Bug(
        "disks: the second of two hosts takes the first one's place",
        "agents/netctl_compute/store.py",
        "            os.link(part, final, follow_symlinks=False)",
        "            os.rename(part, final); part.touch()",
        _STORE,
    ),
    Bug(
        "disks: a link in a machine's place is followed",
        "agents/netctl_compute/store.py",
        "        found = path.lstat()\n    except FileNotFoundError:\n        return False\n    if not stat.S_ISDIR",
        "        found = path.stat()\n    except FileNotFoundError:\n        return False\n    if not stat.S_ISDIR",
        _STORE,
    ),
    Bug(
        "disks: a store that went away is filled anew",
        "agents/netctl_compute/store.py",
        "        self.check()  # nothing is made in the mount point of a store that went away\n",
        "",
        _STORE,
    ),
    Bug(
        "disks: another host's unfinished file is swept",
        "agents/netctl_compute/store.py",
        "(not ours and _changed_s(path) < oldest_s)",
        "not ours",
        _STORE,
    ),
    Bug(
        "disks: a running machine's disk is removed",
        "agents/netctl_compute/store.py",
        " and self.has(directory / name) and is_locked(directory / name)",
        " and not self.has(directory / name)",
        _DISKS,
    ),
    Bug(
        "disks: a copy goes on when its agent was killed",
        "agents/netctl_compute/qemu_img.py",
        '_UNDER = ("setpriv", "--pdeathsig", "KILL", "--")',
        '_UNDER = ("setpriv", "--pdeathsig", "clear", "--")',
        _DISKS,
    ),
    Bug(
        "disks: a placeholder fetches the image again",
        "agents/netctl_compute/storage.py",
        "        if vm.role is VmRole.PLACEHOLDER and disk.size_bytes:",
        "        if vm.role is VmRole.PLACEHOLDER and not disk.image:",
        _DISKS,
    ),
    Bug(
        "disks: what another host uses is removed",
        "agents/netctl_compute/storage.py",
        "            if not vm.keep_disks:\n",
        "            if True:\n",
        _DISKS,
    ),
    Bug(
        "disks: a machine is removed before its copies are made",
        "agents/netctl_compute/storage.py",
        "            self._awaits[vm.uid] = frozenset(",
        "            self._awaits[vm.vm] = frozenset(vm.vm + ",
        _DISKS,
    ),
    Bug(
        "disks: an answer file's error tells what is in it",
        "agents/netctl_compute/unattend.py",
        '        raise Problem("BAD_CUSTOMIZATION", "sysprep_unattend_xml is not well-formed XML") from None',
        '        raise Problem("BAD_CUSTOMIZATION", f"not well-formed XML: {answers}") from None',
        _SEEDS,
    ),
    Bug(
        "disks: everybody may read a seed",
        "agents/netctl_compute/seeds.py",
        "os.O_NOFOLLOW, 0o600)",
        "os.O_NOFOLLOW, 0o644)",
        _SEEDS,
    ),
    Bug(
        "disks: what failed is tried without a pause",
        "agents/netctl_compute/work.py",
        "        piece.retry_s = self.clock() + pause_s",
        "        piece.retry_s = self.clock()",
        _WORK,
    ),
    Bug(
        "disks: a CPU feature that is switched off counts",
        "agents/netctl_compute/cpu_report.py",
        'features.discard if feature.get("policy") == "disable" else features.add',
        "features.add",
        _CPUS,
    ),
)
