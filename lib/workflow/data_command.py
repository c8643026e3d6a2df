"""`run_all.sh data`: obtain the corpora (`get`), see what is there (`check`), bring one (`import`), decode raw ones
(`preprocess`); list what trainings of settings that no longer exist have left (`records`).
"""

import argparse
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from tqdm import tqdm

from lib.data import corpora, data_root
from lib.data.catalogue import CATALOGUE, KnownCorpus, PublicCorpus, RestrictedCorpus, Survey
from lib.data.io import packages
from lib.data.io.fetch import Unreachable, find, get
from lib.data.own.declaration import declaration
from lib.data.own.described import HOME, brought
from lib.data.own.importing import bring
from lib.data.pretrained import PARTS, PretrainedPart
from lib.data.recordings.raw_decoding import Options
from lib.data.recordings.raw_layout import processed_folder
from lib.data.recordings.raw_preprocessing import Outcome, preprocess
from lib.errors import InputError
from lib.workflow.leftovers import list_records
from lib.workflow.messages import complain, explained, is_terminal

BAD_INPUT = 2
INTERRUPTED = 130
_DETECTORS = {name: f"lib.data.recordings.face_detection:{name}" for name in ("mtcnn", "haar", "yunet")} | {
    "none": None
}


Known = KnownCorpus | PretrainedPart
OBTAINABLE: Mapping[str, Known] = {**CATALOGUE, **PARTS}


def data(given: argparse.Namespace, catalogue: Mapping[str, Known] = OBTAINABLE) -> int:
    """Do what `given.action` says; 0, 2 (bad input, damaged or unobtainable data) or 130 (interrupted)."""
    try:
        if given.action == "records":
            return list_records(prune=given.prune)
        if given.action == "import":
            return _import(given)
        return {"get": _get, "check": _check, "preprocess": _preprocess}[given.action](given, catalogue)
    except InputError as error:
        complain(str(error), prefix="")
        return BAD_INPUT
    except OSError as error:
        if error.filename is None:  # of a stream, not of the data folder
            raise
        complain(explained(error), prefix="")
        return BAD_INPUT
    except KeyboardInterrupt:
        complain("interrupted; the next call fetches or makes what is not complete", prefix="")
        return INTERRUPTED


def _get(options: argparse.Namespace, catalogue: Mapping[str, Known]) -> int:
    """Fetch every corpus asked for; one that fails does not keep the others from being fetched."""
    root = data_root(options.root)
    corpora = [find(name, catalogue) for name in options.names if name != "all"]
    if "all" in options.names:
        corpora += [corpus for corpus in catalogue.values() if isinstance(corpus, PublicCorpus)]
    obtained = [
        _explain(corpus, root) if isinstance(corpus, RestrictedCorpus) else _fetch(corpus, root, catalogue)
        for corpus in dict.fromkeys(corpora)
    ]
    return 0 if all(obtained) else BAD_INPUT


def _fetch(corpus: PublicCorpus, root: Path, catalogue: Mapping[str, Known]) -> bool:
    try:
        if isinstance(corpus, PretrainedPart):
            fetched = packages.get(corpus, root, say=print)
        else:
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


def _import(options: argparse.Namespace) -> int:
    """Store a corpus that somebody brings, having said what is in it, and where it can be used."""
    name = options.name
    folder = bring(
        Path(options.path),
        name,
        data_root(options.root),
        task=options.task,
        licence=options.licence,
        taken=lambda name: name in corpora.CORPORA and corpora.CORPORA[name].family != HOME,
    )
    print(f"{name}: stored in {folder}; a YAML names it as `dataset: {name}`")
    return 0


def _preprocess(options: argparse.Namespace, catalogue: Mapping[str, Known]) -> int:
    """Decode; print the problems by kind and outcome."""
    out = Path(options.out) if options.out else data_root(options.root) / "mme2e_prepared"
    raw = _raw_layout(options)
    chosen = Options(
        interval_ms=options.interval,
        frame_count=options.frame_count,
        crop_columns=options.crop,
        detector=_detector(options.detector, data_root(options.root)),
    )
    made: Counter[bool] = Counter()
    with tqdm(unit="utterance", leave=False, disable=not is_terminal(sys.stderr)) as bar:

        def watch(outcome: Outcome) -> None:
            made[outcome.made] += 1
            bar.update()

        prepared = preprocess(
            options.name, raw, out, chosen, root=data_root(options.root), workers=options.workers, watch=watch
        )
    counts = ", ".join(f"{split} {len(entries)}" for split, entries in prepared["splits"].items())
    print(f"{options.name}: {counts} utterances in {out / options.name} ({made[True]} made, {made[False]} found)")
    faces = sum((Counter(of_split) for of_split in prepared["faces"].values()), Counter())
    detected = f"detected by {chosen.detector.rpartition(':')[2]}" if chosen.detector else "detected"
    print(f"    faces: {faces['found']} {detected}, {faces['given']} ready, {faces['crop_rule']} by the crop rule")
    _print_problems(prepared["problems"])
    return 0


def _detector(given: str | None, root: Path) -> str | None:
    """The detector asked for; else MTCNN, where its weights are."""
    if given is None:
        given = "none" if PARTS["mtcnn"].survey(root).state == "missing" else "mtcnn"
        if given == "none":
            print("no face detector: the paper's MTCNN comes with ./run_all.sh data get mtcnn")
    return _DETECTORS.get(given, given)


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


def _check(options: argparse.Namespace, catalogue: Mapping[str, Known]) -> int:
    """List every corpus of the catalogue; 2 if any file of any of them is damaged."""
    root = data_root(options.root)
    print(f"data folder: {root}" if root.exists() else f"data folder: {root} (does not exist)")
    surveys = []
    with tqdm(bar_format="checking {desc}", leave=False, disable=not is_terminal(sys.stderr)) as line:
        for corpus in catalogue.values():
            surveys.append((corpus, corpus.survey(root, watch=line.set_description_str)))
    for corpus, survey in surveys:
        print(*_description(corpus, survey), sep="\n    ")
    faulty = False
    for lines, sound in _yours(root):
        print(*lines, sep="\n    ")
        faulty |= not sound
    return BAD_INPUT if faulty or any(survey.damaged for _, survey in surveys) else 0


def _yours(root: Path) -> Iterator[tuple[list[str], bool]]:
    """What to say of each corpus that the user has brought, and whether its `corpus.yaml` can be used."""
    for folder in brought(root):
        try:
            about = declaration(folder)
        except InputError as error:
            yield [f"\n{folder.name}: yours, damaged", str(error)], False
        else:
            lines = [f"\n{folder.name}: yours", f"{about.label}: {about.task}; licence: {about.licence}"]
            yield [*lines, f"folders: {HOME}/{folder.name}"], True


def _description(corpus: Known, survey: Survey) -> Iterator[str]:
    known = [*survey.sound, *survey.stand_in, *survey.damaged, *survey.unfinished, *survey.missing]
    size = tqdm.format_sizeof(sum(survey.sound.values()), "B")
    yield f"\n{corpus.name}: {survey.state}, {len(survey.sound)} of {len(known)} files, {size}"
    yield corpus.title
    yield f"folders: {', '.join(_few(sorted({str(Path(path).parent) for path in known})))}"
    if survey.stand_in:
        yield f"synthetic, not the corpus itself: {len(survey.stand_in)} files written by this workspace"
    yield from (f"damaged: {path} {fault}" for path, fault in survey.damaged.items())
    for path, received in survey.unfinished.items():
        yield f"unfinished: {path} ({tqdm.format_sizeof(received, 'B')} so far)"
    yield from _few([f"missing: {path}" for path in survey.missing])
    if isinstance(corpus, RestrictedCorpus):
        if survey.state != "present":
            yield f"restricted; how to obtain it: ./run_all.sh data get {corpus.name}"
        return
    if isinstance(corpus, PretrainedPart):
        yield f"source: package {corpus.package} {corpus.version} ({corpus.licence})"
    else:
        yield f"source: {', '.join(sorted({f'{file.repository} ({file.licence})' for file in corpus.files}))}"
    if survey.state != "present":
        yield f"to obtain it: ./run_all.sh data get {corpus.name}"


def _few(said: list[str], shown: int = 20) -> list[str]:
    """The first of many; a corpus of single recordings has a file for each of them."""
    return [*said[:shown], f"and {len(said) - shown} more"] if len(said) > shown else said
