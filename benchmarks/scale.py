"""What a member, a chunk and a gathering cost, and what that makes of large grids.

    python -m benchmarks.scale measure   # minutes; writes benchmarks/results/scale_*.csv
    python -m benchmarks.scale page      # fits them, checks that on runs left out, writes docs/scale.md

Seconds are processor seconds, because machines are shared: on an idle core they are those of the clock.
"""

import csv
import os
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from benchmarks.cases import PAPER_BIEFLSTM, SMALL_MFN, Case
from lib.training import records
from lib.training.chunks import chunk
from lib.training.execution import one_thread
from lib.training.loop import train
from lib.training.streams import SeededStreams
from lib.training.sweep import member_key, train_missing

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
CASES = {"MFN": SMALL_MFN, "biEFLSTM": replace(PAPER_BIEFLSTM)}
SIZES = [  # (minibatches of training, epochs, enters the fit)
    (4, 1, True),
    (8, 1, True),
    (4, 3, True),
    (8, 2, True),
    (16, 2, False),
    (12, 3, False),
    (24, 2, False),
]
REPEATS = 2
Row = dict[str, object]


def sized(case: Case, minibatches: int, epochs: int) -> Case:
    """The case with so many minibatches; validation and test are a quarter of the training set each."""
    train_size = minibatches * case.recipe.batch_size
    return replace(case.but(epochs=epochs), samples=(train_size, train_size // 4, train_size // 4))


def measure_members() -> Iterator[Row]:
    """Processor seconds and bytes of members trained alone on one thread; the least of several repeats."""
    for name, case in CASES.items():
        for minibatches, epochs, fitted in SIZES:
            own = sized(case, minibatches, epochs)
            corpus, member = own.corpus(), own.members(1)[0]
            splits = {split: corpus.batches(split, dtype=member.recipe.dtype, device="cpu") for split in corpus.splits}
            seconds = []
            with one_thread(), tempfile.TemporaryDirectory() as folder:
                for _ in range(REPEATS):
                    started = time.process_time()
                    outcome = train(member, splits, SeededStreams(member.seed))
                    seconds.append(time.process_time() - started)
                records.write(Path(folder), member, "0" * 64, outcome, 1.0)
                size = sum(path.stat().st_size for path in Path(folder).iterdir())
            train_size, valid_size, test_size = own.samples
            yield {
                "model": name,
                "fitted": int(fitted),
                "train": train_size,
                "valid": valid_size,
                "test": test_size,
                "epochs": epochs,
                "weights": sum(value.numel() for value in outcome.best_state.values()),
                "outputs": sum(out.numel() for out in outcome.outputs.values()),
                "seconds": min(seconds),
                "bytes": size,
            }


def measure_gathering() -> Iterator[Row]:
    """Processor seconds of what a start does for each member that is finished, by the number of members."""
    case = sized(CASES["biEFLSTM"], 1, 1)
    corpus = case.corpus()
    for count, fitted in ((20, True), (40, True), (80, False)):
        members = case.members(count)
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            data = corpus.digest
            with one_thread():
                splits = {s: corpus.batches(s, dtype=members[0].recipe.dtype, device="cpu") for s in corpus.splits}
                outcome = train(members[0], splits, SeededStreams(0))
            keys = {}
            keyed = time.process_time()
            for member in members:
                keys[member.variant, member.seed] = member_key(member, data)
            keyed = time.process_time() - keyed
            for member in members:
                records.write(folder, member, keys[member.variant, member.seed], outcome, 1.0)
            cut = time.process_time()
            chunk([(corpus, members)], 1, 2)
            cut = time.process_time() - cut
            found = time.process_time()
            grid = train_missing(members, corpus, folder)
            assert all(grid.read(member) is not None for member in members)
            found = time.process_time() - found
            yield {"members": count, "fitted": int(fitted), "keys_s": keyed, "cut_s": cut, "gather_s": found}


def measure_jobs() -> Iterator[Row]:
    """Processor seconds of `run_all.sh` and all it starts for a finished run in so many chunks: nothing is trained."""
    from tests.faults.tiny import RUN, make

    with tempfile.TemporaryDirectory() as folder:
        workspace = make(Path(folder) / "workspace")
        assert workspace.run_all("--only", RUN, "--cores", "1").code == 0
        for chunks, fitted in ((0, True), (2, True), (4, False)):
            workspace.path(RUN, "status.json").unlink()
            before = _processor_seconds_of_children()
            cut = ("--chunks", str(chunks)) if chunks else ()
            ended = workspace.run_all("--only", RUN, "--cores", "1", *cut)
            assert ended.code == 0, ended
            yield {"chunks": chunks, "fitted": int(fitted), "seconds": _processor_seconds_of_children() - before}


def _processor_seconds_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _write(name: str, rows: Iterator[Row]) -> None:
    found = list(rows)
    with (RESULTS / f"scale_{name}.csv").open("w", newline="") as out:
        writer = csv.DictWriter(out, list(found[0]))
        writer.writeheader()
        writer.writerows(found)
    print(name, *found, sep="\n", flush=True)


def main(arguments: list[str]) -> int:
    wanted = arguments[1:] or ["members", "gathering", "jobs"]
    if arguments[:1] == ["measure"]:
        RESULTS.mkdir(exist_ok=True)
        for name in wanted:
            _write(name, {"members": measure_members, "gathering": measure_gathering, "jobs": measure_jobs}[name]())
        return 0
    if arguments == ["page"]:
        from benchmarks.scale_page import write_page

        return write_page()
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.exit(main(sys.argv[1:]))
