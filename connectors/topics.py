"""Our own topics: which there should be, making them, and saying plainly what is missing or wrong.

Foreshock makes no topic while it runs; a person, a pipeline or the demo makes them once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from connectors.kafka_client import LOG, admin_settings, cause, topic_name, unreachable
from engine.config.tree import Kafka, Source
from engine.records import Topic

ANSWER_SECONDS: Final = 15.0

_GIB: Final = 2**30
_SETTINGS: Final[Mapping[Topic, Mapping[str, str]]] = {
    # Bounded by size, never by time: our messages carry the time of the events, so that a broker would at once throw away
    # what is said about telemetry older than the limit (a replay, a backlog). Readers rebuild from these logs.
    Topic.ALERTS: {"retention.bytes": str(2 * _GIB)},
    Topic.INCIDENTS: {"cleanup.policy": "compact,delete", "retention.bytes": str(10 * _GIB)},
    Topic.ACTIONS: {"retention.bytes": str(_GIB)},
    Topic.CONTROL: {"retention.bytes": str(_GIB)},
    Topic.DEAD_LETTERS: {"retention.bytes": str(_GIB)},
    Topic.AUDIT: {"retention.bytes": "-1"},
}
_ALL: Final = {"compression.type": "zstd", "retention.ms": "-1"}


class TopicPlan(NamedTuple):
    """One topic as it should be."""

    name: str
    partitions: int
    settings: Mapping[str, str]


def own_topics(kafka: Kafka) -> list[TopicPlan]:
    """What Foreshock needs, by the configuration."""
    return [TopicPlan(topic_name(kafka, topic), kafka.partitions.get(topic, 1), {**_ALL, **_SETTINGS[topic]}) for topic in Topic]


def rekeyed_topics(kafka: Kafka, sources: Iterable[Source]) -> list[TopicPlan]:
    """One for each source whose records are keyed anew: filled by us, and read again at once."""
    settings = {**_ALL, "retention.bytes": str(2 * _GIB)}
    return [TopicPlan(topic_name(kafka, f"rekeyed.{source.name}"), source.rekey, settings) for source in sources if source.rekey]


def missing_topics(kafka: Kafka, plans: Iterable[TopicPlan]) -> list[str]:
    """One sentence for each topic that is not there or has fewer partitions than it should. Raises Unreachable."""
    try:
        known = AdminClient(admin_settings(kafka), logger=LOG).list_topics(timeout=ANSWER_SECONDS).topics
    except KafkaException as error:
        raise unreachable("listing topics", error) from error
    sentences = []
    for plan in plans:
        found = len(known[plan.name].partitions) if plan.name in known else 0
        if not found:
            sentences.append(f"topic {plan.name} does not exist")
        elif found < plan.partitions:
            sentences.append(f"topic {plan.name} has {found} partitions, the configuration says {plan.partitions}")
    return sentences


def create_topics(kafka: Kafka, plans: Sequence[TopicPlan], replication: int = -1) -> list[str]:
    """Make what is not there yet; returns the names made. -1 leaves replication to the broker. Raises Unreachable.

    The embedded broker answers no admin request: there, `EmbeddedBroker.create_topic` takes the same plans.
    """
    client = AdminClient(admin_settings(kafka), logger=LOG)
    wanted = [NewTopic(p.name, p.partitions, replication_factor=replication, config=dict(p.settings)) for p in plans]
    answers = client.create_topics(wanted, operation_timeout=ANSWER_SECONDS, request_timeout=ANSWER_SECONDS)
    made = []
    for name, answer in answers.items():
        try:
            answer.result(timeout=2 * ANSWER_SECONDS)
        except KafkaException as error:
            if cause(error).code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise unreachable(f"making topic {name}", error) from error
        else:
            made.append(name)
    return made
