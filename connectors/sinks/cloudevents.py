"""An incident as a CloudEvents 1.0 event: the attributes that every form of it shares, and the structured JSON form.

`id` is `<incident id>.<revision>`, the same for every attempt: it is the key by which a receiver tells a repeat.
"""

from __future__ import annotations

from typing import Any

import msgspec
import orjson

from connectors.sinks.text import rfc3339
from engine.records import Incident, as_jsonable

SOURCE = "foreshock"
TYPE_PREFIX = "io.foreshock.incident."
BODY_BYTES_MAX = 20_000
"""What the Standard Webhooks specification asks a body to stay below."""
CONTENT_TYPE = "application/cloudevents+json; charset=UTF-8"
TEXT_CHARACTERS_MAX = 500

_MEMBERS_KEPT = (50, 10, 3, 0)
_ENTITIES_KEPT = (100, 50, 20, 10)


def event_id(incident: Incident) -> str:
    """The idempotency key."""
    return f"{incident.id}.{incident.revision}"


def attributes(incident: Incident) -> dict[str, str]:
    """The context attributes, without their prefix."""
    return {
        "specversion": "1.0",
        "id": event_id(incident),
        "source": SOURCE,
        "type": f"{TYPE_PREFIX}{incident.state}",
        "subject": incident.id,
        "time": rfc3339(incident.ts_ns),
        "partitionkey": incident.id,
    }


def structured(incident: Incident) -> bytes:
    """The whole event as JSON, below BODY_BYTES_MAX: members go first, then evidence; counts and hints stay."""
    body = _dump(incident)
    for members, entities in zip(_MEMBERS_KEPT, _ENTITIES_KEPT, strict=True):
        if len(body) < BODY_BYTES_MAX:
            return body
        body = _dump(_thinner(incident, members, entities))
    return body if len(body) < BODY_BYTES_MAX else _dump(_bare(incident))


def _dump(incident: Incident) -> bytes:
    data: dict[str, Any] = as_jsonable(incident)
    return orjson.dumps({**attributes(incident), "datacontenttype": "application/json", "data": data})


def _thinner(incident: Incident, members: int, entities: int) -> Incident:
    return msgspec.structs.replace(
        incident,
        members=incident.members[:members],
        entities=incident.entities[:entities],
        changes=incident.changes[: max(members, 1)],
    )


def _bare(incident: Incident) -> Incident:
    """What is left when single texts are huge: identity, state, counts, and the first hint without its evidence."""
    hints = [
        msgspec.structs.replace(hint, entity=_cut(hint.entity), metric=_cut(hint.metric), evidence=[], against=[], missing=[])
        for hint in incident.hints[:1]
    ]
    return msgspec.structs.replace(
        incident,
        title=_cut(incident.title),
        entities=[_cut(entity) for entity in incident.entities[:3]],
        members=[],
        changes=[],
        hints=hints,
        degraded_inputs=[],
        reason=_cut(incident.reason),
    )


def _cut(text: str) -> str:
    return text[:TEXT_CHARACTERS_MAX]
