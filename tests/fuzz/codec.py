"""Fuzzes one codec until it is told to stop: `python -m tests.fuzz.codec NAME [options of libFuzzer]`.

The kernels run as plain Python (`NUMBA_DISABLE_JIT=1`), so that what they read beyond an array is an IndexError, and are
watched for new paths like all other code of the codecs.
"""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["connectors.codecs", "connectors.schemas", "engine.times", "engine.detect.catalog"]):
    import connectors.codecs  # noqa: F401

from tests.fuzz.subjects import Subject


def main() -> None:
    subject = Subject(sys.argv.pop(1))
    atheris.Setup(sys.argv, subject.hold)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
