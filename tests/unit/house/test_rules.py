"""The rules of the house hold in every file, and each rule's checker sees a violation planted for it."""

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.unit.house import rules

ROOT = Path(__file__).parents[3]
PRODUCT = ("netctl/", "agents/")
CODE = (*PRODUCT, "tests/", "bench/")
EVERYTHING = ("",)
GENERATED = "netctl/v1/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    check: rules.Checker
    where: tuple[str, ...]
    planted: str
    suffix: str = ".py"
    allowed: tuple[str, ...] = ()

    def covers(self, path: str) -> bool:
        return (
            path.startswith(self.where)
            and path.endswith(self.suffix)
            and not path.startswith((GENERATED, *self.allowed))
        )


RULES = (
    Rule(check=rules.file_is_short, where=CODE, planted="x = 1\n" * 401),
    Rule(check=rules.functions_are_short, where=PRODUCT, planted="def f():\n" + "    x = 1\n" * 40),
    Rule(check=rules.functions_take_few_parameters, where=PRODUCT, planted="def f(a, b, c, d, *, e, f): ..."),
    Rule(check=rules.module_says_what_it_is, where=PRODUCT, planted="import os\n"),
    Rule(
        check=rules.waits_on_conditions,
        where=CODE,
        planted="import time as clock\nclock.sleep(1)\n",
        allowed=("netctl/loop.py",),
    ),
    Rule(
        check=rules.catches_what_it_knows,
        where=CODE,
        planted="try:\n    f()\nexcept (OSError, Exception):\n    pass\n",
        allowed=("netctl/loop.py",),
    ),
    Rule(check=rules.runs_on_any_machine, where=EVERYTHING, suffix="", planted="cd /" + "work/main\n"),
    Rule(check=rules.forks_nothing, where=CODE, planted="with IPRoute(netns=name) as ip:\n    pass\n"),
    Rule(check=rules.is_finished, where=CODE, planted="x = 1  # TO" + "DO: later\n"),
    Rule(check=rules.tests_really_run, where=CODE, planted="@pytest." + "mark.skipif(True)\n"),
)

BY_NAME = pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.check.__name__)


@BY_NAME
def test_the_rule_holds_in_every_file(rule: Rule, paths: tuple[str, ...]) -> None:
    covered = [path for path in paths if rule.covers(path)]
    assert covered, "the rule looks at no file at all"
    assert not [f"{path}: {fault}" for path in covered for fault in rule.check(read(path))]


@BY_NAME
def test_the_rule_sees_a_planted_violation(rule: Rule) -> None:
    assert list(rule.check(rule.planted))


@pytest.mark.parametrize(
    ("check", "source"),
    [
        (rules.functions_are_short, 'def f():\n    """' + "word\n" * 40 + '    """\n    return 1\n'),
        (rules.functions_take_few_parameters, "def f(self, a, b, c, d, e, *, f=1, g=2): ..."),
        (rules.waits_on_conditions, "import asyncio\nasyncio.sleep(1)\n"),
        (rules.catches_what_it_knows, "try:\n    f()\nexcept OSError:\n    pass\n"),
        (
            rules.forks_nothing,
            "subprocess.run(['ip', 'netns', 'add', 'a'])\nnetns.setns('a', flags=0)\nIPRoute()\n",
        ),
        (rules.runs_on_any_machine, "see docs/work/root and /usr/sbin, /workers, /root-ca\n"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_the_rule_leaves_what_is_allowed_alone(check: rules.Checker, source: str) -> None:
    assert not list(check(source))


@pytest.mark.parametrize(
    ("check", "source"),
    [
        (rules.waits_on_conditions, "from time import sleep\n"),
        (rules.catches_what_it_knows, "try:\n    f()\nexcept:\n    pass\n"),
        (rules.catches_what_it_knows, "with contextlib.suppress(BaseException):\n    f()\n"),
        (rules.forks_nothing, "os.fork()\n"),
        (rules.forks_nothing, "from os import fork as split\n"),
        (rules.forks_nothing, "import multiprocessing.pool\n"),
        (rules.forks_nothing, "from concurrent.futures import ProcessPoolExecutor\n"),
        (rules.forks_nothing, "subprocess.Popen(command, preexec_fn=prepare)\n"),
        (rules.forks_nothing, "netns.create(name)\n"),
        (rules.forks_nothing, "netns.setns(name)\n"),
        (rules.forks_nothing, "netns.pushns(name)\n"),
        (rules.runs_on_any_machine, "HOME=/" + "root\n"),
        (rules.runs_on_any_machine, "https://" + "py" + "pi.org/simple\n"),
        (rules.runs_on_any_machine, "https://example.net/releases" + "/download/v1\n"),
        (rules.is_finished, "# FIX" + "ME\n"),
        (rules.tests_really_run, "from unittest import mo" + "ck\n"),
        (rules.tests_really_run, "@pytest.mark.x" + "fail\n"),
    ],
)
def test_the_rule_sees_other_spellings(check: rules.Checker, source: str) -> None:
    assert list(check(source))


@pytest.fixture(scope="module")
def paths() -> tuple[str, ...]:
    """Name every file that is committed, or would be by `git add`."""
    # safe.directory: under sudo the checkout belongs to somebody else, and git refuses that by default.
    git = ["git", "-c", "safe.directory=*", "-C", str(ROOT), "ls-files", "-z"]
    listed = subprocess.run(
        [*git, "--cached", "--others", "--exclude-standard"], check=True, capture_output=True, text=True
    )
    return tuple(sorted(set(_files(listed.stdout.split("\0")))))


def _files(names: list[str]) -> Iterator[str]:
    return (name for name in names if name and (ROOT / name).is_file())


def read(path: str) -> str:
    """Return a file's text; a picture's bytes become characters that no rule looks for."""
    return (ROOT / path).read_text(encoding="utf-8", errors="replace")
