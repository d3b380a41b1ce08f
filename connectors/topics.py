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
from engine.config.tree import Kafka
from engine.records import Topic

ANSWER_SECONDS: Final = 15.0

_DAY_MS: Final = 86_400_000
_SETTINGS: Final[Mapping[Topic, Mapping[str, str]]] = {
    # Readers rebuild from these logs: they must outlive the oldest snapshot by far.
    Topic.ALERTS: {"retention.ms": str(7 * _DAY_MS)},
    Topic.INCIDENTS: {"cleanup.policy": "compact,delete", "retention.ms": str(90 * _DAY_MS)},
    Topic.ACTIONS: {"retention.ms": str(90 * _DAY_MS)},
    Topic.CONTROL: {"retention.ms": str(90 * _DAY_MS)},
    Topic.DEAD_LETTERS: {"retention.ms": str(7 * _DAY_MS)},
    Topic.AUDIT: {"retention.ms": "-1"},
}


class TopicPlan(NamedTuple):
    """One topic as it should be."""

    name: str
    partitions: int
    settings: Mapping[str, str]


def own_topics(kafka: Kafka) -> list[TopicPlan]:
    """What Foreshock needs, by the configuration."""
    return [
        TopicPlan(topic_name(kafka, topic), kafka.partitions.get(topic, 1), {"compression.type": "zstd", **_SETTINGS[topic]})
        for topic in Topic
    ]


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
