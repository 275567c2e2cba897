"""The rules of the house as checkers: the text of one file goes in, what is wrong with it comes out.

A checker knows nothing of where a rule applies; `test_rules.py` says that. Words that the rules forbid are
spelled here in pieces or as patterns, so that the rules do not find themselves.
"""

import ast
import re
from collections.abc import Callable, Iterator

Checker = Callable[[str], Iterator[str]]

MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 40
MAX_PARAMETERS = 5

_MACHINE_PATH = re.compile(r"(?<![\w.~*-])/(?:work|root|opt/wheels)(?:/|\b(?![\w-]))")
_REGISTRY = re.compile(
    r"pypi\.(?:org|io)|pythonhosted\.|registry\.npm|npmjs\.|crates\.io|proxy\.golang|repo1?\.maven"
    r"|(?:deb|security|ftp)\.debian\.|/debian(?:-security)?/(?:pool|dists)/|(?:ghcr|quay|gcr)\.io|registry-1\."
    r"|/release[s]/download/|--(?:extra-)?index-url|--find[-]links"
)
_UNFINISHED = re.compile(r"\bTO[D]O\b|\bFIX[M]E\b")
_UNTESTED = re.compile(
    r"pytest[.](?:mark[.])?skip|import[o]rskip|\bx[f]ail|unittest[.]mock|unittest import mo[c]k"
)

_FORKING_MODULES = {"multiprocessing", "pty"}
_FORKING_NAMES = {"fork", "forkpty", "ProcessPoolExecutor", "ChildProcess", "NSPopen", "NetNS", "pushns"}
_FORKING_NETNS = {"create", "create_socket"}
_FORKING_KEYWORDS = {"netns", "preexec_fn"}

_Function = ast.FunctionDef | ast.AsyncFunctionDef


def file_is_short(source: str) -> Iterator[str]:
    """Find a file that should be two."""
    lines = len(source.splitlines())
    if lines > MAX_FILE_LINES:
        yield f"{lines} lines, {MAX_FILE_LINES} at most"


def functions_are_short(source: str) -> Iterator[str]:
    """Find functions that are too long, from `def` to the end, the docstring not counted."""
    for function in _functions(source):
        assert function.end_lineno is not None
        lines = function.end_lineno - function.lineno + 1 - _docstring_lines(function)
        if lines > MAX_FUNCTION_LINES:
            yield f"line {function.lineno}: {function.name} has {lines} lines, {MAX_FUNCTION_LINES} at most"


def functions_take_few_parameters(source: str) -> Iterator[str]:
    """Find functions with too many parameters; self, cls and keyword-only ones with a default are free."""
    for function in _functions(source):
        count = _parameters_to_give(function.args)
        if count > MAX_PARAMETERS:
            yield (
                f"line {function.lineno}: {function.name} takes {count} parameters, {MAX_PARAMETERS} at most"
                " (keyword-only ones with a default are not counted)"
            )


def module_says_what_it_is(source: str) -> Iterator[str]:
    """Find a module without a docstring."""
    if ast.get_docstring(ast.parse(source)) is None:
        yield "no module docstring: what comes in, what goes out, what it owns, the source of truth"


def waits_on_conditions(source: str) -> Iterator[str]:
    """Find sleeps of the time module, whatever name they were imported by."""
    tree = ast.parse(source)
    names = {name for module, name in _imported_modules(tree) if module == "time"}
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=ast.Name(id=name), attr="sleep") if name in names:
                yield f"line {node.lineno}: time.sleep; wait on a condition with netctl.loop"
            case ast.ImportFrom(module="time", names=imported) if "sleep" in {
                alias.name for alias in imported
            }:
                yield f"line {node.lineno}: time.sleep; wait on a condition with netctl.loop"


def catches_what_it_knows(source: str) -> Iterator[str]:
    """Find handlers that catch everything: `except:`, `except Exception`, `suppress(Exception)`."""
    broad = {"Exception", "BaseException"}
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.ExceptHandler(type=None):
                yield f"line {node.lineno}: bare except; only netctl/loop.py catches everything"
            case ast.ExceptHandler(type=ast.expr() as caught) if broad & _names(caught):
                yield f"line {node.lineno}: except Exception; only netctl/loop.py catches everything"
            case ast.Call(func=called, args=arguments) if _name(called) == "suppress":
                if broad & {name for argument in arguments for name in _names(argument)}:
                    yield f"line {node.lineno}: suppress(Exception); only netctl/loop.py catches everything"


def runs_on_any_machine(source: str) -> Iterator[str]:
    """Find paths of a developer's machine and addresses of package registries."""
    yield from _lines_matching(_MACHINE_PATH, source, "a path of one machine")
    yield from _lines_matching(_REGISTRY, source, "a registry or download address; pip and apt know theirs")


def forks_nothing(source: str) -> Iterator[str]:
    """Find what forks without an exec: a child forked among gRPC's threads may die before its first step.

    subprocess is fine: it starts its child with vfork(2) unless `preexec_fn` is given.
    """
    advice = "a fork, which must not meet gRPC's threads; run a program, or use netctl.lab.namespaces"
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=imported):
                found = {alias.name.partition(".")[0] for alias in imported} & _FORKING_MODULES
            case ast.ImportFrom(module=module, names=imported):
                found = {(module or "").partition(".")[0]} & _FORKING_MODULES
                found |= {alias.name for alias in imported} & _FORKING_NAMES
            case ast.Attribute(value=ast.Name(id="netns"), attr=name) if name in _FORKING_NETNS:
                found = {f"netns.{name}"}
            case ast.Attribute(attr=name) | ast.Name(id=name) if name in _FORKING_NAMES:
                found = {name}
            case ast.Call(keywords=keywords):
                found = {f"{keyword.arg}=" for keyword in keywords if keyword.arg in _FORKING_KEYWORDS}
                if _name(node.func) == "setns" and not _never_makes_one(node):
                    found.add("setns without flags=0")
            case _:
                continue
        for name in sorted(found):
            yield f"line {node.lineno}: {name}: {advice}"


def is_finished(source: str) -> Iterator[str]:
    """Find notes of work that was left."""
    yield from _lines_matching(_UNFINISHED, source, "unfinished; do it, or open an issue")


def tests_really_run(source: str) -> Iterator[str]:
    """Find tests that can pass without running, and mocks."""
    yield from _lines_matching(_UNTESTED, source, "no skipped tests, no expected failures, no mocks")


def _functions(source: str) -> Iterator[_Function]:
    return (node for node in ast.walk(ast.parse(source)) if isinstance(node, _Function))


def _docstring_lines(function: _Function) -> int:
    if ast.get_docstring(function) is None:
        return 0
    docstring = function.body[0]
    assert docstring.end_lineno is not None
    return docstring.end_lineno - docstring.lineno + 1


def _parameters_to_give(arguments: ast.arguments) -> int:
    positional = [*arguments.posonlyargs, *arguments.args]
    if positional and positional[0].arg in ("self", "cls"):
        del positional[0]
    required = [default for default in arguments.kw_defaults if default is None]
    return len(positional) + len(required) + (arguments.vararg is not None) + (arguments.kwarg is not None)


def _imported_modules(tree: ast.AST) -> Iterator[tuple[str, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, alias.asname or alias.name) for alias in node.names)


def _name(node: ast.expr) -> str:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case _:
            return ""


def _names(node: ast.expr) -> set[str]:
    elements = node.elts if isinstance(node, ast.Tuple) else [node]
    return {_name(element) for element in elements}


def _never_makes_one(setns: ast.Call) -> bool:
    """Say whether flags=0 keeps pyroute2 from making a missing namespace, which it does in a forked child."""
    flags = {keyword.arg: keyword.value for keyword in setns.keywords}.get("flags")
    return isinstance(flags, ast.Constant) and flags.value == 0


def _lines_matching(pattern: re.Pattern[str], source: str, reason: str) -> Iterator[str]:
    for number, line in enumerate(source.splitlines(), 1):
        if found := pattern.search(line):
            yield f"line {number}: {found[0]!r}: {reason}"
