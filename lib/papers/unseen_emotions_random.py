"""The word vector of an unseen emotion among random ones: does the word matter, or would any vector do?"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float

from lib.metrics.presence import probabilities
from lib.metrics.scores import auc
from lib.papers.unseen_emotions import CLEAN, Job, members, zero_shot_model
from lib.params.unseen_emotions import UnseenEmotions
from lib.training.loop import evaluate
from lib.training.records import FINISHED, Record
from lib.training.streams import derived_seed

VECTORS = 200


def random_table(p: UnseenEmotions, jobs: Sequence[Job], records: Mapping[str, Sequence[Record]]) -> pd.DataFrame:
    """One row per held-out emotion: the AUC of its word vector and of random ones, all averaged over the seeds.

    `random_mean` and the middle 95 % of the random vectors; how many of them score at least as high as the word, and
    `random_p`, that number and one over the number of vectors and one: the chance that a random vector in the word's
    place stands as high. All NaN for an emotion without a finished network, or of which the test has none or nothing
    else.
    """
    rows = []
    for job in (job for job in jobs if job.setting == CLEAN):
        finished = [record for record in records[job.variant] if record.status == FINISHED]
        vectors = candidates(job)
        found = np.full(len(vectors), np.nan)
        if finished:
            found = np.mean([_aucs(p, job, record, vectors) for record in finished], axis=0)
        word, others = found[0], found[1:]
        low, high = np.quantile(others, [0.025, 0.975])
        higher = int(np.sum(others >= word))
        place = np.nan if np.isnan(word) else (higher + 1) / (len(others) + 1)
        rows.append(
            {
                "emotion": job.case.emotion,
                "auc": float(word),
                "random_mean": float(others.mean()),
                "middle_of_random_low": float(low),
                "middle_of_random_high": float(high),
                "random_vectors": len(others),
                "at_least_as_high": higher,
                "random_p": place,
            }
        )
    return pd.DataFrame(rows)


def candidates(job: Job) -> Float[np.ndarray, "vectors width"]:
    """The emotion's word vector, then `VECTORS` random ones of its length; the same for every seed."""
    word = job.case.complete.vectors[job.case.column]
    drawn = np.random.default_rng(derived_seed(0, "random vectors", job.case.emotion)).normal(size=(VECTORS, len(word)))
    drawn *= np.linalg.norm(word) / np.linalg.norm(drawn, axis=1, keepdims=True)
    return np.vstack([word, drawn]).astype(np.float32)


def sentences(table: pd.DataFrame) -> list[str]:
    """From `random_table`."""
    return [
        f"{row['emotion']}: undefined, so its word has no place among the random vectors."
        if np.isnan(row["auc"])
        else f"{row['emotion']}: {row['at_least_as_high']} of {row['random_vectors']} random vectors score at least as "
        f"high as its word (p {row['random_p']:.3f}; the middle 95 % of them {row['middle_of_random_low']:.3f} to "
        f"{row['middle_of_random_high']:.3f}): the word "
        f"{'matters' if row['random_p'] < 0.05 else 'is not told apart from any other vector'}."
        for row in table.to_dict("records")
    ]


def _aucs(p: UnseenEmotions, job: Job, record: Record, vectors: np.ndarray) -> Float[np.ndarray, "vectors"]:
    """Every vector's score of the emotion, by one network: a logit depends on its own vector only."""
    model = zero_shot_model(p, job, record)
    model.set_emotions(torch.from_numpy(vectors))
    test = job.case.complete.corpus.batches("test").only(p.modalities)
    out = probabilities(evaluate(model, test, members(p, job)[0].recipe).numpy())
    true = job.case.complete.corpus.splits["test"].labels[:, job.case.column] == 1
    return auc(out, np.broadcast_to(true[:, None], out.shape))
