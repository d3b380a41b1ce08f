"""Incidents as blocks of plain text: on a terminal, in a container's log, or in a file."""

from __future__ import annotations

from typing import TextIO

from connectors.sinks.text import describe
from engine.config.tree import ConsoleSink as Settings
from engine.errors import Permanent, Retry
from engine.records import Incident, IncidentState

_RESET = "\x1b[0m"
_COLOURS = {
    IncidentState.OPEN: "\x1b[1;31m",
    IncidentState.ACKNOWLEDGED: "\x1b[1;33m",
    IncidentState.MITIGATING: "\x1b[1;33m",
    IncidentState.RESOLVED: "\x1b[1;32m",
}
_DIM = "\x1b[2m"


class ConsoleSink:
    """One block for each revision. Colour only on a terminal, and only ours: foreign text is escaped."""

    def __init__(self, settings: Settings, stream: TextIO) -> None:
        self.name = settings.name
        self._stream = stream
        self._colour = stream.isatty()

    def deliver(self, incident: Incident, attempt: int) -> None:  # noqa: ARG002 - a terminal needs no idempotency key
        """Write the block and flush. Raises Retry when the stream is blocked, Permanent when it is gone."""
        headline, *details = describe(incident)
        if self._colour:
            headline = f"{_COLOURS.get(incident.state, _DIM)}{headline}{_RESET}"
        text = "\n".join([headline, *details, "", ""])
        encoding = self._stream.encoding or "utf-8"
        try:
            # A terminal that is not UTF-8 shows question marks; it must not stop the stage.
            self._stream.write(text.encode(encoding, "replace").decode(encoding))
            self._stream.flush()
        except BlockingIOError as error:
            raise Retry("the console does not take more now") from error
        except (OSError, ValueError) as error:
            raise Permanent(f"the console is gone: {error}", disable=True) from error

    def close(self) -> None:
        """The stream belongs to whoever opened it."""
