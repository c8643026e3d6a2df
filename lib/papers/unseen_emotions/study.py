"""Which networks are trained with an emotion held out, and on what (spec emotion_embeddings, 9)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from lib import data
from lib.data.arrays.emotion_rules import EmotionSamples, append_emotion, few_shot, reference_shots, without_emotion
from lib.data.arrays.label_columns import LEAVE_OUT, refuse_absent
from lib.data.corpus import Corpus, Split
from lib.data.word_vectors import emotion_vectors
from lib.metrics.scores import Answers, detected, emotion_scores
from lib.papers.emotion_embeddings import study as eea
from lib.papers.unseen_emotions import UnseenEmotions
from lib.params import CorpusOptions
from lib.study import Done, Runs, Study, Task, in_turns, once
from lib.training.recipe import Member
from lib.training.validation import IN_WORDS

CLEAN, LEAKING = "zero-shot", "in training"
METRICS = ("auc", "weighted_acc")
"""Of the held-out emotion; `<metric>_others` is the mean over the others."""


@dataclass(frozen=True)
class Case:
    """A held-out emotion: the corpus with a column for it in every split, and the word vectors of all columns
    `(emotions, width)`.

    Trained on as it is, this is the leaking protocol: on IEMOCAP the reference's own, elsewhere an ordinary training.
    `seeds` are those of its networks, where the corpus is split anew for each; without any, all of the run.
    """

    emotion: str
    corpus: Corpus
    vectors: np.ndarray
    seeds: tuple[int, ...] = ()

    @property
    def column(self) -> int:
        return self.corpus.label_names.index(self.emotion)

    @property
    def seen(self) -> list[int]:
        """Columns of the other emotions."""
        return [c for c in range(len(self.corpus.label_names)) if c != self.column]

    def present(self, split: str) -> np.ndarray:
        """Which samples `(N,)` show the emotion."""
        return self.corpus.splits[split].labels[:, self.column] == 1

    def clean(self) -> Corpus:
        """No sample of the emotion in training or validation, and no column for it; the test samples are complete."""
        splits = {name: _without(self.corpus.splits[name], self.column) for name in ("train", "valid")}
        test = self.corpus.splits["test"]
        splits["test"] = replace(test, labels=np.delete(test.labels, self.column, axis=1))
        names = tuple(self.corpus.label_names[c] for c in self.seen)
        return replace(self.corpus, label_names=names, splits=splits)

    def with_shots(self, shots: int) -> Corpus:
        """Training keeps the first `shots` samples of the emotion, in file order; validation is complete (9.3)."""
        train = self.corpus.splits["train"]
        kept = rows(train, few_shot(train.labels, self.column, shots))
        return replace(self.corpus, splits={**self.corpus.splits, "train": kept})

    def answers(self, outputs: Mapping[str, np.ndarray]) -> Answers:
        """What is said of the held-out emotion in the test split, from logits as `scores` takes them."""
        return self._answers(outputs, [self.column])

    def answers_on_others(self, outputs: Mapping[str, np.ndarray]) -> Answers:
        """The same of the other emotions."""
        return self._answers(outputs, self.seen)

    def _answers(self, outputs: Mapping[str, np.ndarray], columns: list[int]) -> Answers:
        return detected(outputs["test"][:, columns], self.corpus.splits["test"].labels[:, columns])

    def scores(self, split: str, logits: np.ndarray) -> dict[str, float]:
        """From logits of all emotions `(N, C)` for a complete split."""
        every, found = emotion_scores(logits, self.corpus.splits[split].labels), {}
        for metric in METRICS:
            found[metric] = float(every[metric][self.column])
            found[f"{metric}_others"] = float(np.mean(every[metric][self.seen]))
        return found


@dataclass(frozen=True, kw_only=True, eq=False)
class Setting(Task):
    """A case with all, none or a few of the emotion's training samples (`shots`): a task with a corpus of its own.

    `network` is the variant that is trained for it. `score` takes logits of all emotions, as `answers` gives them.
    """

    case: Case
    kind: str
    shots: int
    network: str

    @property
    def vectors(self) -> np.ndarray:
        """Word vectors of the emotions that are trained."""
        return self.case.vectors[self.case.seen] if self.kind == CLEAN else self.case.vectors


def rows(split: Split, kept: np.ndarray) -> Split:
    """The samples at these indices."""
    return Split(
        features={m: x[kept] for m, x in split.features.items()},
        lengths=split.lengths[kept],
        labels=split.labels[kept],
        ids=tuple(split.ids[i] for i in kept),
        groups=None if split.groups is None else tuple(split.groups[i] for i in kept),
    )


def _without(split: Split, column: int) -> Split:
    kept, labels = without_emotion(split.labels, column)
    return replace(rows(split, kept), labels=labels)


def load_cases(p: UnseenEmotions) -> list[Case]:
    """One case per held-out emotion, and per fold of a corpus that is tested in turns.

    Raises InputError for unusable data and for an emotion without a word vector.
    """
    root = p.data_root or None
    nine = data.load("iemocap_nine", root, nonfinite=p.nonfinite) if p.dataset == "iemocap_emotions" else None

    def ask(options: CorpusOptions) -> list[Case]:
        known, read_with = eea.load_emotions(p.training, p.dataset, options)
        refuse_absent(known.splits["train"].labels, known.label_names, known.source.name, LEAVE_OUT)
        cases = []
        for emotion in p.held_out:
            corpus = _appended(known, nine, emotion) if nine else known
            cases.append(Case(emotion, corpus, emotion_vectors(p.dataset, corpus.label_names, root, **read_with)))
        return cases

    asked = in_turns(p.dataset, p.corpus_options, p.seeds, ask)
    folds = once(asked.values())
    seeds = [tuple(seed for seed in p.seeds if asked[seed] is cases) for cases in folds]
    return [
        replace(case, seeds=own)
        for of_emotion in zip(*folds, strict=True)
        for case, own in zip(of_emotion, seeds, strict=True)
    ]


def _appended(known: Corpus, nine: Corpus, emotion: str) -> Corpus:
    """The four emotions' samples, then those of one of the nine, in every split (9.2)."""
    splits = {}
    for name, split in known.splits.items():
        more = nine.splits[name]
        extra = rows(more, np.flatnonzero(more.labels[:, nine.label_names.index(emotion)] == 1))
        joined = append_emotion(EmotionSamples(dict(split.features), split.labels), extra.features)
        lengths = np.concatenate([split.lengths, extra.lengths])
        splits[name] = Split(joined.features, lengths, joined.labels, (*split.ids, *extra.ids))
    source = replace(
        known.source,
        name=f"{known.source.name} and {emotion}",
        files={**known.source.files, **nine.source.files},
        warnings=(
            *known.source.warnings,
            "the unseen emotions' samples come from other files than all the others: whatever tells the files apart "
            "also tells these emotions, trained on or not",
        ),
    )
    return replace(known, label_names=(*known.label_names, emotion), splits=splits, source=source)


def few_shot_sizes(p: UnseenEmotions, case: Case) -> dict[str, int]:
    """Samples of the emotion that stay in training, by setting; those the split does not have are left out."""
    labels = case.corpus.splits["train"].labels
    sizes = {f"{share:g} of them, + 1": reference_shots(labels, case.column, share) for share in p.shares}
    sizes |= {"1 shot" if shots == 1 else f"{shots} shots": shots for shots in p.shots}
    return {words: shots for words, shots in sizes.items() if shots < case.present("train").sum()}


def study(p: UnseenEmotions) -> Study:
    """Every emotion held out in turn. Raises InputError as `load_cases` does."""
    return plan(p, load_cases(p))


def plan(p: UnseenEmotions, cases: Sequence[Case]) -> Study:
    """Zero-shot and in training for every case, and the few-shot settings of those that have them.

    Where the complete corpus is the same for all cases, one network that is trained on it serves them all.
    """
    settings = []
    for case in cases:
        settings.append(_setting(case, CLEAN, case.clean(), 0))
        everywhere = f"all emotions {LEAKING}" if p.dataset != "iemocap_emotions" else ""
        settings.append(_setting(case, LEAKING, case.corpus, int(case.present("train").sum()), everywhere))
        if case.emotion in p.few_shot:
            sizes = few_shot_sizes(p, case)
            settings += [_setting(case, kind, case.with_shots(shots), shots) for kind, shots in sizes.items()]
    first = {(setting.network, setting.case.seeds): setting for setting in reversed(settings)}
    serving = {id(setting) for setting in first.values()}
    return Study(p, tuple(settings), lambda setting: networks(p, setting) if id(setting) in serving else [])


def _setting(case: Case, kind: str, corpus: Corpus, shots: int, network: str = "") -> Setting:
    network = network or f"{case.emotion}: {kind}"
    about = {"case": case, "kind": kind, "shots": shots, "network": network}
    return Setting(corpus, case.scores, METRICS, name=case.emotion, answers=case.answers, **about)


def networks(p: UnseenEmotions, setting: Setting) -> list[Member]:
    """One per seed, as the notebook of emotion embeddings trains them."""
    emotions = eea.Emotions("", p.dataset, setting.corpus, setting.vectors, setting.case.seeds)
    return eea.members(p.training, emotions, eea.Variant(setting.network, "eea", p.modalities, "bce"))


def trained(runs: Runs, setting: Setting) -> list[Done]:
    """The runs that serve a setting, one per seed."""
    seeds = setting.case.seeds or runs.study.p.seeds
    return [run for run in runs.done if run[1].variant == setting.network and run[1].seed in seeds]


def zero_shot(study: Study) -> list[Setting]:
    """The clean setting of every emotion, of a corpus that is tested in turns in the first fold."""
    return [settings[0] for settings in zero_shot_in_turns(study)]


def zero_shot_in_turns(study: Study) -> list[list[Setting]]:
    """The clean settings of every emotion, one for each fold."""
    found: dict[str, list[Setting]] = {}
    for setting in study.tasks:
        if setting.kind == CLEAN:
            found.setdefault(setting.case.emotion, []).append(setting)
    return list(found.values())


def label(study: Study) -> str:
    """Of the corpus that all cases come from; on IEMOCAP each adds an emotion of its own."""
    found = list(dict.fromkeys(setting.corpus.source.label for setting in study.tasks))
    return found[0] if len(found) == 1 else f"{' / '.join(name.rpartition(', ')[0] for name in found)}, real data"


def selected_on(p: UnseenEmotions) -> dict[str, str]:
    """What chose the numbers of the run."""
    epoch = f"{IN_WORDS[p.training.selection(p.dataset)]}, of the seen emotions in the clean protocol"
    return {"epoch": epoch, "hyper-parameters": "none (fixed in the YAML)"}


def leaks(study: Study) -> pd.DataFrame:
    """Samples per split, and how many of them carry the held-out emotion, in the clean and the leaking protocol; the
    largest numbers of all folds."""
    found = []
    for setting in study.tasks:
        if setting.kind not in (CLEAN, LEAKING):
            continue
        row = {"emotion": setting.case.emotion, "protocol": "clean" if setting.kind == CLEAN else "leaking"}
        for split in ("train", "valid"):
            carriers = set(np.array(setting.case.corpus.splits[split].ids)[setting.case.present(split)])
            row[split] = len(setting.corpus.splits[split])
            row[f"{split}_with_it"] = len(carriers & set(setting.corpus.splits[split].ids))
        found.append(row)
    return pd.DataFrame(found).groupby(["emotion", "protocol"], sort=False, as_index=False).max()
