"""What `run_all.sh` calls: usage errors first, then the environment, then `lib.workflow.cli` in that environment."""

import os
import resource
import sys
from collections.abc import Sequence
from pathlib import Path

from lib.workflow import environment
from lib.workflow.messages import complain, exit_code
from lib.workflow.surroundings import python_command, surroundings
from lib.workflow.usage import parse

FEWEST_FILES, ENOUGH_FILES = 64, 1024
"""With which a kernel starts, and with which many work."""


def main(arguments: Sequence[str]) -> int:
    """Become `lib.workflow.cli`, or end with the help (exit code 0) or with one line (2: usage, 1: installing)."""
    return exit_code(lambda: _become(arguments))


def _become(arguments: Sequence[str]) -> int:
    parse(arguments)
    try:
        python = environment.ensure()
    except environment.CannotInstall as error:
        complain(str(error))
        return 1
    if (files := _open_files()) < FEWEST_FILES:
        complain(f"only {files} files may be open at once; raise the limit (ulimit -n 256)")
        return 1
    variables = surroundings(os.environ)
    variables["PATH"] = f"{python.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    if data := os.environ.get("REPRISE_DATA"):
        variables["REPRISE_DATA"] = str(Path(data).absolute())
    return os.execve(python, python_command("lib.workflow.cli", *arguments, python=python), variables)


def _open_files() -> int:
    """How many files a process may open, once it has allowed itself `ENOUGH_FILES` as far as it can."""
    allowed, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if allowed not in range(ENOUGH_FILES):
        return ENOUGH_FILES
    allowed = ENOUGH_FILES if most == resource.RLIM_INFINITY else min(most, ENOUGH_FILES)
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, most))
    return allowed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
