"""Which backbones are trained with SPCL and without, at which pace, on which conversations (spec self_paced_balance, 1
to 4)."""

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from lib.data.corpus import SPLITS, Corpus
from lib.data.dialogues import mosi_conversations, stored_dialogues
from lib.data.ravdess import ravdess_dialogues
from lib.errors import InputError
from lib.metrics import scores
from lib.papers.self_paced_balance import Pace, SelfPacedBalance, over_fewer
from lib.papers.self_paced_balance.variants import TITLES, pair, several, sides, subsets, variant
from lib.params import CorpusOptions
from lib.reporting import seed_plan
from lib.study import Classes, Study, Task, corpus_with, in_turns, once
from lib.training.recipe import Member, ModelSpec, Recipe, SelfPacedSpec
from lib.training.records import Record
from lib.training.self_paced import CAP, next_threshold

MODALITIES = {"a": "audio", "t": "text", "v": "video"}
SPEAKERS = {
    "iemocap": stored_dialogues.IEMOCAP.speakers,
    "meld": stored_dialogues.MELD.speakers,
    "mosi": mosi_conversations.SPEAKERS,
    "ravdess": ravdess_dialogues.SPEAKERS,
}
NUMBERS = ("no modality", "one modality", "two modalities", "three modalities")
PLAIN = SelfPacedSpec(threshold=1.0, growth=1.0, enabled=False)
"""Without SPCL: the same bits as without a curriculum, with the modality ratios on record."""
SETTINGS = Path(__file__).with_name("settings.csv")
README = "README"
DEFAULTS = (0.4, 1.25)
"""First threshold and growth of the training script; LateFusion has no row of its own."""


def study(p: SelfPacedBalance) -> Study:
    """A task per development set, all with one question: IEMOCAP's depends on the seed (quirk 14), and so does the fold
    of a corpus that is tested in turns.

    Raises InputError for unusable data, modalities that it lacks, and feature widths that are not those of the
    parameters.
    """
    modalities = [MODALITIES[letter] for letter in p.whole]

    def ask(options: CorpusOptions) -> Task:
        return task(corpus_with(p, modalities, **options))

    tasks: dict[int, Task] = {}
    if p.family != "iemocap":
        official = {"split": p.split} if p.family == "meld" else {}
        tasks |= in_turns(p.dataset, p.corpus_options, p.possible_seeds, ask, fixed=official)

    def asked(p: SelfPacedBalance) -> tuple[Task, ...]:
        """Those of the seeds so far; where each has a corpus of its own, it is read when the seed is asked for."""
        name = "split_seed" if p.samples else "seed"
        tasks.update({seed: ask(p.corpus_options | {name: seed}) for seed in p.seeds if seed not in tasks})
        return tuple(once(tasks[seed] for seed in p.seeds))

    first = asked(p)
    found = tasks[p.seeds[0]].corpus
    if p.widths is not None and dict(p.widths) != dict(found.modalities):
        raise InputError(
            f"feature widths {dict(found.modalities)}, expected {dict(p.widths)}",
            where=found.source.name,
            todo="correct `widths`, or set it to null to take those of the data",
        )

    def members(task: Task) -> list[Member]:
        """Dearest first, whatever the seed."""
        mine = [m for seed, its in tasks.items() if its is task for m in grid(p, task.corpus, seed)]
        order = list(TITLES)
        return sorted(mine, key=lambda m: (order.index(m.tags["backbone"]), -len(m.train_on)))

    return Study(
        p,
        first,
        members,
        about=partial(about, p),
        pairs=lambda task: pairs(p),
        composed=over_fewer.claimed,
        plan=seed_plan.wanted if p.most_seeds else None,
        tasks_of=asked,
    )


def pairs(p: SelfPacedBalance) -> list[tuple[str, str]]:
    """What the paper claims of single networks: with SPCL against without. `over_fewer.claimed` has the other claim."""
    return [
        pair(backbone, subset)[::-1] for backbone in p.backbones.chosen() for subset in several(subsets(p, backbone))
    ]


def task(corpus: Corpus) -> Task:
    """Scores over utterances, whichever dialogue they stand in."""
    names = corpus.label_names

    def score(split: str, out: np.ndarray) -> dict[str, float]:
        return scores.classification(out, flat_labels(corpus, split), len(names))

    def classed(out: Mapping[str, np.ndarray]) -> scores.Answers:
        return scores.classed(out["test"], flat_labels(corpus, "test"))

    classes = Classes(names, lambda labels: labels[labels >= 0], scores.predicted_classes)
    return Task(corpus, score, ("weighted_f1", "acc"), classes, answers=classed)


def flat_labels(corpus: Corpus, split: str) -> np.ndarray:
    """`(N,)`: the labels of the real utterances, one dialogue after another."""
    labels = corpus.splits[split].labels
    return labels[labels >= 0]


def grid(p: SelfPacedBalance, corpus: Corpus, seed: int) -> Iterator[Member]:
    """Every variant with one seed: of each backbone those as published, then those under each mend."""
    for backbone in p.backbones.chosen():
        for mend in ("", *p.mends):
            for subset in subsets(p, backbone, mend):
                for spcl in sides(mend, subset):
                    yield member(p, corpus, seed, backbone, subset, spcl=spcl, mend=mend)


def member(
    p: SelfPacedBalance, corpus: Corpus, seed: int, backbone: str, subset: str, *, spcl: bool, mend: str = ""
) -> Member:
    """One network. Its tags carry what the tables need, and the development set."""
    over = "selected" if mend == "selected" else "all"
    curriculum = SelfPacedSpec(*paces(p, backbone, subset), over=over) if spcl else PLAIN
    modalities = tuple(MODALITIES[m] for m in subset)
    return Member(
        variant=variant(backbone, subset, spcl=spcl, mend=mend),
        seed=seed,
        model=model(p, corpus, backbone, subset, mend),
        recipe=recipe(p, backbone, curriculum),
        train_on=modalities,
        evaluate_on=modalities,
        tags={
            "backbone": backbone,
            "modalities": subset,
            "spcl": int(spcl),
            "mend": mend,
            "development": " ".join(corpus.splits["valid"].ids),
        },
    )


def model(p: SelfPacedBalance, corpus: Corpus, backbone: str, subset: str, mend: str = "") -> ModelSpec:
    """A backbone on some modalities, in the order of their letters, which is that of their logits' sum."""
    arguments: dict[str, object] = {
        "input_sizes": {MODALITIES[m]: int(corpus.modalities[MODALITIES[m]]) for m in subset},
        "classes": len(corpus.label_names),
        **p.backbones.chosen()[backbone].model_dump(exclude={"learning_rate", "epochs"}),
    }
    if backbone in ("biddin", "dialogue_gcn"):
        arguments["speakers"] = SPEAKERS[p.family]
    if backbone != "biddin":
        arguments |= {"layers": p.layers, "feedforward": p.feedforward}
    elif mend in ("axis", "masks"):  # padding can only be left out where attention stays within a dialogue
        arguments["attention_axis"] = "dialogue"
    if mend == "masks":
        arguments["padding_mask"] = True
    return ModelSpec(f"{backbone}:{TITLES[backbone].replace('-', '')}", arguments)


def recipe(p: SelfPacedBalance, backbone: str, curriculum: SelfPacedSpec) -> Recipe:
    """Spec self_paced_balance, section 4: Adam, clipping always on, the epoch with the best development weighted F1."""
    setting = p.backbones.chosen()[backbone]
    return Recipe(
        loss="cross_entropy",
        epochs=setting.epochs,
        batch_size=p.batch_size,
        learning_rate=setting.learning_rate,
        weight_decay=p.weight_decay,
        plateau_patience=None,
        clip_norm=p.clip_norm,
        patience=p.early_stopping,
        ties="earlier",
        select_by="weighted_f1",
        reshuffle=True,
        drop_last=False,
        evaluation_batch=p.batch_size,
        curriculum=curriculum,
    )


def paces(p: SelfPacedBalance, backbone: str, subset: str) -> tuple[float, float]:
    """First threshold and growth."""
    if isinstance(p.pace, Pace):
        return p.pace.threshold, p.pace.growth
    return published_pace(p.pace, backbone, subset)


def published_pace(dataset: str, backbone: str, subset: str) -> tuple[float, float]:
    """Threshold and growth of the README's table. Raises InputError for a combination that it does not have."""
    if backbone == "late_fusion":
        return DEFAULTS
    for row in published_paces().itertuples():
        if (row.given_in, row.dataset, row.backbone, row.modalities) == (README, dataset, backbone, subset):
            return row.threshold, row.growth
    raise InputError(f"no published threshold for {backbone} {subset} on {dataset}", where=SETTINGS.name)


def published_paces() -> pd.DataFrame:
    """What the authors published, the README's table before their example scripts (spec self_paced_balance, 4.2)."""
    return pd.read_csv(SETTINGS, dtype=str).astype({"threshold": float, "growth": float})


def conflicts() -> list[str]:
    """Where an example script gives another pair than the README, in words."""
    rows, found = published_paces(), []
    for row in rows[rows["given_in"] != README].itertuples():
        threshold, growth = published_pace(row.dataset, row.backbone, row.modalities)
        if (row.threshold, row.growth) != (threshold, growth):
            found.append(
                f"{row.dataset} {row.backbone} {row.modalities}: {row.given_in} has threshold {row.threshold:g} and "
                f"growth {row.growth:g}, the README {threshold:g} and {growth:g}"
            )
    return found


def epochs_to_cap(threshold: float, growth: float, most: int = 1000) -> int | None:
    """After how many epochs every utterance is selected for certain; None if not within `most`."""
    for epoch in range(most):
        if threshold >= CAP:
            return epoch
        threshold = next_threshold(threshold, growth)
    return None


def settings(p: SelfPacedBalance) -> pd.DataFrame:
    """Threshold and growth of every backbone and subset, and the epoch from which every utterance is selected."""
    rows = []
    for backbone, setting in p.backbones.chosen().items():
        for subset in several(p.subsets):
            threshold, growth = paces(p, backbone, subset)
            cap = epochs_to_cap(threshold, growth)
            row = {"backbone": TITLES[backbone], "modalities": subset, "threshold": threshold, "growth": growth}
            rows.append(row | {"cap after epochs": "never" if cap is None else str(cap), "epochs": setting.epochs})
    return pd.DataFrame(rows)


def about(p: SelfPacedBalance, record: Record) -> dict[str, object]:
    """Columns of the run table."""
    origin = "the authors' README" if isinstance(p.pace, str) else "fixed in the YAML"
    return {
        "selected_on": f"epoch: {record.selected_on['epoch']}; threshold and growth: {origin}",
        **{name: record.tags[name] for name in ("backbone", "modalities", "spcl", "mend", "development")},
        "epochs": len(record.history.get("train_loss", ())),
    }


def selected_on(p: SelfPacedBalance) -> dict[str, str]:
    """What chose the numbers of a run."""
    origin = "the authors' README" if isinstance(p.pace, str) else "none (fixed in the YAML)"
    return {
        "epoch": "development weighted F1 (strictly greater)",
        "hyper-parameters": f"thresholds and growths: {origin}; how they were chosen is not stated",
    }


def development_sets(study: Study) -> str:
    """In words, whether the seeds share a development set, and a test set."""
    sets = {frozenset(task.corpus.splits["valid"].ids) for task in study.tasks}
    seeds = "" if study.p.most_seeds else f"{len(study.p.seeds)} "
    folds = corpora(study)
    if len(folds) > 1:
        utterances = sum(len(flat_labels(corpus, "test")) for corpus in folds)
        return (
            f"The {seeds}seeds test {len(folds)} different folds, {utterances} utterances in all, each with its own "
            "development set, so that intervals over the seeds also hold the differences between the folds."
        )
    if len(sets) == 1:
        return f"All {seeds}seeds share the development set."
    size = len(next(iter(sets)))
    own = f"{len(sets)} different development sets" if seeds else "development sets of their own,"
    test = "The test set is the same for all."
    return f"The {seeds}seeds have {own} of {size} dialogues; each run's record names its own. {test}"


def corpora(study: Study) -> list[Corpus]:
    """A corpus of each test set."""
    found = {frozenset(task.corpus.splits["test"].ids): task.corpus for task in study.tasks}
    return list(found.values())


def describe(corpus: Corpus) -> pd.DataFrame:
    """Dialogues, utterances, the ids that tell speakers of a dialogue apart, and class counts per split."""
    rows = []
    for name in SPLITS:
        split, labels = corpus.splits[name], flat_labels(corpus, name)
        counts = {label: int((labels == number).sum()) for number, label in enumerate(corpus.label_names)}
        size = {"dialogues": len(split), "utterances": len(labels), "longest": int(split.lengths.max())}
        rows.append({"split": name, **size, "speaker ids": int(split.speakers.max()) + 1, **counts})
    return pd.DataFrame(rows)


def floor(corpus: Corpus) -> pd.DataFrame:
    """What always answering the commonest training class scores on the test set."""
    classes = len(corpus.label_names)
    commonest = int(np.bincount(flat_labels(corpus, "train"), minlength=classes).argmax())
    labels = flat_labels(corpus, "test")
    found = scores.classification(np.tile(np.eye(classes)[commonest], (len(labels), 1)), labels, classes)
    row = {"prediction": f"always {corpus.label_names[commonest]}"}
    return pd.DataFrame([row | {name: found[name] for name in ("weighted_f1", "acc")}])


def ceilings(corpus: Corpus) -> pd.DataFrame:
    """Best reachable scores of a stand-in by modality subset; empty for real data, whose ceilings nobody knows."""
    table = pd.DataFrame([{"from": subset, **best} for subset, best in corpus.source.ceilings.items()])
    return table[sorted(table, key=lambda name: (name != "from", "this test set" in name))]


def references(corpus: Corpus, metric: str, whole: str) -> dict[str, float]:
    """What a figure of scores is read against: the constant answer, and the ceiling of all modalities if known."""
    constant = floor(corpus).iloc[0]
    found = {constant["prediction"]: float(constant[metric])}
    if best := ceiling(corpus, whole):
        found[f"best possible, {NUMBERS[len(whole)]}"] = best[metric]
    return found


def ceiling(corpus: Corpus, subset: str) -> dict[str, float]:
    """Best reachable scores of a stand-in from these modalities; empty for real data."""
    return corpus.source.ceilings.get("+".join(name for name in corpus.modalities if name[0] in subset), {})
