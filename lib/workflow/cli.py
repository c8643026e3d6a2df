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
        code = VERBS[request.verb](request)
        sys.stdout.flush()
        return code
    except InputError as error:
        print(f"run_all.sh: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # whoever read what is printed has seen enough, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


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
    return subprocess.run([sys.executable, "-P", str(ROOT / "benchmarks" / "run.py"), *request.rest]).returncode


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
