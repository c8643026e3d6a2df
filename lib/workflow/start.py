"""What `run_all.sh` calls: usage errors first, then the environment, then `lib.workflow.cli` in that environment."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from lib.workflow import environment
from lib.workflow.streams import complain, exit_code
from lib.workflow.surroundings import python_command, surroundings
from lib.workflow.usage import HELP, parse


def main(arguments: Sequence[str]) -> int:
    """Become `lib.workflow.cli`, or end with the help (exit code 0) or with one line (2: usage, 1: installing)."""
    return exit_code(lambda: _become(arguments))


def _become(arguments: Sequence[str]) -> int:
    if parse(arguments).verb == "help":
        print(HELP, end="")
        return 0
    try:
        python = environment.ensure()
    except environment.CannotInstall as error:
        complain(str(error))
        return 1
    variables = surroundings(os.environ)
    variables["PATH"] = f"{python.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    if data := os.environ.get("REPRISE_DATA"):
        variables["REPRISE_DATA"] = str(Path(data).absolute())
    return os.execve(python, python_command("lib.workflow.cli", *arguments, python=python), variables)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
