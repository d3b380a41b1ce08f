"""The image, the make targets and the locks, as far as they can be read without building them."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DOCKERFILE = (ROOT / "Dockerfile").read_text()
MAKEFILE = (ROOT / "Makefile").read_text()


def instructions() -> list[tuple[str, str]]:
    """(word, rest) of each Dockerfile instruction, continued lines joined."""
    joined = re.sub(r"\\\n", " ", re.sub(r"(?m)^#.*\n", "", DOCKERFILE))
    return [(word, rest.strip()) for line in joined.splitlines() if line for word, _, rest in [line.partition(" ")]]


def test_every_stage_is_of_one_pinned_slim_base() -> None:
    bases = [rest.split()[0] for word, rest in instructions() if word == "FROM"]
    assert len(bases) >= 2
    assert set(bases) == {"python:3.11-slim-bookworm"}


def test_the_image_runs_as_nobody_in_particular() -> None:
    last = max(i for i, (word, _) in enumerate(instructions()) if word == "FROM")
    final = instructions()[last:]
    (user,) = [rest for word, rest in final if word == "USER"]
    assert user == "65532:65532"
    after = [word for word, _ in final[[w for w, _ in final].index("USER") :]]
    assert "RUN" not in after
    assert "COPY" not in after


def test_every_download_is_locked() -> None:
    for word, rest in instructions():
        for command in re.split(r"&&", rest) if word == "RUN" else []:
            if "pip install" in command:
                assert "--require-hashes" in command or "--no-index" in command, command


def test_what_is_copied_exists_and_is_let_through() -> None:
    ignored = (ROOT / ".dockerignore").read_text()
    for word, rest in instructions():
        if word == "COPY" and "--from" not in rest:
            for source in rest.split()[:-1]:
                assert (ROOT / source).exists(), source
                top = source.split("/")[0]
                assert top == "." or f"!{top}\n" in ignored


@pytest.mark.parametrize("script", ["configs/container/entrypoint.sh", "configs/container/warm.sh"])
def test_shell_scripts_parse(script: str) -> None:
    assert subprocess.run(["sh", "-n", ROOT / script], check=False).returncode == 0


def test_the_entrypoint_brings_kernels_along_and_becomes_the_program(tmp_path: Path) -> None:
    """Run with the two paths of the image replaced."""
    kernels, cache, binaries = tmp_path / "kernels", tmp_path / "cache", tmp_path / "bin"
    (kernels / "abc").mkdir(parents=True)
    (kernels / "abc" / "index").write_text("compiled")
    cache.mkdir()
    binaries.mkdir()
    program = binaries / "foreshock"
    program.write_text('#!/bin/sh\necho "$0 $@"\n')
    program.chmod(0o755)
    script = tmp_path / "entrypoint.sh"
    script.write_text((ROOT / "configs/container/entrypoint.sh").read_text().replace("/opt/foreshock/kernels", str(kernels)))
    environment = {**os.environ, "PATH": f"{binaries}:{os.environ['PATH']}", "NUMBA_CACHE_DIR": str(cache)}
    for _ in range(2):
        done = subprocess.run(["sh", script, "version"], env=environment, capture_output=True, text=True, check=True)
        assert done.stdout.strip() == f"{program} version"
    assert (cache / "abc" / "index").read_text() == "compiled"
    assert not (cache / "abc" / "abc").exists()


def test_make_alone_prints_every_target() -> None:
    shown = subprocess.run(["make", "--no-print-directory"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    phony = re.search(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)
    assert phony is not None
    assert [target for target in phony[1].split() if f"make {target} " not in shown] == []


@pytest.mark.parametrize("target", ["demo", "test", "check", "bench", "kafka", "docs"])
def test_every_target_sets_itself_up(target: str) -> None:
    assert re.search(rf"^{target}: \$\(STAMP\)", MAKEFILE, re.MULTILINE)


def test_locks_hold_every_direct_dependency_with_hashes() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = {"run.lock": project["project"]["dependencies"]}
    wanted["dev.lock"] = wanted["run.lock"] + project["dependency-groups"]["dev"]
    for name, requirements in wanted.items():
        text = (ROOT / "requirements" / name).read_text()
        locked = {line.split("==")[0] for line in text.splitlines() if re.match(r"[a-z0-9]", line)}
        direct = {re.split(r"[<>=!~;\[ ]", requirement)[0].lower() for requirement in requirements}
        assert direct - locked == set(), f"run `make lock`: {name}"
        assert text.count("==") <= text.count("--hash=sha256:")
