"""What a guest is told, on its way in: checked, then sealed, before anything else sees it.

In: a customization as a client sent it; out: the same with sealed texts. The message that the client sent is left as it
is: a repetition is known by its digest.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from typing import Protocol

from netctl.errors import InvalidIntent
from netctl.model.keys import Kind
from netctl.model.snapshot import Snapshot
from netctl.model.vm import Sealed, Vm
from netctl.server.convert_vm import SECRETS
from netctl.server.sealing import VTPM_SECRET
from netctl.v1 import compute_pb2 as pb

# A host has a hundred machines, and their assignment is one message of at most 64 MiB.
TEXT_MAX_BYTES = 128 << 10
_LICENSE_KEY = re.compile(r"[A-Z0-9]{5}(-[A-Z0-9]{5}){4}\Z")
# Tab, line feed and carriage return are text; what else is below blank is in no file that a guest reads as text.
_BINARY = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


class Sealer(Protocol):
    """Who seals (`sealing.py`)."""

    def seal(self, purpose: str, text: str) -> Sealed:
        """Return a text sealed for one field."""
        ...


class Opener(Protocol):
    """Who opens what was sealed (`sealing.py`)."""

    def open(self, purpose: str, sealed: Sealed) -> str:
        """Return the text that was sealed for one field."""
        ...


def check_opens(snapshot: Snapshot, opener: Opener) -> None:
    """Raise StoreUnavailable when the key is not the one that the stored secrets were sealed with.

    At the start that is a sentence to an operator; later no host with a secret could be sent anything.
    """
    for vm in snapshot.of_kind(Kind.VM):
        assert isinstance(vm, Vm)
        secrets = (
            (VTPM_SECRET, vm.vtpm_secret),
            *((name, getattr(vm.customization, name)) for name in SECRETS),
        )
        for purpose, sealed in secrets:
            if sealed:
                opener.open(purpose, sealed)
                return


def sealed_vm(message: pb.Vm, sealer: Sealer) -> pb.Vm:
    """Return the message of a virtual machine with its secrets sealed."""
    if not message.HasField("customization"):
        return message
    copy = pb.Vm()
    copy.CopyFrom(message)
    copy.customization.CopyFrom(sealed_customization("customization", message.customization, sealer))
    return copy


def sealed_customization(field: str, message: pb.GuestCustomization, sealer: Sealer) -> pb.GuestCustomization:
    """Return a customization with all texts sealed; InvalidIntent says what is wrong, and never what was sent."""
    sealed = pb.GuestCustomization()
    for name in SECRETS:
        text = getattr(message, name)
        if text:
            _check(f"{field}.{name}", name, text)
            setattr(sealed, name, sealer.seal(name, text))
    return sealed


def _check(field: str, name: str, text: str) -> None:
    size = len(text.encode())
    if size > TEXT_MAX_BYTES:
        raise InvalidIntent(field, f"has {size} bytes; at most {TEXT_MAX_BYTES} are allowed")
    if _BINARY.search(text):
        raise InvalidIntent(field, "holds a control character; give text")
    if name == "windows_license_key" and not _LICENSE_KEY.match(text):
        raise InvalidIntent(
            field, "is not a product key: 5 groups of 5 of A-Z and 0-9, joined by '-', e.g. AAAAA-BBBBB-..."
        )
    if name == "sysprep_unattend_xml":
        _check_answer_file(field, text)


def _check_answer_file(field: str, text: str) -> None:
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise InvalidIntent(field, "holds a document type; an answer file has none: remove it")
    try:
        # Entities, which could make little text huge, need the document type that is refused above.
        root = ElementTree.fromstring(text.encode())
    except ElementTree.ParseError as error:
        line, column = error.position
        raise InvalidIntent(field, f"is not well-formed XML, at line {line}, column {column}") from None
    if root.tag.rpartition("}")[2] != "unattend":
        raise InvalidIntent(field, "is not an answer file: its outermost element must be <unattend>")
