"""A receiver for each test that wants one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from receivers import Receiver


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A real HTTP server on loopback."""
    server = Receiver()
    yield server
    server.close()
