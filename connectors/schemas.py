"""Schemas by the id that a message carries: reading the id, asking a registry, remembering the answer.

    byte 0 = 0, four bytes         the id (Confluent's framing)
    byte 0 = 1, sixteen bytes      a GUID
    header __value_schema_id       either of them, and the body is bare

A schema never changes under its id, so that an answer holds for good and a replay reads what was read before. Only an answer in the
registry's own words, that there is none, counts as one; whatever else comes (no connection, a proxy's page, a wrong password) leaves the question open.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable
from typing import Any, Final, NamedTuple, Protocol
from urllib.parse import quote

import httpx2
import msgspec

from engine.config.registry import Registry
from engine.errors import Unreachable
from engine.records import Record

HEADER: Final = "__value_schema_id"
KEPT_MAX: Final = 4_096
"""Answers remembered; when full, a further id is as one that nobody knows. A topic has a handful."""
BODY_BYTES_MAX: Final = 2 * 2**20
REFERENCES_MAX: Final = 100
"""Schemas that one schema is made of."""
RETRY_FIRST_SECONDS: Final = 1.0
RETRY_MAX_SECONDS: Final = 30.0
QUESTIONS_PER_SECOND: Final = 20.0
QUESTIONS_MAX: Final = 100
"""Questions that may be asked in a burst: a producer of made-up ids must not become everybody's load."""
_UNKNOWN_CODES: Final = frozenset({40401, 40402, 40403})

SchemaId = int | str
"""A number, or a GUID as text."""


class Schema(NamedTuple):
    """One schema. `references` are the schemas that it names, those without any of their own first: (name, text)."""

    kind: str  # AVRO, PROTOBUF or JSON
    text: str
    references: tuple[tuple[str, str], ...] = ()


class Framed(NamedTuple):
    """What a message says of its schema, and its body without that."""

    schema: SchemaId
    body: bytes


class Schemas(Protocol):
    """What a codec asks: nothing here waits."""

    def known(self, schema: SchemaId) -> Schema | None:
        """The schema; None when there is none of that id, or nobody has asked for it."""
        ...


class NoSchemas:
    """Implements Schemas: knows none."""

    def known(self, schema: SchemaId) -> Schema | None:  # noqa: ARG002 - whatever is asked
        """See Schemas."""
        return None


def framed(record: Record) -> Framed | None:
    """The id and the body of a message; None for one without an id."""
    value = record.value or b""
    for name, header in record.headers:
        if name == HEADER:
            found = _id_at(header)
            return Framed(found[0], value) if found and found[1] == len(header) else None
    found = _id_at(value)
    return Framed(found[0], value[found[1] :]) if found else None


def _id_at(raw: bytes) -> tuple[SchemaId, int] | None:
    if raw[:1] == b"\x00" and len(raw) >= 5:
        return int.from_bytes(raw[1:5], "big"), 5
    if raw[:1] == b"\x01" and len(raw) >= 17:
        text = raw[1:17].hex()
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}", 17
    return None


# ------------------------------------------------------------------------------------------------ the registry's answers
class _Reference(msgspec.Struct):
    name: str
    subject: str
    version: int


class _Answer(msgspec.Struct, rename={"kind": "schemaType"}):
    text: str = msgspec.field(name="schema")
    kind: str = "AVRO"
    references: list[_Reference] = []


class _Refusal(msgspec.Struct):
    error_code: int


class Book:
    """Implements Schemas over one registry: asks each question once, and not more often than the registry bears.

    Used by one thread. `Book.learn` does the asking; `known` never does.
    """

    def __init__(self, registry: Registry, now: Callable[[], float] = time.monotonic) -> None:
        self._client = _client(registry)
        self._now = now
        self._answers: dict[SchemaId, Schema | None] = {}
        self._tokens = float(QUESTIONS_MAX)
        self._refilled_at = now()
        self._retry_at = 0.0
        self._wait_seconds = RETRY_FIRST_SECONDS
        self.failure = ""
        """Why the last question has no answer; "" when it has."""

    def known(self, schema: SchemaId) -> Schema | None:
        """See Schemas."""
        return self._answers.get(schema)

    def learn(self, schema: SchemaId) -> bool:
        """Ask for a schema unless the answer is known. False: it is still open, ask again later."""
        if schema in self._answers:
            return True
        if len(self._answers) >= KEPT_MAX and not self._forget_unknown():
            return True
        if not self._may_ask():
            return False
        try:
            self._answers[schema] = self._asked(schema)
        except Unreachable as error:
            self.failure = str(error)
            self._retry_at = self._now() + self._wait_seconds
            self._wait_seconds = min(2 * self._wait_seconds, RETRY_MAX_SECONDS)
            return False
        self.failure, self._wait_seconds = "", RETRY_FIRST_SECONDS
        return True

    def close(self) -> None:
        """Leave no connection open."""
        self._client.close()

    def _forget_unknown(self) -> bool:
        """Make room: made-up ids must not keep out one that there is. False when there is none to forget."""
        self._answers = {schema: answer for schema, answer in self._answers.items() if answer is not None}
        return len(self._answers) < KEPT_MAX

    def _may_ask(self) -> bool:
        now = self._now()
        self._tokens = min(QUESTIONS_MAX, self._tokens + QUESTIONS_PER_SECOND * (now - self._refilled_at))
        self._refilled_at = now
        if now < self._retry_at or self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True

    # -------------------------------------------------------------------------------------- asking
    def _asked(self, schema: SchemaId) -> Schema | None:
        """Raises Unreachable when there is no answer."""
        path = f"/schemas/ids/{schema}" if isinstance(schema, int) else f"/schemas/guids/{schema}"
        answer = self._ask(path)
        if answer is None:
            return None
        if answer.kind == "PROTOBUF":
            answer = self._ask(f"{path}?format=serialized") or answer
        form = "?format=serialized" if answer.kind == "PROTOBUF" else ""
        references: dict[str, str] = {}
        self._follow(answer.references, form, references)
        return Schema(answer.kind, answer.text, tuple(references.items()))

    def _follow(self, wanted: list[_Reference], form: str, found: dict[str, str], depth: int = 0) -> None:
        """Each reference behind those that it needs itself."""
        for reference in wanted:
            if reference.name in found:
                continue
            if depth > 20 or len(found) >= REFERENCES_MAX:
                return
            answer = self._ask(f"/subjects/{quote(reference.subject, safe='')}/versions/{reference.version}{form}")
            if answer is not None:
                self._follow(answer.references, form, found, depth + 1)
                found[reference.name] = answer.text

    def _ask(self, path: str) -> _Answer | None:
        """None when the registry says that there is no such schema. Raises Unreachable for every other answer, and for none."""
        try:
            with self._client.stream("GET", path) as response:
                body = _bounded(response)
                status = response.status_code
        except (httpx2.HTTPError, OSError) as error:
            raise Unreachable(f"the schema registry does not answer: {type(error).__name__}") from error
        try:
            if status == httpx2.codes.OK:
                return msgspec.json.decode(body, type=_Answer)
            if msgspec.json.decode(body, type=_Refusal).error_code in _UNKNOWN_CODES:
                return None
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            pass
        raise Unreachable(f"the schema registry answers {status} to {path.partition('?')[0]}")


def _bounded(response: Any) -> bytes:
    """The body of an answer. Raises Unreachable when it is too large to be a schema."""
    parts, size = [], 0
    for part in response.iter_bytes():
        size += len(part)
        if size > BODY_BYTES_MAX:
            raise Unreachable("the schema registry's answer is larger than any schema")
        parts.append(part)
    return b"".join(parts)


def _client(registry: Registry) -> httpx2.Client:
    headers = {"Accept": "application/vnd.schemaregistry.v1+json, application/json"}
    if registry.token is not None:
        headers["Authorization"] = f"Bearer {registry.token.get_secret_value()}"
    password = registry.password.get_secret_value() if registry.password else ""
    return httpx2.Client(
        base_url=registry.url.rstrip("/"),
        headers=headers,
        auth=(registry.user, password) if registry.user else None,
        timeout=registry.timeout,
        verify=ssl.create_default_context(cafile=registry.ca_file) if registry.ca_file else True,
        follow_redirects=False,
        trust_env=False,
    )
