"""Commands that change intents: apply, create, update, delete. What they do is loaded when they run."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Annotated, Any

import typer

from netctl.cli.flag import Flag
from netctl.cli.flags import ABOUT, EXAMPLES, FLAGS
from netctl.cli.kinds import KINDS, Kind, parse_kind, resource_name
from netctl.cli.options import (
    DEFAULT_TIMEOUT_S,
    DryRunOption,
    IfRevisionOption,
    KindArgument,
    NamesArgument,
    ReasonOption,
    RequestIdOption,
    Session,
    TextFormat,
    TextOption,
    TimeoutOption,
    WaitOption,
    complete_flag,
    complete_name,
    session_of,
)

if TYPE_CHECKING:
    from netctl.cli.api import Ask
    from netctl.cli.mutate import End

Command = Callable[..., None]

FilesOption = Annotated[
    list[str],
    typer.Option(
        "-f", "--filename", metavar="FILE", help="YAML file, `-` is standard input; repeat for more."
    ),
]
SetOption = Annotated[
    str,
    typer.Option(
        "--set",
        metavar="NAME",
        help="Name of this set of resources; or `set: NAME` in the file.",
        show_default=False,
    ),
]
PruneOption = Annotated[
    bool, typer.Option("--prune", help="Delete what the set once brought and the files no longer name.")
]

NicsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--nic",
        metavar="SUBNET",
        help="A NIC on this subnet, NAME-nic-0 and so on, made with it; repeat for more.",
        show_default=False,
    ),
]


def apply(
    context: typer.Context,
    files: FilesOption,
    *,
    prune: PruneOption = False,
    set_name: SetOption = "",
    dry_run: DryRunOption = False,
    wait: WaitOption = False,
    timeout: TimeoutOption = DEFAULT_TIMEOUT_S,
    reason: ReasonOption = "",
    request_id: RequestIdOption = "",
    output: TextOption = TextFormat.TEXT,
) -> None:
    """Make intents equal to files: create and update (and, with --prune, delete) in one atomic change.

    Prints a line for each resource: created, updated (which fields), unchanged, deleted. Fields that a document leaves
    out go back to their default; what the controller allocated (addresses, MACs) stays.

    Example: netctl apply -f cluster.yaml --dry-run, then: netctl apply -f cluster.yaml --wait
    """
    from netctl.cli import mutate
    from netctl.cli.apply import load

    documents = load(files, set_name)
    told = ChangeOptions(dry_run, wait, timeout, reason, request_id, output)
    mutate.apply(session_of(context).client, documents, told.ask, told.end, prune=prune)


def delete(
    context: typer.Context,
    kind: KindArgument,
    names: NamesArgument,
    *,
    if_revision: IfRevisionOption = 0,
    dry_run: DryRunOption = False,
    wait: WaitOption = False,
    timeout: TimeoutOption = DEFAULT_TIMEOUT_S,
    reason: ReasonOption = "",
    request_id: RequestIdOption = "",
    output: TextOption = TextFormat.TEXT,
) -> None:
    """Delete resources, several as one atomic change. What others depend on is refused, with their names.

    Example: netctl delete nic web-1 web-2 --reason "end of test"
    """
    from netctl.cli import mutate

    parsed = parse_kind(kind)
    full = [resource_name(parsed, name) for name in names]
    told = ChangeOptions(dry_run, wait, timeout, reason, request_id, output)
    mutate.delete(session_of(context).client, full, told.ask, told.end, if_revision=if_revision)


@dataclass(frozen=True, slots=True)
class ChangeOptions:
    """The options that all commands have which change something."""

    dry_run: bool
    wait: bool
    timeout: float
    reason: str
    request_id: str
    output: str

    @classmethod
    def read(cls, options: Mapping[str, Any]) -> ChangeOptions:
        """Read them from typer's parameters."""
        return cls(**{field.name: options[field.name] for field in fields(cls)})

    @property
    def ask(self) -> Ask:
        """What every mutation carries."""
        from netctl.cli.api import Ask

        return Ask(request_id=self.request_id, dry_run=self.dry_run, reason=self.reason)

    @property
    def end(self) -> End:
        """How the command ends."""
        from netctl.cli.mutate import End

        return End(timeout_s=self.timeout if self.wait else None, output=self.output)


def make_create(kind: Kind) -> Command:
    """Make `netctl create KIND` from the table of flags."""

    def create(context: typer.Context, name: str, **options: Any) -> None:
        from netctl.cli import edit

        given, nics = edit.read_flags(kind, name, options), options.get("nic") or ()
        _run(session_of(context), options, lambda client, ask: edit.create(client, given, ask, nics))

    create.__doc__ = (
        f"Create {_one(kind)}.\n\n    {ABOUT[kind.word]}\n\n    Example: netctl {EXAMPLES[kind.word][0]}"
    )
    more = (("nic", NicsOption, None),) if kind.word == "vm" else ()
    return with_flags(create, FLAGS[kind.word], *more)


def make_update(kind: Kind) -> Command:
    """Make `netctl update KIND` from the table of flags."""

    def update(context: typer.Context, name: str, **options: Any) -> None:
        from netctl.cli import edit

        given, if_revision = edit.read_flags(kind, name, options), options["if_revision"]
        _run(
            session_of(context),
            options,
            lambda client, ask: edit.update(client, given, ask, if_revision=if_revision),
        )

    update.__doc__ = (
        f"Change the fields of {_one(kind)} that flags name, and no others.\n\n"
        f'    A list is replaced as a whole, "" empties it. Of labels only those named change; KEY- takes one away.\n\n'
        f"    Example: netctl {EXAMPLES[kind.word][1]}"
    )
    flags = tuple(flag for flag in FLAGS[kind.word] if not flag.fixed)
    return with_flags(update, flags, ("if_revision", IfRevisionOption, 0))


def _one(kind: Kind) -> str:
    return f"{'an' if kind.word[0] in 'aeiou' else 'a'} {kind.word}"


def make_group(name: str, make: Callable[[Kind], Command], help_: str) -> typer.Typer:
    """Make `netctl create` or `netctl update`: one command for each kind, and its short word."""
    group = typer.Typer(name=name, help=help_, no_args_is_help=True, rich_markup_mode=None)
    for kind in KINDS:
        command = make(kind)
        group.command(kind.word)(command)
        for short in kind.shorts:
            group.command(short, hidden=True)(command)
    return group


_NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Its id.", autocompletion=complete_name)]
MUTATION_OPTIONS: tuple[tuple[str, Any, Any], ...] = (
    ("dry_run", DryRunOption, False),
    ("wait", WaitOption, False),
    ("timeout", TimeoutOption, DEFAULT_TIMEOUT_S),
    ("reason", ReasonOption, ""),
    ("request_id", RequestIdOption, ""),
    ("output", TextOption, TextFormat.TEXT),
)


def with_flags(
    command: Callable[..., None],
    flags: tuple[Flag, ...],
    *more: tuple[str, Any, Any],
    before: tuple[str, Any] | None = None,
    name: Any = _NameArgument,
    common: tuple[tuple[str, Any, Any], ...] = MUTATION_OPTIONS,
) -> Command:
    """Give a command the signature that typer reads its options from; `before` is an argument before NAME."""
    keyword, positional = inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD
    arguments = [("context", typer.Context), *([before] if before is not None else []), ("name", name)]
    parameters = [inspect.Parameter(n, positional, annotation=a) for n, a in arguments]
    options = [*((flag.parameter, _annotate(flag), None) for flag in flags), *more, *common]
    parameters += [inspect.Parameter(n, keyword, annotation=a, default=d) for n, a, d in options]
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # inspect honours it
    return command


def _annotate(flag: Flag) -> Any:
    option = typer.Option(
        flag.option,
        metavar=flag.metavar,
        help=flag.help,
        show_default=False,
        autocompletion=complete_flag(flag),
    )
    return Annotated[list[str] | None, option] if flag.many else Annotated[str | None, option]


def _run(session: Session, options: dict[str, Any], change: Callable[..., Any]) -> None:
    """Make one change, wait for it if asked, print what became of it."""
    from netctl.cli import mutate

    told = ChangeOptions.read(options)
    mutate.finish(session.client, change(session.client, told.ask), told.ask, told.end)
