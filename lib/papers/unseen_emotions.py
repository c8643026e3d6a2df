"""Emotions without training samples, or with a few: what is trained, and on what (spec emotion_embeddings, 9)."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from lib import data
from lib.data.arrays.emotion_rules import EmotionSamples, append_emotion, few_shot, reference_shots, without_emotion
from lib.data.arrays.label_columns import LEAVE_OUT, refuse_absent
from lib.data.corpus import Corpus, Split
from lib.data.word_vectors import emotion_vectors
from lib.files import WORKSPACE
from lib.papers.emotion_embeddings import study as eea
from lib.papers.emotion_embeddings.study import Emotions, Variant
from lib.params.unseen_emotions import UnseenEmotions
from lib.training.loop import evaluate
from lib.training.progress import GridProgress
from lib.training.recipe import Member
from lib.training.records import Record, load_weights
from lib.training.streams import derived_seed
from lib.training.sweep import sweep

CLEAN, LEAKING = "zero-shot", "in training"


@dataclasses.dataclass(frozen=True)
class Case:
    """A held-out emotion: the corpus with a column for it in every split, and the word vectors of all columns.

    Trained on as it is, this is the leaking protocol: on IEMOCAP the reference's own, elsewhere an ordinary training.
    """

    emotion: str
    complete: Emotions

    @property
    def column(self) -> int:
        return self.complete.corpus.label_names.index(self.emotion)

    @property
    def seen(self) -> list[int]:
        """Columns of the other emotions."""
        return [c for c in range(len(self.complete.corpus.label_names)) if c != self.column]

    def clean(self) -> Emotions:
        """No sample of the emotion in training or validation, and no column for it; the test samples are complete."""
        corpus = self.complete.corpus
        splits = {name: _without(corpus.splits[name], self.column) for name in ("train", "valid")}
        test = corpus.splits["test"]
        splits["test"] = dataclasses.replace(test, labels=np.delete(test.labels, self.column, axis=1))
        names = tuple(corpus.label_names[c] for c in self.seen)
        held_out = dataclasses.replace(corpus, label_names=names, splits=splits)
        return dataclasses.replace(self.complete, corpus=held_out, vectors=self.complete.vectors[self.seen])

    def with_shots(self, shots: int) -> Emotions:
        """Training keeps the first `shots` samples of the emotion, in file order; validation is complete (9.3)."""
        corpus = self.complete.corpus
        train = corpus.splits["train"]
        kept = rows(train, few_shot(train.labels, self.column, shots))
        return dataclasses.replace(
            self.complete, corpus=dataclasses.replace(corpus, splits={**corpus.splits, "train": kept})
        )

    def positives(self) -> int:
        """Training samples with the emotion."""
        return int(self.complete.corpus.splits["train"].labels[:, self.column].sum())


def rows(split: Split, kept: np.ndarray) -> Split:
    """The samples at these indices."""
    return Split(
        features={m: x[kept] for m, x in split.features.items()},
        lengths=split.lengths[kept],
        labels=split.labels[kept],
        ids=tuple(split.ids[i] for i in kept),
    )


def _without(split: Split, column: int) -> Split:
    kept, labels = without_emotion(split.labels, column)
    return dataclasses.replace(rows(split, kept), labels=labels)


def load_cases(p: UnseenEmotions) -> list[Case]:
    """One case per held-out emotion. Raises InputError for unusable data and for an emotion without a word vector."""
    root = data.data_root(p.data_root or None)
    corpus, options = eea.load_emotions(p, p.dataset)
    refuse_absent(corpus.splits["train"].labels, corpus.label_names, corpus.source.name, LEAVE_OUT)
    nine = data.load("iemocap_nine", root, nonfinite=p.nonfinite) if p.dataset == "iemocap_emotions" else None
    cases = []
    for emotion in p.held_out:
        complete = _appended(corpus, nine, emotion) if nine else corpus
        vectors = emotion_vectors(p.dataset, complete.label_names, root, **options)
        cases.append(Case(emotion, Emotions("", p.dataset, complete, vectors)))
    return cases


def _appended(known: Corpus, nine: Corpus, emotion: str) -> Corpus:
    """The four emotions' samples, then those of one of the nine, in every split (9.2)."""
    splits = {}
    for name, split in known.splits.items():
        more = nine.splits[name]
        extra = rows(more, np.flatnonzero(more.labels[:, nine.label_names.index(emotion)] == 1))
        joined = append_emotion(EmotionSamples(dict(split.features), split.labels), extra.features)
        lengths = np.concatenate([split.lengths, extra.lengths])
        splits[name] = Split(joined.features, lengths, joined.labels, (*split.ids, *extra.ids))
    source = dataclasses.replace(
        known.source,
        name=f"{known.source.name} and {emotion}",
        files={**known.source.files, **nine.source.files},
        warnings=(
            *known.source.warnings,
            "the unseen emotions' samples come from other files than all the others: whatever tells the files apart "
            "also tells these emotions, trained on or not",
        ),
    )
    return dataclasses.replace(known, label_names=(*known.label_names, emotion), splits=splits, source=source)


def few_shot_sizes(p: UnseenEmotions, case: Case) -> dict[str, int]:
    """Samples of the emotion that stay in training, by setting; those the split does not have are left out."""
    labels, column = case.complete.corpus.splits["train"].labels, case.column
    sizes = {f"{share:g} of them, + 1": reference_shots(labels, column, share) for share in p.shares}
    sizes |= {"1 shot" if shots == 1 else f"{shots} shots": shots for shots in p.shots}
    return {words: shots for words, shots in sizes.items() if shots < case.positives()}


@dataclasses.dataclass(frozen=True)
class Job:
    """A setting of a case: the task that is trained. `shots` counts the emotion's training samples."""

    case: Case
    setting: str
    task: Emotions
    shots: int

    @property
    def variant(self) -> str:
        """Name in the run table."""
        return f"{self.case.emotion}: {self.setting}"


def plan(p: UnseenEmotions, cases: Sequence[Case]) -> list[Job]:
    """Zero-shot and in training for every case, and the few-shot settings of those that have them."""
    jobs = []
    for case in cases:
        jobs.append(Job(case, CLEAN, case.clean(), 0))
        jobs.append(Job(case, LEAKING, case.complete, case.positives()))
        if case.emotion in p.few_shot:
            sizes = few_shot_sizes(p, case)
            jobs += [Job(case, setting, case.with_shots(shots), shots) for setting, shots in sizes.items()]
    return jobs


def members(p: UnseenEmotions, job: Job) -> list[Member]:
    """One network per seed. Where the complete corpus is the same for all cases, it is trained on once."""
    shared = job.setting == LEAKING and p.dataset != "iemocap_emotions"
    kind = f"all emotions {LEAKING}" if shared else job.variant
    return eea.members(p.training, job.task, Variant(kind, "eea", p.modalities, "bce"))


def train_all(p: UnseenEmotions, jobs: Sequence[Job]) -> dict[str, list[Record]]:
    """Records by variant; they lie in the result folder under `members/`, resumable."""
    folder = result_folder(p)
    report, total, found = GridProgress(folder), len(jobs) * len(p.seeds), {}
    for number, job in enumerate(jobs):
        before = number * len(p.seeds)
        found[job.variant] = sweep(
            members(p, job),
            job.task.corpus,
            folder / "members",
            cores=p.cores,
            progress=lambda done, _, before=before: report(before + done, total),
        )
    return found


@torch.no_grad()
def logits(p: UnseenEmotions, job: Job, record: Record, *, control: bool = False) -> np.ndarray:
    """Of all emotions `(N, C)` on the complete test split. The zero-shot networks are given the missing vector here.

    `control` gives the held-out emotion a random vector of the same length instead, drawn anew for each seed.
    """
    if job.setting != CLEAN:
        return record.outputs["test"]
    vectors = job.case.complete.vectors.copy()
    if control:
        rng = np.random.default_rng(derived_seed(record.seed, "control", job.case.emotion))
        draw = rng.normal(size=vectors.shape[1])
        vectors[job.case.column] = draw * np.linalg.norm(vectors[job.case.column]) / np.linalg.norm(draw)
    model = zero_shot_model(p, job, record)
    model.set_emotions(torch.from_numpy(vectors))
    recipe = members(p, job)[0].recipe
    return evaluate(model, job.case.complete.corpus.batches("test").only(p.modalities), recipe).numpy()


def zero_shot_model(p: UnseenEmotions, job: Job, record: Record) -> torch.nn.Module:
    """The trained network, which knows the seen emotions alone."""
    model = members(p, job)[0].model.build()
    model.load_state_dict(load_weights(result_folder(p) / "members", record))
    return model


def result_folder(p: UnseenEmotions) -> Path:
    """The run's result folder."""
    return WORKSPACE / p.results
