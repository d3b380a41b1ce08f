"""How a JSON document becomes samples, lines or an event: the `mapping` block of a source."""

from __future__ import annotations

from typing import Final, Literal

from engine.config.values import Model

AUTO: Final = "auto"


class Mapping(Model):
    """How a JSON document becomes samples, lines or an event. Paths are dotted; nested and dotted keys are both tried.

    Exactly one of `values`, `message` and `event` says what the document is. A path may list alternatives
    (`counter.value | gauge.value`: the first that is there wins), be a constant (`=text`), or a JMESPath expression
    (`jmespath: resources[0].name`).
    """

    time: str = "timestamp"
    """Path of the event time; "" takes the record's own, and so does an empty last alternative (`timestamp |`) where nothing is there."""
    time_unit: Literal["auto_iso", "s", "ms", "us", "ns"] = "auto_iso"
    """`auto_iso`: an RFC 3339 string; else a number (or a numeric string) in that unit."""
    records: str = ""
    """Path of an array when one message carries many documents ("." when the message is the array); "" when it is one document."""
    name: str = ""
    """Path of the metric's name, or "=text" for a constant. With `values` of several fields the field is appended after a dot."""
    values: dict[str, str] | str = ""
    """Metrics: {name: path of the number}, or the path of a number, or of an object whose numeric leaves are all metrics ("fields", "." for the root)."""
    skip: list[str] = []
    """Paths of objects and numbers that are no metrics although they lie below the path of `values`."""
    split_entity: bool = False
    """Names under `values` are `entity:metric`, cut at the last colon into the label `entity` and the metric's name."""
    numeric_strings: bool = False
    """Numbers may come as text ("1742")."""
    nan_is_stale: bool = False
    """A NaN says that a series has ended, as Prometheus does: it is counted, and no dead letter."""
    kind: str = ""
    """Path of the value's kind (`incremental` is delta, `absolute` is what the value's path begins with), or "=counter"; "" lets naming rules decide."""
    message: str = ""
    """Logs: path of the text."""
    severity: str = ""
    """Path of a level word or number. When it is not there, the level is looked for at the beginning of the message."""
    severity_scale: Literal["otel", "syslog", "bunyan"] = "otel"
    """What a number means: OpenTelemetry 1-24, syslog 7-0, bunyan and pino 10-60."""
    event: str = ""
    """Events: path of the event's name, or "=text"."""
    event_prefix: str = ""
    """Put before the event's name, such as `k8s.`."""
    event_text: str = ""
    """Path of the event's words."""
    is_change: bool | list[str] = False
    """Whether events of this source are changes somebody made on purpose, or the names of those that are."""
    attributes: dict[str, str] = {}
    """Events: {attribute: path}."""
    labels: dict[str, str] | str = {}
    """{label: path}, or the path of an object whose scalar members are all labels ("tags"); both as {"*": path of the object, label: path}."""
    embedded_json: bool = False
    """Logs: the message may itself be JSON; its `msg`/`message`/`log` and level are then used."""
    session: str = AUTO
    """Logs: name of the member that names the session of a line (`trace.id | request_id`: the first that is there); `auto` knows the usual ones; "" looks at the text only."""
    numbers: Literal["auto", "none"] | list[str] = AUTO
    """Logs: names of members whose numbers are watched (`[duration_ms, http.bytes]`), by the line's template; `auto`: those whose names tell that they measure something."""
    origin: list[str] = []
    """Logs: paths that together name what writes a line, such as pod, container and stream; lines in pieces are put together by it."""
    partial: str = ""
    """Logs: path of what says that a line goes on in the next one of its origin: `P`, or true."""
    partial_last: str = ""
    """Path of what says that a partial line is the last of its pieces, as Docker does: true."""
    stack_traces: bool = False
    """Logs: lines that begin with white space or `Caused by:` behind a line of the same origin are part of it, not lines of their own."""
