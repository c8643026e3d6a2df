"""The verbs, in an environment that has the packages. `run_all.sh` gets here through `lib.workflow.start`."""

import os
import subprocess
import sys
from collections.abc import Callable, Sequence

from lib.errors import InputError
from lib.workflow.runs import ROOT
from lib.workflow.usage import HELP, Request, parse


def main(arguments: Sequence[str]) -> int:
    try:
        request = parse(arguments)
        return VERBS[request.verb](request)
    except InputError as error:
        print(f"run_all.sh: {error}", file=sys.stderr)
        return 2


def _help(request: Request) -> int:
    print(HELP, end="")
    return 0


def _reproduce(request: Request) -> int:
    from lib.workflow.reproduce import reproduce

    return reproduce(request)


def _test(request: Request) -> int:
    from lib.workflow.checks import check

    return check(request.rest)


def _data(request: Request) -> int:
    from lib.workflow.data_command import main

    return main(list(request.rest))


def _compare(request: Request) -> int:
    from lib.workflow.compare_command import compare

    return compare(request.rest)


def _bench(request: Request) -> int:
    return subprocess.run([sys.executable, "-P", str(ROOT / "benchmarks" / "run.py"), *request.rest]).returncode


def _lab(request: Request) -> int:
    """JupyterLab for this machine only, with its token; its kernels see the workspace's `lib` and this Python."""
    options = ["--ServerApp.ip=127.0.0.1", f"--ServerApp.root_dir={ROOT}"]
    # Else a `python3` kernel that the user has registered elsewhere would win over the one of this environment.
    variables = os.environ | {"JUPYTER_PREFER_ENV_PATH": "1"}
    os.execve(sys.executable, [sys.executable, "-P", "-m", "jupyterlab", *options, *request.rest], variables)


VERBS: dict[str, Callable[[Request], int]] = {
    "help": _help,
    "reproduce": _reproduce,
    "test": _test,
    "lab": _lab,
    "data": _data,
    "compare": _compare,
    "bench": _bench,
}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
