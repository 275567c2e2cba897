"""One flag of `create` and `update`, and those that every kind has."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """One flag: the field that it sets, its placeholder and its help. `fixed`: cannot change, so not in `update`."""

    path: str
    option: str
    metavar: str
    help: str
    fixed: bool = False
    many: bool = False

    @property
    def parameter(self) -> str:
        """Its name among a command's parameters."""
        return "flag_" + self.path.replace(".", "_")


def make_flag(
    path: str, metavar: str, help_: str, *, option: str = "", fixed: bool = False, many: bool = False
) -> Flag:
    """Return a flag; its name is the field's unless `option` says another."""
    option = option or "--" + path.replace(".", "-").replace("_", "-")
    return Flag(path=path, option=option, metavar=metavar, help=help_, fixed=fixed, many=many)


COMMON = (
    make_flag("display_name", "TEXT", "Free text for people."),
    make_flag("labels", "KEY=VALUE", "A label; repeat for more.", option="--label", many=True),
)
