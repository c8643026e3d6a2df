"""Machines as people have them: how to start a command without a home, as nobody, within limits, on a small disk."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from lib.data.catalogue import CATALOGUE, KnownCorpus
from lib.workflow.data_command import data
from lib.workflow.messages import exit_code
from lib.workflow.usage import parse
from tests.workflow.workspace import Finished, Workspace

NOBODY = ("unshare", "--user", "--map-user=12345", "--map-group=12345")
"""Starts a command as a user who has no account, no name, and no rights above those of the files."""


def bare(**variables: str) -> dict[str, str]:
    """Variables of a process that was given this Python, and nothing else."""
    path = os.pathsep.join([str(Path(sys.executable).parent), "/usr/bin", "/bin"])
    libraries = {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}
    return {"PATH": path} | libraries | variables


def run_all(
    workspace: Workspace, *arguments: str, before: tuple[str, ...] = (), variables: dict[str, str] | None = None
) -> Finished:
    """`run_all.sh`, started by the command `before`, with these variables and no others."""
    command = [*before, str(workspace.root / "run_all.sh"), *arguments]
    given = bare(HOME=str(workspace.root)) if variables is None else variables
    done = subprocess.run(command, cwd=workspace.root, env=given, capture_output=True, text=True, timeout=300)
    return Finished(done.returncode, done.stdout, done.stderr)


def shell(workspace: Workspace, script: str, **variables: str) -> Finished:
    """A script for bash in the workspace, in which `$run` is `run_all.sh`."""
    given = bare(HOME=str(workspace.root), run=str(workspace.root / "run_all.sh"), **variables)
    command = ["/bin/bash", "-c", script]
    done = subprocess.run(command, cwd=workspace.root, env=given, capture_output=True, text=True, timeout=300)
    return Finished(done.returncode, done.stdout, done.stderr)


def data_verb(arguments: list[str], catalogue: Mapping[str, KnownCorpus] = CATALOGUE) -> int:
    """The exit code of `run_all.sh data`, in this process."""
    return exit_code(lambda: data(parse(["data", *arguments]), catalogue))


def skip_unless_it_works(*command: str, what: str) -> None:
    tried = subprocess.run([*command, "true"], capture_output=True, text=True)
    if tried.returncode:
        pytest.skip(f"{what} cannot be had here: {tried.stderr.strip()}")
