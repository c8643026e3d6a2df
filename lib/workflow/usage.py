"""The command line of `run_all.sh`, checked before anything is installed or started."""

import argparse
import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NoReturn

from lib.errors import InputError
from lib.workflow.runs import ROOT, Run, select

HELP = """\
usage: ./run_all.sh [VERB] [OPTIONS]

  reproduce   rerun the notebooks whose parameters, code or data changed (the default verb)
  test        check the code style, run the tests and the stored notebooks, minutes on two cores; `--all` adds the
              slow tests (Slurm, faults, rebuilds); `test -- ARGS` runs pytest ARGS
  lab         open JupyterLab on this machine only; `lab -- ARGS` passes ARGS on
  data        list, download and check the corpora; see `data --help`
  compare     A B: two result folders, or NOTEBOOK/RUN: which numbers and what else differs; `--all` lists every row
  bench       time what benchmarks/ measures; see `bench --help`

options of reproduce:
  --quick                 every notebook on its small corpus, minutes on two cores (the default)
  --paper                 every notebook with the full published grid, hours
  --only NOTEBOOK[/RUN]   this notebook, or exactly this run; may be given several times
  --cores N               cores to use (default: all); with --profile: cores of each run
  --dry-run               say what would run and why, and run nothing
  --chunks N|auto         cut the grid of each run into N jobs, then gather; auto: by what its trainings took so far
  --devices LIST          GPUs of this machine, as 0,1: one job at a time on each
  --profile NAME          run elsewhere: profiles/NAME here (slurm, kubernetes), or a Snakemake profile of yours

Results stand in results/NOTEBOOK/RUN. Corpora are read from the folder REPRISE_DATA, else from data/.
Exit code: 0 all is well; 1 a run failed or diverged, or the machine refused something; 2 what was given cannot be used.
"""
MOST_CHUNKS = 10_000  # of which Snakemake keeps each in its graph
VERBS = ("reproduce", "test", "lab", "data", "compare", "bench")


@dataclass(frozen=True)
class Request:
    """What the user wants. `slow`: the slow tests too; `rest` are the arguments that a verb passes on."""

    verb: str
    runs: tuple[Run, ...] = ()
    cores: int | None = None
    dry_run: bool = False
    profile: str | None = None
    chunks: int | Literal["auto"] | None = None
    devices: tuple[str, ...] = ()
    slow: bool = False
    rest: tuple[str, ...] = ()


class _OneLine(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise InputError(message, todo="see ./run_all.sh --help")


def parse(arguments: Sequence[str]) -> Request:
    """Raises InputError for whatever is not understood. `-h` and `--help` give the verb `help`."""
    arguments = list(arguments)
    verb = arguments.pop(0) if arguments and not arguments[0].startswith("-") else "reproduce"
    if verb not in VERBS:
        close = difflib.get_close_matches(verb, VERBS, n=1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        raise InputError(f"unknown verb {verb!r}", todo=f"{hint}verbs: {', '.join(VERBS)}")
    if verb == "data":
        return Request(verb, rest=tuple(arguments))
    if verb == "bench":
        if not (ROOT / "benchmarks" / "run.py").exists():
            raise InputError("there is no benchmark yet", where="benchmarks/run.py")
        return Request(verb, rest=tuple(arguments))
    if verb == "compare" and not {"-h", "--help"} & set(arguments):
        return Request(verb, rest=_two_folders(arguments))
    ours, rest = _split(arguments)
    if {"-h", "--help"} & set(ours):
        return Request("help")
    if verb == "reproduce":
        if rest:
            raise InputError("`--` has no meaning for reproduce", todo="see ./run_all.sh --help")
        return _reproduce(ours)
    if verb == "test" and ours == ["--all"] and not rest:
        return Request(verb, slow=True)
    if ours:
        raise InputError(f"unknown argument {ours[0]!r} of {verb}", todo=f"pass arguments on after `--`: {verb} -- ...")
    return Request(verb, rest=tuple(rest))


def _split(arguments: list[str]) -> tuple[list[str], list[str]]:
    cut = arguments.index("--") if "--" in arguments else len(arguments)
    return arguments[:cut], arguments[cut + 1 :]


def _two_folders(arguments: list[str]) -> tuple[str, ...]:
    if strange := [a for a in arguments if a.startswith("-") and a != "--all"]:
        raise InputError(f"unknown option {strange[0]!r} of compare", todo="see ./run_all.sh --help")
    folders = [a for a in arguments if a != "--all"]
    if len(folders) != 2:
        raise InputError(f"compare takes two result folders, got {len(folders)}", todo="see ./run_all.sh --help")
    return (*folders, *(["--all"] if "--all" in arguments else []))


def _reproduce(arguments: list[str]) -> Request:
    parser = _OneLine(add_help=False, allow_abbrev=False)
    scale = parser.add_mutually_exclusive_group()
    scale.add_argument("--quick", dest="scale", action="store_const", const="quick", default="quick")
    scale.add_argument("--paper", dest="scale", action="store_const", const="paper")
    parser.add_argument("--only", action="append", default=[], metavar="NOTEBOOK[/RUN]")
    parser.add_argument("--cores", type=_count, metavar="N")
    parser.add_argument("--dry-run", action="store_true")
    parser.add_argument("--chunks", type=_chunks, metavar="N|auto")
    parser.add_argument("--devices", type=_devices, default=(), metavar="LIST")
    parser.add_argument("--profile", metavar="NAME")
    given = parser.parse_args(arguments)
    runs = select(given.scale, given.only)
    if given.devices and given.profile:
        raise InputError("--devices are GPUs of this machine", todo="with --profile, ask for GPUs in the profile")
    return Request("reproduce", tuple(runs), given.cores, given.dry_run, given.profile, given.chunks, given.devices)


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 1024:
        raise argparse.ArgumentTypeError(f"expected a number from 1 to 1024, got {text!r}")
    return int(text)


def _chunks(text: str) -> int | str:
    if text == "auto":
        return text
    if not text.isdecimal() or not 1 <= int(text) <= MOST_CHUNKS:
        raise argparse.ArgumentTypeError(f"expected a number from 1 to {MOST_CHUNKS} or auto, got {text!r}")
    return int(text)


def _devices(text: str) -> tuple[str, ...]:
    names = tuple(text.split(","))
    if not all(re.fullmatch(r"[\w-]+", name) for name in names) or len(set(names)) < len(names):
        raise argparse.ArgumentTypeError(f"expected different devices as 0,1, got {text!r}")
    return names
