"""Options that commands share, and the session that they act in."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Annotated

import typer

from netctl.cli.kinds import WORDS_AND_SHORTS

if TYPE_CHECKING:
    from netctl.cli.client import Client
    from netctl.cli.flag import Flag
    from netctl.cli.kinds import Kind


@dataclass
class Session:
    """One run of the command: where the server is, whether errors are JSON, and the client once it is needed."""

    server: str = ""
    errors_as_json: bool = False

    @cached_property
    def client(self) -> Client:
        """The client; gRPC is loaded here, so that help and completion do without."""
        from netctl.cli.address import find_server
        from netctl.cli.client import Client

        return Client(find_server(self.server))

    def close(self) -> None:
        """Close the client if there is one."""
        if "client" in self.__dict__:
            self.client.close()


class TableFormat(enum.StrEnum):
    """How `get` prints."""

    TABLE = "table"
    WIDE = "wide"
    JSON = "json"
    YAML = "yaml"
    NAME = "name"


class TextFormat(enum.StrEnum):
    """How mutations and single answers print."""

    TEXT = "text"
    JSON = "json"
    YAML = "yaml"
    NAME = "name"


class StreamFormat(enum.StrEnum):
    """How streams print: one line, or one JSON object in a line, for each event."""

    TEXT = "text"
    JSON = "json"


def session_of(context: typer.Context) -> Session:
    """Return the session of a command."""
    session = context.find_root().obj
    assert isinstance(session, Session)
    return session


def _remember_format(context: typer.Context, value: str) -> str:
    if not context.resilient_parsing:
        session_of(context).errors_as_json = value == "json"
    return value


def complete_kind(incomplete: str) -> list[str]:
    """Complete a kind."""
    from netctl.cli.kinds import WORDS

    return [word for word in (*WORDS, "all") if word.startswith(incomplete)]


def complete_name(context: typer.Context, incomplete: str) -> list[str]:
    """Complete the id of a resource of the kind on the command line, by asking the server; silent when it is away."""
    from netctl.cli.kinds import find_kind

    kind = find_kind(context.params.get("kind") or context.info_name or "")
    if kind is None and context.parent is not None:  # `netctl host show-uplinks`
        kind = find_kind(context.parent.info_name or "")
    return [] if kind is None else [id_ for id_ in _read_ids(kind) if id_.startswith(incomplete)]


def complete_ids(collection: str) -> Callable[[str], list[str]]:
    """Return what completes the ids of one kind."""

    def complete(incomplete: str) -> list[str]:
        from netctl.cli.kinds import BY_COLLECTION

        return [id_ for id_ in _read_ids(BY_COLLECTION[collection]) if id_.startswith(incomplete)]

    return complete


def complete_flag(flag: Flag) -> Callable[[str], list[str]] | None:
    """Return what completes a flag's value: the words of its placeholder, or ids of what it refers to."""
    from netctl.cli.kinds import BY_COLLECTION, REFERENCES, TERMS

    field = flag.path.rpartition(".")[2]
    field = _SHORT_FORMS_BEGIN_WITH.get(field, field)
    collection = REFERENCES.get(field)
    terms = tuple(BY_COLLECTION[name] for name in TERMS.get(field, ()))
    known = ["true", "false"] if flag.metavar == "BOOL" else flag.metavar.split("|")
    words = [word for word in known if word.islower()]
    if collection is None and not words and not terms:
        return None

    def complete(incomplete: str) -> list[str]:
        ids = _read_ids(BY_COLLECTION[collection]) if collection is not None else []
        # Of several kinds: as people write them, `cat/web`.
        ids += [f"{(*kind.shorts, kind.word)[0]}/{id_}" for kind in terms for id_ in _read_ids(kind)]
        return [text for text in (*words, *ids) if text.startswith(incomplete)]

    return complete


# Lists of small messages whose one-line form begins with, or may be, the id of another resource.
_SHORT_FORMS_BEGIN_WITH = {
    "external_connections": "external_subnet",
    "next_hops": "external_subnet",
    "uplinks": "virtual_switch",
    "nic_pairs": "ingress_nic",
    "include": "all_of",
    "except": "all_of",
}


def _read_ids(kind: Kind) -> list[str]:
    """Ask the server for the ids of a kind; there are none when it is away."""
    from netctl.cli.api import list_all
    from netctl.cli.failures import Failure

    session = Session()
    try:
        return [resource.name.partition("/")[2] for resource in list_all(session.client, kind)]
    except Failure:
        return []
    finally:
        session.close()


KindArgument = Annotated[
    str,
    typer.Argument(
        metavar="KIND",
        help=f"{WORDS_AND_SHORTS}.",
        autocompletion=complete_kind,
    ),
]
NameArgument = Annotated[
    str,
    typer.Argument(metavar="NAME", help="Its id (web) or name (subnets/web).", autocompletion=complete_name),
]
NamesArgument = Annotated[
    list[str],
    typer.Argument(metavar="NAME", help="Ids (web) or names (subnets/web).", autocompletion=complete_name),
]
TableOption = Annotated[
    TableFormat,
    typer.Option("-o", "--output", help="How to print.", callback=_remember_format, is_eager=True),
]
TextOption = Annotated[
    TextFormat, typer.Option("-o", "--output", help="How to print.", callback=_remember_format, is_eager=True)
]
StreamOption = Annotated[
    StreamFormat,
    typer.Option("-o", "--output", help="How to print.", callback=_remember_format, is_eager=True),
]
RequestIdOption = Annotated[
    str,
    typer.Option(
        "--request-id",
        metavar="ID",
        help="Idempotency key: the same request with the same id is done once in 24 h. A fresh one by default.",
        show_default=False,
    ),
]
DryRunOption = Annotated[
    bool,
    typer.Option(
        "--dry-run",
        help="Let the controller check everything and say which rows of OVN would change; change nothing.",
    ),
]
ReasonOption = Annotated[
    str, typer.Option("--reason", metavar="TEXT", help="Why, for `netctl history`.", show_default=False)
]
WaitOption = Annotated[bool, typer.Option("--wait", help="Return once it is in the network (PROGRAMMED).")]
DEFAULT_TIMEOUT_S = 60.0
TimeoutOption = Annotated[float, typer.Option("--timeout", metavar="S", help="Seconds to wait at most.")]
IfRevisionOption = Annotated[
    int,
    typer.Option(
        "--if-revision", metavar="N", help="Refuse unless it is at this revision.", show_default=False
    ),
]
