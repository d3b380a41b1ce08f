"""`foreshock doctor`: what is on a topic, which source block reads it, and what would go wrong."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from engine.cli.output import Format, Output, echo_json
from engine.config import Config
from engine.config.load import load_config
from engine.config.registry import Registry
from engine.doctor.diagnosis import Diagnosis, Given
from engine.doctor.findings import percent
from engine.doctor.proposal import as_yaml
from engine.errors import UsageError
from engine.wiring.doctor import Patient, bounds_of, examine_files, examine_topics

FINDINGS = 3
_LISTED = 8


def doctor(
    files: Annotated[
        list[str] | None, typer.Argument(help="captured messages, or TOPIC=FILE; without files a broker is asked")
    ] = None,
    config: Annotated[
        Path | None, typer.Option("--config", "-c", help="configuration: its broker, and its sources' topics")
    ] = None,
    bootstrap: Annotated[str, typer.Option(help="HOST:PORT of a broker, in place of the configuration's")] = "",
    topic: Annotated[
        list[str] | None, typer.Option("--topic", "-t", help="a topic to look at; may be given several times")
    ] = None,
    records: Annotated[int, typer.Option(min=1, max=100_000, help="the most records of a topic")] = 2_000,
    seconds: Annotated[float, typer.Option(min=0.1, max=600, help="the longest look at a topic")] = 10.0,
    registry: Annotated[str, typer.Option(help="URL of a schema registry, for messages that carry the id of a schema")] = "",
    out: Annotated[Path | None, typer.Option(help="write the proposed configuration to this file")] = None,
    output: Output = Format.TABLE,
) -> None:
    """Look at topics, or at captured messages, and propose how to read them.

    Topics are read without a group and without commits. Exit code 3 when there is something for a person to decide, 2 when there
    is not a single message: no file is written then.
    """
    settings = load_config(config, os.environ) if config else Config()
    if files and (topic or bootstrap):
        raise UsageError("files need no broker", "Name the topic of a file as TOPIC=FILE.")
    if not files and not config and not bootstrap:
        raise UsageError("nothing to look at", "Give files, --bootstrap HOST:PORT, or --config.")
    if bootstrap:
        settings = settings.model_copy(update={"kafka": settings.kafka.model_copy(update={"bootstrap": bootstrap})})
    kept_at = Registry(url=registry) if registry else None
    if files:
        patients = examine_files(settings, files, kept_at)
    else:
        patients = examine_topics(settings, topic or [], bounds_of(records, seconds), kept_at)
    if not any(patient.diagnosis.records or patient.diagnosis.is_damaged() for patient in patients):
        raise _nothing(patients, settings, is_asked=not files)
    proposal = as_yaml([patient.source for patient in patients if patient.source], "" if files else settings.kafka.bootstrap)
    if out is not None:
        out.write_text(proposal, encoding="utf-8")
    _tell(patients, proposal, output)
    if any(not patient.diagnosis.is_well() for patient in patients):
        raise typer.Exit(FINDINGS)


def _nothing(patients: Sequence[Patient], settings: Config, *, is_asked: bool) -> UsageError:
    """What to say where there is not a single message. Nothing is proposed then."""
    if patients:
        names = ", ".join(patient.diagnosis.topic for patient in patients[:_LISTED])
        more = f" and {len(patients) - _LISTED} more" if len(patients) > _LISTED else ""
        return UsageError(f"nothing found: no message on {names}{more}", "Look again when producers have written something.")
    where = f" on {settings.kafka.bootstrap}" if is_asked else ""
    if settings.sources:
        return UsageError(
            f"nothing found: no topic of the configuration's sources is{where}", "Check sources[].topics and kafka.bootstrap."
        )
    return UsageError(
        f"nothing found: no topics{where} but the broker's own and Foreshock's",
        "Is it the right broker? Look again when producers have written something.",
    )


def _tell(patients: Sequence[Patient], proposal: str, output: Format) -> None:
    if output is Format.JSON:
        echo_json({"topics": [msgspec.to_builtins(patient.diagnosis) for patient in patients], "proposal": proposal})
        return
    for patient in patients:
        typer.echo("\n".join(_lines(patient.diagnosis)))
    if proposal:
        typer.echo(f"\n{proposal}", nl=False)


def _lines(found: Diagnosis) -> Iterator[str]:
    size = f"{found.bytes / 1e6:,.1f} MB" if found.bytes >= 100_000 else f"{found.bytes:,} bytes"
    yield f"{found.topic}: {_counted(found.records, 'record')}, {size}, {_counted(found.partitions, 'partition')}"
    for kind in found.kinds:
        yield f"  {percent(kind.share, 1):>10}  {kind.format}, like {kind.like}"
    if found.given is not None:
        yield f"  {'gives':>10}  {_given(found.given)}"
    if found.metrics:
        more = f" and {len(found.metrics) - _LISTED} more" if len(found.metrics) > _LISTED else ""
        yield f"  {'metrics':>10}  {', '.join(f'{m.name} ({_kind(m.kind, m.unit)})' for m in found.metrics[:_LISTED])}{more}"
    for finding in found.findings:
        yield f"  {'WARNING' if finding.is_warning else 'note':>10}  {finding.message}"
        yield from (f"{'':14}such as {example}" for example in finding.examples)
        if finding.advice:
            yield f"{'':14}{finding.advice}"


def _counted(number: int, word: str) -> str:
    return f"{number:,} {word}" if number == 1 else f"{number:,} {word}s"


def _kind(kind: str, unit: str) -> str:
    return f"{kind}, {unit}" if unit else kind


def _given(given: Given) -> str:
    counts = [
        (given.samples, "samples"),
        (given.distributions, "histogram points"),
        (given.lines, "lines"),
        (given.events, "events"),
    ]
    parts = [f"{count:,} {word}" for count, word in (*counts, (given.spans, "spans")) if count]
    about = (
        f" of about {given.series_estimate:,} series" if given.series_estimate > given.series else f" of {given.series:,} series"
    )
    return (", ".join(parts) or "nothing but metadata") + (about if given.series else "")
