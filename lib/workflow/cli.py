"""The verbs, in an environment that has the packages. `run_all.sh` gets here through `lib.workflow.start`."""

import argparse
import subprocess
import sys
from collections.abc import Sequence

from lib.workflow.messages import exit_code
from lib.workflow.surroundings import python_command
from lib.workflow.usage import parse


def main(arguments: Sequence[str]) -> int:
    return exit_code(lambda: _run(parse(arguments)))


def _run(given: argparse.Namespace) -> int:
    """Each verb loads what it needs and nothing else."""
    if given.verb == "reproduce":
        from lib.workflow.reproduce import reproduce as verb
    elif given.verb == "test":
        from lib.workflow.checks import test as verb
    elif given.verb == "lab":
        from lib.workflow.lab import lab as verb
    elif given.verb == "data":
        from lib.workflow.data_command import data as verb
    elif given.verb == "compare":
        from lib.workflow.compare_command import compare as verb
    elif given.verb in ("export", "predict"):
        from lib.workflow import export_command

        verb = getattr(export_command, given.verb)
    elif given.verb == "kernels":
        from lib.models.kernels.build import main as build

        return build()
    else:
        return subprocess.run(python_command("benchmarks.run", *given.rest)).returncode
    return verb(given)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
