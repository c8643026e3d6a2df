"""Held-out emotions of small corpora, and a small run of them."""

from lib import params
from lib.papers.unseen_emotions import UnseenEmotions
from lib.papers.unseen_emotions.study import Case
from tests.papers.emotion_tasks import small_task

GIVEN = {
    "samples": 120,
    "dataset": "mosei_emotions_like",
    "held_out": ["disgust", "happy"],
    "few_shot": ["happy"],
    "shots": [1, 5],
    "shares": [0.1],
    "fine_tuning": {"epochs": 1, "share": 0.1, "learning_rate": 0.01, "memory": 16},
    "seeds": [0, 1],
    "epochs": 2,
    "batch_size": 16,
    "learning_rate": 0.01,
    "layers": 1,
    "dropout": 0.0,
    "hidden": {"text": 8, "audio": 4, "video": 3},
    "results": "results/x",
}
MOSEI = small_task("mosei_emotions_like")
IEMOCAP = small_task("iemocap_emotions_like")


def given(**changes) -> UnseenEmotions:
    return params.check(UnseenEmotions, GIVEN | changes, where="test")


def held_out(emotion: str, dataset: str = "mosei_emotions_like") -> Case:
    task = {"mosei_emotions_like": MOSEI, "iemocap_emotions_like": IEMOCAP}[dataset]
    return Case(emotion, task.corpus, task.vectors)


def carriers(case: Case, split: str) -> set[str]:
    """Ids of the samples that carry the held-out emotion, from the labels as they were read."""
    part = case.corpus.splits[split]
    return {name for name, row in zip(part.ids, part.labels, strict=True) if row[case.column] == 1}
