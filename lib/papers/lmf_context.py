"""What stands around the results of the notebook `low_rank_fusion`: the corpus, floors, published numbers, manifest."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from lib.data.arrays.lmf_pickles import POM
from lib.metrics import scores as metrics
from lib.papers.lmf_tables import MEAN, groups, pick, variant
from lib.papers.low_rank_fusion import LEGACY, LMF, TFN, WINNER, Task, result_folder
from lib.params.low_rank_fusion import LowRankFusion
from lib.reporting import manifest, published
from lib.training.records import Record, engines


def run_label(tasks: Sequence[Task]) -> str:
    """The corpus label of the whole run: without the emotion where the run has several."""
    source = tasks[0].corpus.source
    return replace(source, name=source.name.removesuffix(f", {tasks[0].name}")).label


def titled(task: Task, text: str) -> str:
    """`text` as a caption, with the task in front where the run has several."""
    return f"{task.name}: {text}" if task.name else f"{text[0].upper()}{text[1:]}"


def corpus_table(p: LowRankFusion, tasks: Sequence[Task]) -> pd.DataFrame:
    """Samples per split and what their labels are, per task."""
    rows = []
    for task in tasks:
        for name, split in task.corpus.splits.items():
            labels = split.labels if task.column is None else split.labels[:, task.column]
            row = {"task": task.name or p.targets[0], "split": name, "samples": len(split)}
            if task.corpus.task == "classes":
                row["share present"] = float(labels.mean())
            else:
                row |= {"lowest": float(labels.min()), "mean": float(labels.mean()), "highest": float(labels.max())}
            rows.append(row)
    return pd.DataFrame(rows)


def ceiling_table(tasks: Sequence[Task]) -> pd.DataFrame:
    """Best reachable scores of a stand-in; empty for real data, whose ceilings nobody knows."""
    rows = [
        {"task": task.name, "from": subset, **best}
        for task in tasks
        for subset, best in task.corpus.source.ceilings.items()
    ]
    table = pd.DataFrame(rows)
    return table if not len(table) or table["task"].any() else table.drop(columns="task")


def floor_table(p: LowRankFusion, tasks: Sequence[Task]) -> pd.DataFrame:
    """What a constant prediction scores on the test set: the training median, or never finding the emotion."""
    rows = []
    for task in tasks:
        train, test = (task.corpus.splits[name].labels for name in ("train", "test"))
        if p.family == "iemocap":
            never = metrics.classification(np.tile([1.0, 0.0], (len(test), 1)), test, 2)
            row = {name: never[name] for name in ("weighted_f1", "f1_class_1")}
            rows.append({"task": task.name, "prediction": "never finding the emotion", **row})
            continue
        columns = slice(None) if p.family == "mosi" or task.column is None else task.column
        train, test = (y if p.family == "mosi" else y[:, columns] for y in (train, test))
        constant = np.broadcast_to(np.median(train, axis=0), test.shape)
        options = {} if p.family == "mosi" else {"neutral": None, "limits": (1.0, 7.0)}
        found = metrics.regression(constant, test, **options)
        shown = {name: found[name] for name in ("mae", "acc2_nonneg", "acc7_rounded") if name in found}
        rows.append({"task": task.name, "prediction": "always the training median", **shown})
    table = pd.DataFrame(rows)
    return table if table["task"].any() else table.drop(columns="task")


def published_corpus(p: LowRankFusion) -> bool:
    """Whether the run is on the files of the published numbers."""
    return p.dataset.endswith("_lmf")


def deviations(p: LowRankFusion) -> list[str]:
    """How a run on the published files differs from the released protocol (spec lmf, sections 6 and 9)."""
    if not published_corpus(p):
        return []
    epochs = 100 if p.family == "iemocap" else 500
    found = [f"{p.epochs} epochs instead of {epochs}"] * (p.epochs != epochs)
    found += [f"patience {p.patience} instead of 20"] * (p.patience != 20)
    if p.family == "pom" and p.targets != ("all",) and len(p.targets) < len(POM.layouts[0]):
        found.append(f"{len(p.targets)} of {len(POM.layouts[0])} traits")
    return found + ["infinities set to 0"] * (p.nonfinite == "zero")


def comparison_table(p: LowRankFusion, tasks: Sequence[Task], table: pd.DataFrame, paper: pd.DataFrame, metric: str):
    """Published and reproduced scores, and gains of LMF over TFN, per task (see `published.compare`)."""
    found = []
    for group in groups(p, tasks):
        theirs = pick(paper, group, (LMF, TFN, "LMF, third party"))
        if theirs.empty:
            continue
        compared = published.compare(
            theirs,
            pick(table, group, (LMF, TFN)),
            metric=metric,
            baseline=variant(group, TFN),
            source=tasks[0].corpus.source,
            same_corpus=published_corpus(p),
            deviations=deviations(p),
        )
        found.append(compared.drop(columns="rate"))
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame()


def paper_variant(p: LowRankFusion, tasks: Sequence[Task], task: str, kind: str) -> str:
    """Where a published number stands beside ours: POM's are means over the traits, IEMOCAP's one emotion each."""
    if p.family == "iemocap":
        return variant(task if len(tasks) > 1 else "" if task in p.targets else task, kind)
    return variant(MEAN if MEAN in groups(p, tasks) else "", kind)


def write_manifest(p: LowRankFusion, tasks: Sequence[Task], records: Sequence[Record], seconds: float) -> None:
    """`manifest.json` of the result folder."""
    search = f"validation loss of {p.search_draws} draws for {WINNER!r} alone, else "
    origin = "the authors' hyperparams.txt" if p.setting is None else "none (fixed in the YAML)"
    manifest.write_manifest(
        result_folder(p),
        params=p.model_dump(mode="json", exclude={"results", "data_root", "cores"}),
        sources=[task.corpus.source for task in tasks],
        seeds=[*p.seeds, *([p.search_seed] if p.search_draws else [])],
        engine=engines(records),
        device="cuda" if "cuda" in engines(records) else "cpu",
        selected_on={
            "epoch": f"validation loss ({LEGACY} on IEMOCAP: the last epoch)",
            "hyper-parameters": (search if p.search_draws else "") + origin,
        },
        durations={"notebook": seconds, "training, all runs": sum(record.seconds for record in records)},
    )
