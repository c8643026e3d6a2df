"""`run_all.sh data`: obtain the corpora (`get`), see what is there (`check`), decode raw ones (`preprocess`); list what
trainings of settings that no longer exist have left (`records`).
"""

import argparse
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NoReturn

from tqdm import tqdm

from lib.data import data_root
from lib.data.catalogue import CATALOGUE, KnownCorpus, PublicCorpus, RestrictedCorpus, Survey
from lib.data.io.fetch import Unreachable, find, get
from lib.data.recordings.raw_decoding import Options
from lib.data.recordings.raw_layout import EMOTIONS, processed_folder
from lib.data.recordings.raw_preprocessing import Outcome, preprocess
from lib.errors import InputError
from lib.workflow.advice import explained
from lib.workflow.leftovers import list_records
from lib.workflow.streams import complain, exit_code, is_terminal

BAD_INPUT = 2
INTERRUPTED = 130
_DETECTORS = {name: f"lib.data.recordings.face_detection:{name}" for name in ("haar", "yunet")}


class _Parser(argparse.ArgumentParser):
    """Reports a usage error in one line, through the same channel as any other bad input."""

    def error(self, message: str) -> NoReturn:
        raise InputError(message, where=self.prog, todo=f"see {self.prog} --help")


def main(argv: list[str], catalogue: Mapping[str, KnownCorpus] = CATALOGUE) -> int:
    """Run one verb; return 0, 2 (bad input, damaged or unobtainable data) or 130 (interrupted)."""
    try:
        options = _parser(catalogue).parse_args(argv)
        return options.run(options, catalogue)
    except InputError as error:
        complain(str(error), prefix="")
        return BAD_INPUT
    except OSError as error:
        if error.filename is None:  # of a stream, not of the data folder
            raise
        complain(explained(error), prefix="")
        return BAD_INPUT
    except KeyboardInterrupt:
        complain("interrupted; the next call continues where this one ended", prefix="")
        return INTERRUPTED


def _parser(catalogue: Mapping[str, KnownCorpus]) -> _Parser:
    parser = _Parser(prog="run_all.sh data", description=__doc__, allow_abbrev=False)
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="get|check|preprocess|records")
    get_verb = verbs.add_parser("get", help="download corpora, continuing where an earlier call ended")
    get_verb.add_argument("names", nargs="+", metavar="NAME", help=f"all, {', '.join(catalogue)}")
    get_verb.set_defaults(run=_get)
    check_verb = verbs.add_parser("check", help="list every known corpus: present, partial, missing, damaged")
    check_verb.set_defaults(run=_check)
    preprocess_verb = verbs.add_parser("preprocess", help="decode a raw corpus once: faces and spectrograms")
    preprocess_verb.add_argument("name", choices=tuple(EMOTIONS))
    preprocess_verb.add_argument(
        "--raw", required=True, metavar="DIR", help="the original release, or *_RAW_PROCESSED, *_SPLIT"
    )
    preprocess_verb.add_argument("--layout", metavar="DIR", help="where a release is cut to; default: mme2e there")
    preprocess_verb.add_argument("--out", metavar="DIR", help="default: mme2e_prepared in the data folder")
    preprocess_verb.add_argument(
        "--detector", metavar="NAME", help="haar, yunet or MODULE:FUNCTION (default: crop rule)"
    )
    preprocess_verb.add_argument("--crop", choices=("reference", "centre"), default="reference", help="without a face")
    preprocess_verb.add_argument("--interval", type=int, default=500, metavar="MS", help="time between images")
    preprocess_verb.add_argument("--frame-count", choices=("reference", "images"), default="reference")
    preprocess_verb.add_argument("--workers", type=int, choices=range(1, 129), default=1, metavar="N")
    preprocess_verb.set_defaults(run=_preprocess)
    records_verb = verbs.add_parser("records", help="list trained networks of settings that no longer exist")
    records_verb.add_argument("--prune", action="store_true", help="remove them, without a question")
    records_verb.set_defaults(run=_records)
    for verb in (get_verb, check_verb, preprocess_verb):
        verb.add_argument("--root", metavar="DIR", help="data folder (default: REPRISE_DATA or data/)")
    return parser


def _get(options: argparse.Namespace, catalogue: Mapping[str, KnownCorpus]) -> int:
    """Fetch every corpus asked for; one that fails does not keep the others from being fetched."""
    root = data_root(options.root)
    corpora = [find(name, catalogue) for name in options.names if name != "all"]
    if "all" in options.names:
        corpora += [corpus for corpus in catalogue.values() if isinstance(corpus, PublicCorpus)]
    obtained = [
        _fetch(corpus, root, catalogue) if isinstance(corpus, PublicCorpus) else _explain(corpus, root)
        for corpus in dict.fromkeys(corpora)
    ]
    return 0 if all(obtained) else BAD_INPUT


def _fetch(corpus: PublicCorpus, root: Path, catalogue: Mapping[str, KnownCorpus]) -> bool:
    try:
        fetched = get(corpus.name, root, catalogue=catalogue, say=print)
    except Unreachable:
        raise
    except InputError as error:
        complain(str(error), prefix="")
        return False
    news = f"{len(fetched)} files fetched" if fetched else "nothing to fetch"
    print(f"{corpus.name}: complete in {root} ({news})")
    return True


def _explain(corpus: RestrictedCorpus, root: Path) -> bool:
    present = corpus.survey(root).state == "present"
    print(f"{corpus.name}: complete in {root}" if present else corpus.instructions(root))
    return present


def _preprocess(options: argparse.Namespace, catalogue: Mapping[str, KnownCorpus]) -> int:
    """Decode; print the problems by kind and outcome."""
    out = Path(options.out) if options.out else data_root(options.root) / "mme2e_prepared"
    raw = _raw_layout(options)
    chosen = Options(
        interval_ms=options.interval,
        frame_count=options.frame_count,
        crop_columns=options.crop,
        detector=_DETECTORS.get(options.detector, options.detector),
    )
    made: Counter[bool] = Counter()
    with tqdm(unit="utterance", leave=False, disable=not is_terminal(sys.stderr)) as bar:

        def watch(outcome: Outcome) -> None:
            made[outcome.made] += 1
            bar.update()

        prepared = preprocess(options.name, raw, out, chosen, workers=options.workers, watch=watch)
    counts = ", ".join(f"{split} {len(entries)}" for split, entries in prepared["splits"].items())
    print(f"{options.name}: {counts} utterances in {out / options.name} ({made[True]} made, {made[False]} found)")
    faces = sum((Counter(of_split) for of_split in prepared["faces"].values()), Counter())
    print(f"    faces: {faces['found']} detected, {faces['given']} ready, {faces['crop_rule']} by the crop rule")
    _print_problems(prepared["problems"])
    return 0


def _raw_layout(options: argparse.Namespace) -> Path:
    """The folder of the raw layout; an original release is cut to it first."""
    given = Path(options.raw)
    if processed_folder(options.name, given).is_dir():
        return given
    from lib.data.recordings import raw_release  # brings OpenCV, which nothing else here needs

    if not raw_release.is_release(options.name, given):
        return given
    layout = Path(options.layout) if options.layout else data_root(options.root) / "mme2e"
    with tqdm(unit="recording", leave=False, disable=not is_terminal(sys.stderr)) as bar:
        record = raw_release.to_raw_layout(
            options.name, given, layout, workers=options.workers, watch=lambda _: bar.update()
        )
    counts = f"{record['utterances']} utterances of {record['recordings']} recordings"
    print(f"{options.name}: {counts} in {layout} ({record['made']} cut, {record['found']} found)")
    _print_problems(record["problems"])
    return layout


def _print_problems(problems: list[dict]) -> None:
    kinds = Counter((p["outcome"], p["what"].rpartition(": ")[2]) for p in problems)
    for (outcome, what), count in sorted(kinds.items()):
        print(f"    {outcome}: {count} x {what}")


def _records(options: argparse.Namespace, catalogue: Mapping[str, KnownCorpus]) -> int:
    return list_records(prune=options.prune)


def _check(options: argparse.Namespace, catalogue: Mapping[str, KnownCorpus]) -> int:
    """List every corpus of the catalogue; 2 if any file of any of them is damaged."""
    root = data_root(options.root)
    print(f"data folder: {root}" if root.exists() else f"data folder: {root} (does not exist)")
    surveys = []
    with tqdm(bar_format="checking {desc}", leave=False, disable=not is_terminal(sys.stderr)) as line:
        for corpus in catalogue.values():
            surveys.append((corpus, corpus.survey(root, watch=line.set_description_str)))
    for corpus, survey in surveys:
        print(*_description(corpus, survey), sep="\n    ")
    return BAD_INPUT if any(survey.damaged for _, survey in surveys) else 0


def _description(corpus: KnownCorpus, survey: Survey) -> Iterator[str]:
    known = [*survey.sound, *survey.stand_in, *survey.damaged, *survey.unfinished, *survey.missing]
    size = tqdm.format_sizeof(sum(survey.sound.values()), "B")
    yield f"\n{corpus.name}: {survey.state}, {len(survey.sound)} of {len(known)} files, {size}"
    yield corpus.title
    yield f"folders: {', '.join(sorted({str(Path(path).parent) for path in known}))}"
    if survey.stand_in:
        yield f"synthetic, not the corpus itself: {len(survey.stand_in)} files written by this workspace"
    yield from (f"damaged: {path} {fault}" for path, fault in survey.damaged.items())
    for path, received in survey.unfinished.items():
        yield f"unfinished: {path} ({tqdm.format_sizeof(received, 'B')} so far)"
    yield from (f"missing: {path}" for path in survey.missing)
    if isinstance(corpus, RestrictedCorpus):
        if survey.state != "present":
            yield f"restricted; how to obtain it: ./run_all.sh data get {corpus.name}"
        return
    yield f"source: {', '.join(sorted({f'{file.repository} ({file.licence})' for file in corpus.files}))}"
    if survey.state != "present":
        yield f"to obtain it: ./run_all.sh data get {corpus.name}"


if __name__ == "__main__":
    sys.exit(exit_code(lambda: main(sys.argv[1:])))
