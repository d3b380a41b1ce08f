"""What was run against what: said at the end of the run, beside what was skipped."""

from __future__ import annotations

from collections.abc import Callable

import pytest

TOLD: list[str] = []


@pytest.fixture(scope="session")
def tell() -> Callable[[str], None]:
    """For a sentence about what was sent and scored."""
    return TOLD.append


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for sentence in TOLD:
        terminalreporter.write_line(sentence)
