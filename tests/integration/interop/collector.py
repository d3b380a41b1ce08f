"""Build the OpenTelemetry Collector of `configs/producers/collector-builder.yaml` into `.cache/`, when Go is here and it is not there yet.

python tests/integration/interop/collector.py        # some minutes, once; says so when it cannot
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[3]
MANIFEST = PROJECT / "configs" / "producers" / "collector-builder.yaml"
BINARY = PROJECT / ".cache" / "collector" / "foreshock-collector"
BUILD_SECONDS = 3600.0


def version() -> str:
    """The Collector's version in the manifest, which is the builder's too."""
    found = re.search(r"otlpreceiver (v[\d.]+)", MANIFEST.read_text())
    return found[1] if found else "latest"


def build() -> str:
    """Make the binary; returns a sentence on why it could not be made, "" when it is there."""
    if BINARY.exists() and BINARY.stat().st_mtime > MANIFEST.stat().st_mtime:
        return ""
    if not shutil.which("go"):
        return "no `go` on the path"
    tools = BINARY.parent.parent / "collector-builder"
    install = ["go", "install", f"go.opentelemetry.io/collector/cmd/builder@{version()}"]
    for command in (install, [str(tools / "builder"), "--config", str(MANIFEST.relative_to(PROJECT))]):
        sys.stderr.write(f"building the OpenTelemetry Collector: {command[0]} {command[1]} (some minutes, once)\n")
        try:
            done = subprocess.run(
                command,
                cwd=PROJECT,
                env={**os.environ, "GOBIN": str(tools)},
                capture_output=True,
                text=True,
                timeout=BUILD_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return f"{Path(command[0]).name} took more than {BUILD_SECONDS:.0f} seconds"
        if done.returncode:
            return f"{Path(command[0]).name}: {(done.stdout + done.stderr).strip()[-500:]}"
    return ""


if __name__ == "__main__":
    why = build()
    if why:
        sys.stderr.write(f"the OpenTelemetry Collector was not built: {why}\n")
