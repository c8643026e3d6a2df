"""The verbs, in an environment that has the packages. `run_all.sh` gets here through `lib.workflow.start`."""

import subprocess
import sys
from collections.abc import Callable, Sequence

from lib.workflow.streams import exit_code
from lib.workflow.surroundings import python_command
from lib.workflow.usage import HELP, Request, parse


def main(arguments: Sequence[str]) -> int:
    return exit_code(lambda: _run(parse(arguments)))


def _run(request: Request) -> int:
    return VERBS[request.verb](request)


def _help(request: Request) -> int:
    print(HELP, end="")
    return 0


def _reproduce(request: Request) -> int:
    from lib.workflow.reproduce import reproduce

    return reproduce(request)


def _test(request: Request) -> int:
    from lib.workflow.checks import check

    return check(request.rest, slow=request.slow)


def _data(request: Request) -> int:
    from lib.workflow.data_command import main

    return main(list(request.rest))


def _compare(request: Request) -> int:
    from lib.workflow.compare_command import compare

    return compare(request.rest)


def _bench(request: Request) -> int:
    return subprocess.run(python_command("benchmarks.run", *request.rest)).returncode


def _lab(request: Request) -> int:
    from lib.workflow.lab import open_lab

    return open_lab(request.rest)


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
