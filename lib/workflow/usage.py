"""The command line of `run_all.sh`, checked before anything is installed or started. Standard library only."""

import argparse
import difflib
import re
from collections.abc import Sequence
from textwrap import fill
from typing import Any, NoReturn

from lib.errors import InputError
from lib.workflow.runs import ROOT, select

PROGRAM = "./run_all.sh"
EPILOG = """\
Results stand in results/NOTEBOOK/RUN. Corpora are read from the folder REPRISE_DATA, else from data/.
Exit code: 0 all is well; 1 a run failed or diverged, or the machine refused something; 2 what was given cannot be used.
"""
VERBS = {
    "reproduce": "rerun the notebooks whose parameters, code or data changed (the default verb)",
    "test": "check style and layers, run the tests and the stored notebooks, minutes on two cores; `--all` adds the "
    "slow tests (Slurm, faults, rebuilds); `test -- ARGS` runs pytest ARGS",
    "lab": "open JupyterLab on this machine only; `lab -- ARGS` passes ARGS on",
    "data": "list, download and check the corpora and pre-trained parts; see `data --help`",
    "compare": "A B: two result folders, or NOTEBOOK/RUN: which numbers and what else differs; `--all` lists every row",
    "export": "NOTEBOOK/RUN --variant V: a finished training as a folder to keep and pass on; see `export --help`",
    "predict": "MODEL INPUT: what an exported model says of utterances, and why, as csv; see `predict --help`",
    "kernels": "build the loops of recurrent models in C++, if there is a compiler: the same numbers, sooner; optional",
    "bench": "time what benchmarks/ measures; see `bench --help`",
}
OF_EXPORT = """\
The folder holds weights (safetensors), model.json (network, settings, features, labels, origin, scores) and README.md,
a model card. Without --seed the seed with the best validation score is taken. Models of features can be exported, those
of recordings cannot.
"""
OF_PREDICT = """\
Columns: id; of classes and emotions logit_LABEL (the raw output), probability_LABEL and predicted (emotions that are
present, divided by |); of a score: score, and predicted, which is within its scale. contribution_MODALITY is the exact
Shapley value of the modality in this utterance: what it adds to the probability of the predicted class, averaged over
all orders in which the modalities can arrive (contribution_MODALITY_LABEL: to that of each emotion; of a score: to the
score). Absent modalities are zeros at the input, in tensor fusion the constant 1 of their slot. The contributions and
without_any, the value without any modality, add up to the value with all. Labels in INPUT are not looked at.
"""
MOST_CHUNKS = 10_000  # of which Snakemake keeps each in its graph
RAW_CORPORA = ("iemocap", "mosei", "cremad")


class _Parser(argparse.ArgumentParser):
    """Its errors are one line. `todo` says what to do about an argument that nobody knows."""

    def __init__(self, *, todo: str = "", **options: Any):
        super().__init__(allow_abbrev=False, formatter_class=_Wide, **options)
        self.todo = todo

    def error(self, message: str) -> NoReturn:
        where = self.prog.removeprefix(f"{PROGRAM} ")
        raise InputError(message, where=where, todo=self.todo or f"see {self.prog} --help")


class _Wide(argparse.RawDescriptionHelpFormatter):
    def __init__(self, prog: str):
        super().__init__(prog, max_help_position=26, width=120)


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """What the user wants: `verb`, and what the verb takes; `rest` are the arguments that it passes on.

    Of `reproduce`: `runs`, `cores`, `dry_run`, `profile`, `chunks` (a number, `auto` or None), `devices`; of `test`:
    `slow`; of `compare`: `folders`, `everything`; of `export`: `run`, `variant`, `seed`, `to`; of `predict`: `model`,
    `input`, `split`, `out`, `device`; of `data`: `action` and its own.
    Raises InputError for whatever is not understood, SystemExit once help has been printed.
    """
    arguments = list(arguments)
    if not arguments or (arguments[0].startswith("-") and not {"-h", "--help"} & set(arguments)):
        arguments.insert(0, "reproduce")
    verb = arguments[0]
    if verb not in VERBS and not verb.startswith("-"):
        close = difflib.get_close_matches(verb, VERBS, n=1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        raise InputError(f"unknown verb {verb!r}", todo=f"{hint}verbs: {', '.join(VERBS)}")
    if verb == "bench":
        if not (ROOT / "benchmarks" / "run.py").exists():
            raise InputError("there is no benchmark yet", where="benchmarks/run.py")
        return argparse.Namespace(verb=verb, rest=tuple(arguments[1:]))
    cut = arguments.index("--") if "--" in arguments else len(arguments)
    parser, parsers = _parsers()
    given, strange = parser.parse_known_args(arguments[:cut])
    given.rest = tuple(arguments[cut + 1 :])
    if strange:
        parsers[verb].error(f"unrecognized arguments: {' '.join(strange)}")
    if "--" in arguments and verb not in ("test", "lab"):
        raise InputError(f"`--` has no meaning for {verb}", todo=f"see {PROGRAM} --help")
    return _checked(given)


def _checked(given: argparse.Namespace) -> argparse.Namespace:
    """What lies between several arguments."""
    if given.verb == "reproduce":
        given.runs = tuple(select(given.scale, given.only))
        if given.devices and given.profile:
            raise InputError("--devices are GPUs of this machine", todo="with --profile, ask for GPUs in the profile")
    if given.verb == "test" and given.slow and given.rest:
        raise InputError("--all is for all tests, not for arguments of pytest", todo="pass `-m slow` on")
    if given.verb == "compare" and len(given.folders) != 2:
        what = f"compare takes two result folders, got {len(given.folders)}"
        raise InputError(what, todo=f"see {PROGRAM} --help")
    return given


def _parsers() -> tuple[_Parser, dict[str, _Parser]]:
    """The whole parser, whose help also shows the options of the default verb, and those of the verbs."""
    main = _Parser(prog=PROGRAM, usage=f"{PROGRAM} [VERB] [OPTIONS]", epilog=EPILOG)
    verbs = main.add_subparsers(title="verbs", dest="verb", metavar="VERB")
    for verb, words in VERBS.items():
        passes_on = f"pass arguments on after `--`: {verb} -- ..." if verb in ("test", "lab") else ""
        about, more = fill(words, 120), {"export": OF_EXPORT, "predict": OF_PREDICT}.get(verb)
        verbs.add_parser(verb, prog=f"{PROGRAM} {verb}", help=words, description=about, epilog=more, todo=passes_on)
    for group in (main.add_argument_group("options of reproduce"), verbs.choices["reproduce"]):
        _add_options(group)
    verbs.choices["test"].add_argument("--all", dest="slow", action="store_true", help="the slow tests, too")
    verbs.choices["compare"].add_argument("folders", nargs="*", metavar="FOLDER", help="or NOTEBOOK/RUN; two of them")
    verbs.choices["compare"].add_argument("--all", dest="everything", action="store_true", help="list every row")
    _add_export(verbs.choices["export"])
    _add_predict(verbs.choices["predict"])
    _add_data(verbs.choices["data"])
    return main, verbs.choices


def _add_options(group: argparse._ActionsContainer) -> None:
    scale = group.add_mutually_exclusive_group()
    words = "every notebook on its small corpus, minutes on two cores (the default)"
    scale.add_argument("--quick", dest="scale", action="store_const", const="quick", default="quick", help=words)
    words = "every notebook with the full published grid, hours"
    scale.add_argument("--paper", dest="scale", action="store_const", const="paper", help=words)
    words = "this notebook, or exactly this run; may be given several times"
    group.add_argument("--only", action="append", default=[], metavar="NOTEBOOK[/RUN]", help=words)
    words = "cores to use (default: all); with --profile: cores of each run"
    group.add_argument("--cores", type=_count, metavar="N", help=words)
    group.add_argument("--dry-run", action="store_true", help="say what would run and why, and run nothing")
    words = "cut the grid of each run into N jobs, then gather; auto: by what its trainings took so far"
    group.add_argument("--chunks", type=_chunks, metavar="N|auto", help=words)
    words = "GPUs of this machine, as 0,1: one job at a time on each"
    group.add_argument("--devices", type=_devices, default=(), metavar="LIST", help=words)
    words = "run elsewhere: profiles/NAME here (slurm, kubernetes), or a Snakemake profile of yours"
    group.add_argument("--profile", metavar="NAME", help=words)


def _add_export(export: _Parser) -> None:
    export.add_argument("run", metavar="NOTEBOOK/RUN", help="a run that has finished here")
    export.add_argument("--variant", required=True, metavar="V", help="as the tables call it, as 'rate 0.8'")
    export.add_argument("--seed", type=_seed, metavar="S", help="default: the one with the best validation score")
    words = "the folder to write; default: results/NOTEBOOK/RUN/exported/V-seedS"
    export.add_argument("--to", metavar="DIR", help=words)


def _add_predict(predict: _Parser) -> None:
    predict.add_argument("model", metavar="MODEL", help="the folder of an exported model")
    words = "the name of a corpus, a corpus folder (docs/own_corpus.md), or a table or array file of one split"
    predict.add_argument("input", metavar="INPUT", help=words)
    splits = ("train", "valid", "test")
    predict.add_argument("--split", choices=splits, default="test", help="of a corpus; default: test")
    predict.add_argument("--out", metavar="FILE.csv", help="default: standard output")
    predict.add_argument("--device", default="cpu", metavar="NAME", help="cpu (default) or cuda")


def _add_data(data: _Parser) -> None:
    actions = data.add_subparsers(dest="action", required=True, metavar="get|check|import|preprocess|records")
    get = actions.add_parser("get", help="download what is missing of corpora and pre-trained parts")
    get.add_argument(
        "names", nargs="+", metavar="NAME", help="all (public corpora, no parts), or names that `data check` lists"
    )
    check = actions.add_parser("check", help="list every known corpus and part: present, partial, missing, damaged")
    preprocess = actions.add_parser("preprocess", help="decode a raw corpus once: faces and spectrograms")
    preprocess.add_argument("name", choices=RAW_CORPORA)
    for name, words, more in (
        ("raw", "the original release, or *_RAW_PROCESSED, *_SPLIT", {"required": True, "metavar": "DIR"}),
        ("layout", "where a release is cut to; default: mme2e there", {"metavar": "DIR"}),
        ("out", "default: mme2e_prepared in the data folder", {"metavar": "DIR"}),
        ("detector", "mtcnn (default if obtained), haar, yunet, none or MODULE:FUNCTION", {"metavar": "NAME"}),
        ("crop", "without a face", {"choices": ("reference", "centre"), "default": "reference"}),
        ("interval", "time between images (default: 500)", {"type": int, "default": 500, "metavar": "MS"}),
        ("frame-count", "how many images", {"choices": ("reference", "images"), "default": "reference"}),
        ("workers", "processes (default: 1)", {"type": int, "choices": range(1, 129), "default": 1, "metavar": "N"}),
    ):
        preprocess.add_argument(f"--{name}", help=words, **more)
    bring = actions.add_parser("import", help="check a corpus of yours, and make it one that every notebook can name")
    bring.add_argument("path", metavar="PATH", help="a folder with corpus.yaml, a pickle of MMSA or MulT, .csd files")
    bring.add_argument("--name", required=True, help="what a YAML calls it, as `dataset: NAME`")
    words = "what is asked, where a file has labels for several: regression, classes, multilabel"
    bring.add_argument("--task", choices=("regression", "classes", "multilabel"), help=words)
    bring.add_argument("--licence", default="not stated", help="terms of use, and whom to cite")
    records = actions.add_parser("records", help="list trained networks of settings that no longer exist")
    records.add_argument("--prune", action="store_true", help="remove them, without a question")
    for parser in (get, check, bring, preprocess):
        parser.add_argument("--root", metavar="DIR", help="data folder (default: REPRISE_DATA or data/)")


def _count(text: str) -> int:
    return _number(text, 1024, "")


def _chunks(text: str) -> int | str:
    return text if text == "auto" else _number(text, MOST_CHUNKS, " or auto")


def _number(text: str, most: int, other: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= most:
        raise argparse.ArgumentTypeError(f"expected a number from 1 to {most}{other}, got {text!r}")
    return int(text)


def _seed(text: str) -> int:
    if not text.isdecimal() or int(text) >= 2**31:
        raise argparse.ArgumentTypeError(f"expected a seed from 0 on, got {text!r}")
    return int(text)


def _devices(text: str) -> tuple[str, ...]:
    names = tuple(text.split(","))
    if not all(re.fullmatch(r"[\w-]+", name) for name in names) or len(set(names)) < len(names):
        raise argparse.ArgumentTypeError(f"expected different devices as 0,1, got {text!r}")
    return names
