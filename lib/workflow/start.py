"""What `run_all.sh` calls: usage errors first, then the environment, then `lib.workflow.cli` in that environment."""

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from lib.errors import InputError
from lib.workflow import environment
from lib.workflow.usage import HELP, parse

ONE_THREAD = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def main(arguments: Sequence[str]) -> NoReturn:
    """Become `lib.workflow.cli`, or end with the help (exit code 0) or with one line (2: usage, 1: installing)."""
    try:
        if parse(arguments).verb == "help":
            print(HELP, end="")
            sys.exit(0)
        python = environment.ensure()
    except (InputError, environment.CannotInstall) as error:
        print(f"run_all.sh: {error}", file=sys.stderr)
        sys.exit(2 if isinstance(error, InputError) else 1)
    except KeyboardInterrupt:
        print("run_all.sh: interrupted", file=sys.stderr)
        sys.exit(128 + signal.SIGINT)
    variables = os.environ | {
        "PATH": f"{python.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        # The bits of a run must not depend on how many cores a machine has: parallel work is done by processes.
        **{name: os.environ.get(name, "1") for name in ONE_THREAD},
    }
    if data := os.environ.get("REPRISE_DATA"):
        variables["REPRISE_DATA"] = str(Path(data).absolute())
    os.execve(python, [str(python), "-P", "-m", "lib.workflow.cli", *arguments], variables)


if __name__ == "__main__":
    main(sys.argv[1:])
