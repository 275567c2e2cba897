"""An oracle that asked the compiler would agree with it: nothing of it may stand in tests/oracle."""

from __future__ import annotations

import ast
from pathlib import Path

ORACLE = Path(__file__).resolve().parents[2] / "oracle"
ALLOWED = ("netctl.model.", "netctl.errors", "tests.oracle.")


def imports(source: str) -> set[str]:
    """Name the modules of ours that a file imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return {name for name in found if name.startswith(("netctl", "tests"))}


def test_the_oracle_reads_nouns_and_nothing_that_works_on_them() -> None:
    found = {name for path in ORACLE.glob("*.py") for name in imports(path.read_text())}
    assert found, "there is an oracle"
    assert not {name for name in found if not name.startswith(ALLOWED)}
    assert imports("from netctl.compiler.route import winner") == {"netctl.compiler.route"}
