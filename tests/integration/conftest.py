"""Real Apache Kafka for the tests of this folder, or a plain word on why not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from kafka_server import KafkaServer, NotHere


@pytest.fixture(scope="session")
def kafka_server() -> Iterator[KafkaServer]:
    try:
        server = KafkaServer()
    except NotHere as error:
        pytest.skip(f"Apache Kafka was not tested: {error}")
    with server:
        yield server
