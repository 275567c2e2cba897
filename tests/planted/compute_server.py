"""Bugs of the server's compute half: secrets, images' bytes, copies, agents' streams."""

from __future__ import annotations

from tests.planted.bug import Bug

BUGS = (
    Bug(
        "a batch stores what a guest is told in plain",
        "netctl/server/batch.py",
        "intent = noun.from_proto(noun.seal(message, self._sealer))",
        "intent = noun.from_proto(message)",
        "tests/functional/server/test_secrets.py",
    ),
    Bug(
        "an answer tells what a guest is told",
        "netctl/server/convert_vm.py",
        """    if vm.customization != GuestCustomization():
        message.customization.has_secrets = True
""",
        """    if vm.customization != GuestCustomization():
        message.customization.has_secrets = True
        message.customization.user_data = vm.customization.user_data
""",
        "tests/functional/server/test_secrets.py",
    ),
    Bug(
        "a key that others can read is taken",
        "netctl/server/sealing.py",
        "if not stat.S_ISREG(mode) or mode & 0o077:",
        "if not stat.S_ISREG(mode):",
        "tests/unit/server/test_sealing.py",
    ),
    Bug(
        "what is wrong in an answer file is told with what it says",
        "netctl/server/guest_secrets.py",
        'is not well-formed XML, at line {line}, column {column}"',
        'is not well-formed XML, at line {line}, column {column}: {text}"',
        "tests/functional/server/test_secrets.py",
    ),
    Bug(
        "an image with a backing file is taken",
        "netctl/server/image_content.py",
        "if self._backing or self._backing_bytes:",
        "if self._backing_bytes > 1023:",
        "tests/unit/server/test_image_content.py",
    ),
    Bug(
        "an image that lacks its end is taken",
        "netctl/server/image_content.py",
        "            if offset >= self._length:",
        "            if offset > self._length + (1 << 40):",
        "tests/unit/server/test_image_content.py",
    ),
    Bug(
        "half of an upload counts as all of it when its client dies",
        "netctl/server/edge.py",
        "            return await inner(whole(requests), context)",
        "            return await inner(_checked_all(requests), context)",
        "tests/functional/server/test_images.py",
    ),
    Bug(
        "a sweep takes an image that was stored while it looked",
        "netctl/server/image_store.py",
        "            if uid not in coming and (path.name.endswith(_COMING) or uid not in kept):",
        "            if uid not in coming:",
        "tests/functional/server/test_images.py",
    ),
    Bug(
        "a link leads out of the import folder",
        "netctl/server/image_source.py",
        "if not stat.S_ISREG(os.fstat(handle).st_mode) or not found.is_relative_to(folder):",
        "if not stat.S_ISREG(os.fstat(handle).st_mode):",
        "tests/functional/server/test_image_fetch.py",
    ),
    Bug(
        "a clone copies one disk of its original for all",
        "netctl/server/vm_copies.py",
        'return replace(bare, image=ImageId(""), source_vm=source.id, source_index=index)',
        'return replace(bare, image=ImageId(""), source_vm=source.id, source_index=0)',
        "tests/functional/server/test_vms.py",
    ),
    Bug(
        "a compute agent that was replaced makes its host gone",
        "netctl/server/compute_agents.py",
        """            if self._streams.leave(stream):
                self._reports.note_disconnect(stream.host)
""",
        """            self._streams.leave(stream)
            self._reports.note_disconnect(stream.host)
""",
        "tests/functional/server/test_compute_agents.py",
    ),
)
