"""A YAML document whose sections know their path, so that every error can name the key that is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import yaml

from netctl.errors import InvalidIntent


@dataclass(frozen=True, slots=True)
class Section:
    """A mapping of the file that knows its path, so that every error can name it."""

    path: str
    values: Mapping[str, object]

    @classmethod
    def of(cls, value: object, path: str) -> Section:
        """Take a mapping with words as keys, or raise."""
        if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
            raise InvalidIntent(path, f"must be a mapping, is {shown(value)}")
        return cls(path, value)

    def names(self) -> list[str]:
        """Name the keys in the order of the file."""
        return list(self.values)

    def at(self, key: str) -> str:
        """Return a key's path."""
        return f"{self.path}.{key}" if self.path else key

    def get(self, key: str, default: object) -> object:
        """Return a value; one that is there and empty counts as absent."""
        value = self.values.get(key)
        return default if value is None else value

    def mapping(self, key: str) -> Section:
        """Return the section under a key, empty when absent."""
        return Section.of(self.get(key, {}), self.at(key))

    def text(self, key: str, default: str = "") -> str:
        """Return a word; raise when it is absent and has no default."""
        value = self.get(key, default)
        if not isinstance(value, str) or not value:
            raise InvalidIntent(self.at(key), f"must be a word, is {shown(self.values.get(key))}")
        return value


def read_yaml(text: str) -> Section:
    """Parse a document that is a mapping."""
    try:
        return Section.of(yaml.safe_load(text), "")
    except yaml.YAMLError as error:
        raise InvalidIntent("", f"not YAML: {' '.join(str(error).split())}") from None


def shown(value: object) -> str:
    """Return a value for an error's text."""
    return "missing" if value is None else repr(value)[:60]
