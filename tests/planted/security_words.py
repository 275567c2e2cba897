"""Bugs of what people and scripts type about security."""

from __future__ import annotations

from tests.planted.bug import Bug

BUGS = (
    Bug(
        "what a script leaves out between commas is nothing said",
        "netctl/cli/rule_forms.py",
        "if not all(part.strip() for part in",
        "if not any(part.strip() or True for part in",
        "tests/unit/cli/test_rule_forms.py",
    ),
    Bug(
        "a text turns around what stands beside it",
        "netctl/model/shape.py",
        "\\u202a-\\u202e",
        "",
        "tests/unit/model/test_shape.py",
    ),
    Bug(
        "a file nests as deep as it likes",
        "netctl/cli/documents.py",
        "if depth > _DEPTH_MAX:",
        "if depth < 0:",
        "tests/unit/cli/test_documents.py",
    ),
    Bug(
        "that answers do not come back is not said",
        "netctl/server/convert_verdict.py",
        "answered=verdict.answered,",
        "answered=True,",
        "tests/functional/cli/test_policy_check.py",
    ),
)
