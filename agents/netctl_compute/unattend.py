"""Windows' answer file: the licence key is set into it by an XML parser, so that it can become nothing but a text.

Source: Microsoft's Unattended Windows Setup Reference: Microsoft-Windows-Shell-Setup/ProductKey (pass specialize) and
Microsoft-Windows-Setup/UserData/ProductKey/Key (pass windowsPE).
"""

from __future__ import annotations

import re
from xml.etree import ElementTree

from netctl_compute.problem import Problem

_NAMESPACE = "urn:schemas-microsoft-com:unattend"
_ACTIONS = "http://schemas.microsoft.com/WMIConfig/2002/State"
_COMPONENT = {
    "name": "Microsoft-Windows-Shell-Setup",
    "processorArchitecture": "amd64",
    "publicKeyToken": "31bf3856ad364e35",
    "language": "neutral",
    "versionScope": "nonSxS",
}
_KEY = re.compile(r"[0-9A-Z]{5}(-[0-9A-Z]{5}){4}")
_EMPTY = f'<unattend xmlns="{_NAMESPACE}"/>'

# Windows wants the names that it is used to.
ElementTree.register_namespace("", _NAMESPACE)
ElementTree.register_namespace("wcm", _ACTIONS)


def render_unattend(answers: str, license_key: str) -> bytes:
    """Return the answer file with the key in it; a file of the key alone when there are no `answers`.

    Raises Problem BAD_CUSTOMIZATION, whose text has nothing of either.
    """
    if license_key and not _KEY.fullmatch(license_key):
        raise Problem("BAD_CUSTOMIZATION", "windows_license_key is not 5 groups of 5 letters and digits")
    root = _parse(answers or _EMPTY)
    if license_key:
        _set_key(root, license_key)
    try:
        text: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    except RecursionError:
        raise Problem("BAD_CUSTOMIZATION", "sysprep_unattend_xml is nested too deeply") from None
    return text


def _parse(answers: str) -> ElementTree.Element:
    # Entities are how a short file becomes a long one; an answer file has none.
    if "<!DOCTYPE" in answers:
        raise Problem("BAD_CUSTOMIZATION", "sysprep_unattend_xml has a DOCTYPE, which an answer file has not")
    try:
        root = ElementTree.fromstring(answers.encode())
    except (ElementTree.ParseError, ValueError, LookupError):
        # The parser's own words may quote the file, which has passwords.
        raise Problem("BAD_CUSTOMIZATION", "sysprep_unattend_xml is not well-formed XML") from None
    if root.tag != _tag("unattend"):
        raise Problem(
            "BAD_CUSTOMIZATION", f"sysprep_unattend_xml is not an answer file: no unattend of {_NAMESPACE}"
        )
    return root


def _set_key(root: ElementTree.Element, key: str) -> None:
    """Replace the key wherever the file has one for this; else add it where Windows looks after sysprep."""
    for held in root.iter(_tag("UserData")):
        for product in held.iter(_tag("ProductKey")):
            _child(product, "Key").text = key
    components = [
        component
        for settings in root.iter(_tag("settings"))
        if settings.get("pass") == "specialize"
        for component in settings.iter(_tag("component"))
        if component.get("name") == _COMPONENT["name"]
    ]
    for component in components or [_new_component(root)]:
        _child(component, "ProductKey").text = key


def _new_component(root: ElementTree.Element) -> ElementTree.Element:
    passes = (each for each in root.iter(_tag("settings")) if each.get("pass") == "specialize")
    settings = next(passes, None)
    if settings is None:
        settings = ElementTree.SubElement(root, _tag("settings"), {"pass": "specialize"})
    return ElementTree.SubElement(settings, _tag("component"), _COMPONENT)


def _child(parent: ElementTree.Element, name: str) -> ElementTree.Element:
    found = parent.find(_tag(name))
    return ElementTree.SubElement(parent, _tag(name)) if found is None else found


def _tag(name: str) -> str:
    return f"{{{_NAMESPACE}}}{name}"
