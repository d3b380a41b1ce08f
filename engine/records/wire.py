"""Our messages as JSON: equal structs, equal bytes."""

from __future__ import annotations

from typing import Any

import msgspec

from engine.records.actions import Action
from engine.records.alerts import AlertsMessage, Control
from engine.records.incidents import Incident

_ENCODER = msgspec.json.Encoder(order="deterministic")
_ALERTS = msgspec.json.Decoder(AlertsMessage)
_INCIDENT = msgspec.json.Decoder(Incident)
_ACTION = msgspec.json.Decoder(Action)
_CONTROL = msgspec.json.Decoder(Control)


def encode(message: msgspec.Struct) -> bytes:
    """A struct as JSON, byte for byte the same for equal structs (fields in order, dictionary keys sorted)."""
    return _ENCODER.encode(message)


def decode_alerts_message(value: bytes) -> AlertsMessage:
    """Raises `msgspec.ValidationError` or `msgspec.DecodeError` for anything that is not one of ours."""
    message: AlertsMessage = _ALERTS.decode(value)
    return message


def decode_incident(value: bytes) -> Incident:
    """Raises as `decode_alerts_message`."""
    return _INCIDENT.decode(value)


def decode_action(value: bytes) -> Action:
    """Raises as `decode_alerts_message`."""
    return _ACTION.decode(value)


def decode_control(value: bytes) -> Control:
    """Raises as `decode_alerts_message`."""
    return _CONTROL.decode(value)


def as_jsonable(message: msgspec.Struct) -> Any:
    """The same content as plain dictionaries and lists, for templates and people."""
    return msgspec.to_builtins(message)
