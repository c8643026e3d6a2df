"""What zero-shot networks say of the emotions that they were trained on, beside the only published numbers of them.

The released code takes the samples of the held-out emotion out of the test split too, and names each network's file by
its mean scores of the other emotions there (spec emotion_embeddings, 7 and 9.1). Its branch `fsl` lists six of them.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from lib.metrics.scores import emotion_scores
from lib.papers.emotion_embeddings import MODALITIES, Hidden
from lib.papers.unseen_emotions import UnseenEmotions
from lib.papers.unseen_emotions.study import CLEAN, Setting
from lib.reporting import published
from lib.run_table import run_table
from lib.study import Runs

METRICS = ("weighted_acc", "weighted_f1", "auc")
"""Of file names; here with `_seen` behind."""
PUBLISHED = Path(__file__).with_name("published.csv")
_COMMAND = {
    "modalities": MODALITIES,
    "epochs": 100,
    "patience": 8,
    "batch_size": 512,
    "learning_rate": 0.0001,
    "clip_norm": 10.0,
    "cell": "lstm",
    "layers": 1,
    "bidirectional": True,
    "hidden": Hidden(text=300, audio=200, video=100),
}
"""What the listed commands train with."""


def seen_scores(answered: Runs) -> pd.DataFrame:
    """Run table of the zero-shot networks: `METRICS`, each the mean over the emotions that were trained, on the test
    samples without the held-out one. `answered` is from `answers.answers`."""
    return run_table(
        {
            "variant": record.variant,
            "seed": record.seed,
            "selected_on": record.selected_on["epoch"],
            "status": record.status,
            "metrics": {"test": _of_seen(setting, record.outputs["test"])} if "test" in record.outputs else {},
        }
        for setting, _, record in answered.done
        if record.tags["setting"] == CLEAN
    )


def _of_seen(setting: Setting, logits: np.ndarray) -> dict[str, float]:
    """From logits of all emotions `(N, C)` for the complete test split."""
    case = setting.case
    rows = np.ix_(~case.present("test"), case.seen)
    found = emotion_scores(logits[rows], case.corpus.splits["test"].labels[rows])
    return {f"{metric}_seen": float(np.mean(found[metric])) for metric in METRICS}


def beside_published(answered: Runs) -> pd.DataFrame:
    """Published and reproduced scores of the seen emotions (`published.compare`), one row per held-out emotion and
    metric; empty on a corpus without published numbers."""
    p, source = answered.study.p, answered.study.tasks[0].corpus.source
    ours, paper = seen_scores(answered), published.runs(PUBLISHED, p.dataset.split("_")[0])
    if paper.empty:
        return pd.DataFrame()
    options = {"baseline": "", "source": source, **comparable(p)}
    found = [published.compare(paper, ours, metric=f"{metric}_seen", **options) for metric in METRICS]
    return pd.concat(found, ignore_index=True)


def comparable(p: UnseenEmotions) -> Mapping[str, object]:
    """How our numbers stand beside the published ones, which are of the released features of CMU-MOSEI and their folds
    (15,290 training samples)."""
    if p.dataset == "mosei_text":
        own = ("other folds", published.TEXT_ONLY, "sizes and word vectors of our own")
        return {"same_corpus": True, "deviations": own}
    if p.dataset != "mosei_emotions":
        return {"same_corpus": False}
    theirs = p.model_copy(update=_COMMAND)
    free = set(UnseenEmotions.model_fields) - set(_COMMAND)
    return {"same_corpus": True, "deviations": p.differences(theirs, free=free)}
