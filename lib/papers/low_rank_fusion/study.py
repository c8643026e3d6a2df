"""Which networks are trained on what, and what is published of them (see SPEC.md)."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from lib import data
from lib.data.arrays.lmf_inputs import averaged, without_label
from lib.data.corpus import Corpus, Split
from lib.data.ravdess.clips import EMOTIONS
from lib.data.text.frozen import PART
from lib.errors import InputError
from lib.metrics import scores
from lib.papers.low_rank_fusion import SPACES, TRAITS, LowRankFusion, Setting, chosen, search_settings
from lib.papers.low_rank_fusion.means import MEAN, groups, run_table, with_means
from lib.params import CorpusOptions
from lib.reporting import gains, published, seed_plan
from lib.study import Classes, Runs, Study, Task, in_turns, once, variant_name
from lib.training.recipe import Member, ModalityDropoutSpec, ModelSpec, Recipe
from lib.training.records import Record
from lib.training.trained import Trained

LMF, TFN, CONCATENATION, LEGACY, WINNER = "LMF", "TFN", "concatenation", "LMF legacy", "LMF best draw"
FUSIONS = {
    LMF: ("low_rank:LMF", "word_fusion:WordLMF"),
    TFN: ("tensor_fusion:TFN", "word_fusion:WordTFN"),
    CONCATENATION: ("concatenation:Concatenation", "word_fusion:WordConcatenation"),
}
"""The networks that differ in the fusion alone: over vectors, and over words by number."""
THIRD_PARTY = "LMF, third party"
SEARCHED = "searched"
"""Kind of a network that was trained once, with a drawn setting."""
COMPARED = {
    "mosi": ("mae", "acc2_nonneg"),
    "pom": ("mae", "corr"),
    "iemocap": ("weighted_f1", "f1_class_1"),
    "ravdess": ("weighted_f1", "acc"),
    "own classes": ("weighted_f1", "acc"),
    "own regression": ("mae", "corr"),
}
TABLE_2 = {
    "mosi": ("mae", "corr", "acc2_nonneg", "f1_binary_weighted", "acc7_rounded"),
    "pom": ("mae", "corr", "acc7_rounded"),
    "iemocap": ("weighted_f1",),
    "ravdess": ("weighted_f1",),
    "own classes": ("weighted_f1",),
    "own regression": ("mae", "corr"),
}
"""The columns of the paper's table 2; what other corpora have of them."""
PRESENCE = ("absent", "present")
"""The classes of one of IEMOCAP's emotions."""
OWN = ("own classes", "own regression")
"""Corpora that somebody has brought: sequences, of which sound and picture are averaged."""
_FLOORS = ("weighted_f1", "mae", "acc2_nonneg", "acc7_rounded")


def study(p: LowRankFusion) -> Study:
    """One task per target, or per target and fold. Raises InputError for unusable data, or a batch of one sample, which
    batch norm refuses."""
    turns = [in_turns(p.dataset, p.corpus_options, p.possible_seeds, partial(task, p, target)) for target in p.targets]
    tasks = tuple(once(each for turn in turns for each in turn.values()))
    for each in tasks:
        samples = len(each.corpus.splits["train"])
        for size in sorted({s.batch_size for s in (setting(p, each), *drawn(p))}):
            if samples % size == 1:
                what = f"{samples} training samples leave a last batch of one at batch size {size}"
                todo = "batch norm needs two: other batch_size or seed"
                raise InputError(what, where=each.corpus.source.name, todo=todo)
    return Study(
        p,
        tasks,
        lambda task: [m for m in grid(p, task) if any(turn.get(m.seed, task) is task for turn in turns)],
        partial(repeats_of_winner, p),
        partial(about, p),
        cost,
        pairs=lambda task: [] if MEAN in groups(p) else [(task.variant(LMF), task.variant(TFN))],
        composed=over_mean,
        plan=seed_plan.wanted if p.most_seeds else None,
    )


def over_mean(runs: Runs) -> pd.DataFrame:
    """What the paper claims where its scores are means over traits: LMF's against TFN's. Empty elsewhere."""
    metric, pair = runs.study.tasks[0].metrics[0], (variant_name(MEAN, LMF), variant_name(MEAN, TFN))
    return gains.pairs(run_table(runs), metric, [pair], with_means(runs))


def task(p: LowRankFusion, target: str, options: CorpusOptions) -> Task:
    """A corpus with sentiment, one emotion, all emotions, one trait or all traits as what is scored."""
    corpus, name, metrics = load(p, target, options), target if len(p.targets) > 1 else "", COMPARED[p.family]
    labels = {split: scored_labels(corpus, target, part) for split, part in corpus.splits.items()}
    if corpus.task == "classes":
        names = PRESENCE if p.family == "iemocap" else corpus.label_names

        def classified(split: str, out: np.ndarray) -> dict[str, float]:
            return scores.classification(out, labels[split], len(names))

        def classed(out: Mapping[str, np.ndarray]) -> scores.Answers:
            return scores.classed(out["test"], labels["test"])

        return Task(corpus, classified, metrics, Classes.exclusive(names), name, answers=classed)
    scale, mine = corpus.scale, output(corpus, target)

    def regression(split: str, out: np.ndarray) -> dict[str, float]:
        return scores.regression(out[:, mine], labels[split], neutral=scale.neutral, limits=scale.limits)

    def rated(out: Mapping[str, np.ndarray]) -> scores.Answers:
        return scores.Rated(out["test"][:, mine], labels["test"], scale.limits, scale.neutral)

    classes = Classes.rounded(scale.limits) if p.family == "mosi" else None
    return Task(corpus, regression, metrics, classes, name, answers=rated)


def load(p: LowRankFusion, target: str, options: CorpusOptions) -> Corpus:
    """The corpus of a target, as LMF reads it. Raises InputError for an option that the run sets elsewhere, and for
    several scores in a corpus of your own."""
    fixed: dict[str, object] = {"samples": p.samples} if p.dataset.endswith("_like") else {}
    if p.family == "iemocap":
        fixed["label"] = target
    if p.dataset == "mosi_words":
        fixed |= {"words": p.words, "side": p.padding, "text" if p.glove in PART else "glove": p.glove}
    if p.dataset == "mosi_utterances":
        fixed["context"] = 1
    if p.dataset == "pom":
        fixed["label"] = "all"
    if twice := [name for name in options if name in fixed]:
        raise InputError(f"option {twice[0]!r} is set by the run", where="corpus_options", todo="leave it out")
    corpus = data.load(p.dataset, p.data_root or None, nonfinite=p.nonfinite, **fixed, **options)
    if p.dataset == "pom":
        return without_label(averaged(corpus), "Sentiment")
    if p.family == "own regression" and len(corpus.label_names) > 1:
        what = f"{len(corpus.label_names)} scores of an utterance ({', '.join(corpus.label_names)})"
        raise InputError(what, where=p.dataset, todo="low-rank fusion says one of them: import a corpus with one label")
    return averaged(corpus) if p.dataset == "ravdess" or p.family in OWN else corpus


def output(corpus: Corpus, target: str) -> int | slice:
    """Which outputs of a regression are scored: those of all traits, or one."""
    if target == "all":
        return slice(None)
    return corpus.label_names.index(target) if len(corpus.label_names) > 1 else 0


def scored_labels(corpus: Corpus, target: str, split: Split) -> np.ndarray:
    """What a target's outputs are scored against, (N,), or (N, 16) for all traits."""
    return split.labels if split.labels.ndim == 1 else split.labels[:, output(corpus, target)]


def setting(p: LowRankFusion, task: Task) -> Setting:
    """That of the YAML, else the authors' for this target."""
    return p.setting or chosen(p.family, task.name or p.targets[0])


def by_number(p: LowRankFusion) -> bool:
    """Whether words come as numbers, and the network learns their vectors."""
    return p.dataset == "mosi_words" and not p.glove


def model(p: LowRankFusion, corpus: Corpus, setting: Setting, kind: str) -> ModelSpec:
    """A fusion on sub-networks of the same sizes, so that kinds differ in the fusion alone; LMF's if none is named."""
    widths, labels = {m: int(width) for m, width in corpus.modalities.items()}, corpus.splits["train"].labels
    arguments: dict[str, object] = {
        "input_sizes": widths | ({"text": p.word_vectors} if by_number(p) else {}),
        "hidden_sizes": {m: getattr(setting, f"{m}_hidden") for m in ("audio", "video", "text")},
        "dropouts": {m: getattr(setting, f"{m}_dropout") for m in ("audio", "video", "text")},
        "batch_norm_init": p.batch_norm_init,
    }
    if by_number(p):  # the last number is a word of the training split: the others are unknown
        arguments["vocabulary"] = int(corpus.splits["train"].features["text"].max()) + 1
    outputs = len(corpus.label_names) if corpus.task == "classes" or labels.ndim == 2 else 1
    fusion = kind if kind in FUSIONS else LMF
    if fusion != LMF:
        arguments["dropouts"] |= {"fusion": p.tfn_dropout}
        head = "bounded" if p.family == "mosi" else "linear"  # (-3, 3) is MOSI's (spec low_rank_fusion, 2.1)
        arguments |= {"fusion_size": p.tfn_size, "head": head, "output_size": outputs}
    else:
        arguments |= {"output_size": outputs, "rank": setting.rank}
    return ModelSpec(FUSIONS[fusion][by_number(p)], arguments)


def recipe(p: LowRankFusion, corpus: Corpus, setting: Setting, *, legacy: bool = False) -> Recipe:
    """SPEC.md, section 6. `legacy` leaves rank weights and bias of the fusion untrained (quirk 1) and, for classes,
    whose script is IEMOCAP's, tests the last epoch instead of the selected one (quirk 3)."""
    classes = corpus.task == "classes"
    return Recipe(
        loss="cross_entropy_sum" if classes else "l1_sum",
        epochs=p.epochs,
        batch_size=setting.batch_size,
        learning_rate=setting.learning_rate,
        weight_decay=setting.weight_decay,
        groups={"factor_learning_rate": setting.factor_learning_rate, "legacy": legacy},
        plateau_patience=None,
        patience=p.patience,
        ties="earlier",
        abandon_on_nan=True,
        tested_epoch="last" if legacy and classes else "selected",
        reshuffle=True,
        drop_last=False,
    )


def member(
    p: LowRankFusion, task: Task, kind: str, seed: int, setting: Setting, *, alone: str = "", **tags: str
) -> Member:
    """One network, or the concatenation that is fed one modality `alone`. Its tags carry what the tables need beside
    its scores."""
    spec = model(p, task.corpus, setting, CONCATENATION if alone else kind)
    modalities = (alone,) if alone else tuple(task.corpus.modalities)
    size = sum(weights.numel() for weights in spec.build().parameters())
    return Member(
        variant=task.variant(kind),
        seed=seed,
        model=spec,
        recipe=recipe(p, task.corpus, setting, legacy=kind == LEGACY),
        train_on=modalities,
        evaluate_on=modalities,
        modality_dropout=ModalityDropoutSpec({}),
        tags={"task": task.name, "kind": kind, "rank": setting.rank, "parameters": size, **tags},
    )


def rank_kind(rank: int) -> str:
    """Kind of a network of the rank sweep."""
    return f"LMF rank {rank}"


def alone(modality: str) -> str:
    """Kind of the concatenation that is fed one modality."""
    return f"{modality} alone"


def repeated(p: LowRankFusion, task: Task) -> list[Member]:
    """LMF, TFN, concatenation, LMF as before April 2020, each modality alone if asked for, and the ranks of the sweep,
    each with every seed."""
    base, modalities, first = setting(p, task), tuple(task.corpus.modalities) if p.unimodal else (), p.seeds[0]
    found = [member(p, task, kind, first, base) for kind in (*FUSIONS, LEGACY)]
    found += [member(p, task, alone(m), first, base, alone=m) for m in modalities]
    ranks = {rank: base.model_copy(update={"rank": rank}) for rank in p.ranks if rank != base.rank}
    found += [member(p, task, rank_kind(rank), first, varied) for rank, varied in ranks.items()]
    return [each for one in found for each in with_every_seed(p, one)]


def with_every_seed(p: LowRankFusion, one: Member) -> list[Member]:
    """A network with each seed that may be run; it is built once, to be counted."""
    return [replace(one, seed=seed) for seed in p.possible_seeds]


def search(p: LowRankFusion, task: Task) -> list[Member]:
    """One network per drawn setting, as in the scripts: no setting is repeated."""
    return [member(p, task, f"draw {i:03d}", p.search_seed, s, search=SEARCHED) for i, s in enumerate(drawn(p))]


def drawn(p: LowRankFusion) -> list[Setting]:
    """The settings of the search, in the order drawn; one drawn twice counts once (quirk 21)."""
    found = search_settings(SPACES[p.family], p.search_seed, p.search_draws) if p.search_draws else []
    return [Setting.model_validate(values) for values in found]


def grid(p: LowRankFusion, task: Task) -> list[Member]:
    """All that does not depend on results."""
    return repeated(p, task) + search(p, task)


def repeats_of_winner(p: LowRankFusion, task: Task, records: Sequence[Record]) -> list[Member]:
    """The drawn setting with the lowest validation loss, with every seed of the run."""
    winner = best_draw(records)
    if winner is None:
        return []
    best = drawn(p)[int(str(winner.tags["kind"]).split()[1])]
    return with_every_seed(p, member(p, task, WINNER, p.seeds[0], best))


def searched(records: Sequence[Record]) -> list[Record]:
    """The trainings of the search."""
    return [record for record in records if record.tags.get("search") == SEARCHED]


def best_draw(records: Sequence[Record]) -> Record | None:
    """Of the search's records the one with the lowest validation loss; None if nothing was searched or has a score."""
    return min((record for record in searched(records) if record.scored), key=valid_loss, default=None)


def valid_loss(record: Record) -> float:
    """Validation loss of the selected epoch."""
    return float(record.history["valid_loss"][record.best_epoch])


def cost(member: Member) -> float:
    """Roughly the seconds that one training sample takes in one epoch on one thread; used to order work, no more.

    A minibatch costs 3 ms whatever its size, and 5 ns per weight for the optimiser; a sample costs the arithmetic of
    the LSTM over 20 steps, forward and backward, at 30 billion operations per second.
    """
    arguments = member.model.arguments
    text, hidden = arguments["input_sizes"].get("text", 0), arguments["hidden_sizes"]["text"]
    step = 3e-3 + 5e-9 * member.tags["parameters"]
    return step / member.recipe.batch_size + 20 * 24 * hidden * (text + hidden) * bool(text) / 30e9


def about(p: LowRankFusion, record: Record) -> dict[str, object]:
    """Further columns of the run table, and what chose the hyper-parameters."""
    origin = {WINNER: f"validation loss of {p.search_draws} draws"}.get(record.tags["kind"], "fixed in the YAML")
    origin = "drawn at random" if searched([record]) else origin
    selected_on = f"epoch: {record.selected_on['epoch']}; hyper-parameters: {origin}"
    tags = {name: record.tags[name] for name in ("task", "kind", "rank", "parameters")}
    return {"selected_on": selected_on, **tags, "epochs": len(record.history.get("train_loss", ()))}


def compared(runs: Runs) -> list[Record]:
    """The trainings that the paper's question rests on: the search, the ranks and the baselines only add to them."""
    return [record for record in runs.records if record.tags["kind"] in (LMF, TFN, LEGACY)]


def contrasts(p: LowRankFusion, modalities: Sequence[str]) -> dict[str, list[tuple[str, str]]]:
    """By baseline the variants that are set against it: (variant, baseline), group by group.

    LMF against all; what fusion brings is also asked of TFN and of the concatenation, what the rank of other ranks.
    """
    kinds = {TFN: (LMF,), CONCATENATION: (LMF, TFN), LEGACY: (LMF,), LMF: tuple(map(rank_kind, p.ranks))}
    kinds |= {alone(m): tuple(FUSIONS) for m in modalities if p.unimodal}
    return {
        over: [(variant_name(group, kind), variant_name(group, over)) for group in groups(p) for kind in compared]
        for over, compared in kinds.items()
    }


def asked(runs: Runs) -> list[Trained]:
    """LMF and TFN per task, a modality against the constant 1 that stays in its slot. Words by number get no noise."""
    tasks, p = runs.study.tasks, runs.study.p
    encoders = {m: f"{m}_subnet" for m in tasks[0].corpus.modalities}
    kinds = [task.variant(kind) for task in tasks for kind in (LMF, TFN)]
    return runs.trained(kinds, encoders=encoders, quiet=("text",) if by_number(p) else ())


def describe(study: Study) -> pd.DataFrame:
    """Samples per split and what their labels are, per task; of a corpus that is tested in turns, of its first fold."""
    rows = []
    for task in study.questions:
        target = task.name or study.p.targets[0]
        for name, split in task.corpus.splits.items():
            labels, row = scored_labels(task.corpus, target, split), {"task": target, "split": name}
            row["samples"] = len(split)
            if study.p.family in ("ravdess", "own classes"):
                counts = np.bincount(labels, minlength=len(task.corpus.label_names))
                row |= dict(zip(task.corpus.label_names, counts.tolist(), strict=True))
            elif task.corpus.task == "classes":
                row["share present"] = float(labels.mean())
            else:
                row |= {"lowest": float(labels.min()), "mean": float(labels.mean()), "highest": float(labels.max())}
            rows.append(row)
    return pd.DataFrame(rows)


def constant(task: Task) -> dict[str, object]:
    """What a constant prediction scores on the test set: the training median, or the most frequent class of training,
    which of IEMOCAP's yes or no is no."""
    train, test = (task.corpus.splits[name].labels for name in ("train", "test"))
    if task.corpus.task == "classes":
        classes = len(task.classes.names)
        frequent = "emotion" if task.corpus.label_names == EMOTIONS else "class"
        alone = task.classes.names == PRESENCE
        prediction = "never finding the emotion" if alone else f"always the most frequent {frequent} of training"
        output = np.eye(classes)[0 if alone else np.bincount(train).argmax()]
    else:
        prediction, output = "always the training median", np.median(train, axis=0)
    found = task.score("test", np.tile(output, (len(test), 1)))
    shown = {name: found[name] for name in (*_FLOORS, *task.metrics) if not np.isnan(found.get(name, np.nan))}
    return {"prediction": prediction, **shown}


def paper(p: LowRankFusion) -> pd.DataFrame:
    """The published numbers under our names: POM's are means over the traits, IEMOCAP's one emotion each.

    There are none of RAVDESS and of corpora of your own: beside their scores stand CMU-MOSI's, which are of other
    metrics, so each is not published, or of other data, so not comparable.
    """
    other = p.family == "ravdess" or p.family in OWN
    found = published.runs(Path(__file__).with_name("published.csv"), "mosi" if other else p.family)
    if p.family == "iemocap":
        own = f"{p.targets[0]}: " if len(p.targets) == 1 else ""
        return found.assign(variant=found["variant"].str.removeprefix(own))
    return found.assign(variant=[variant_name(groups(p)[-1], kind) for kind in found["variant"]])


def beside_published(p: LowRankFusion) -> dict[str, list[str]]:
    """The variants that are published, by the baseline that they are set against."""
    kinds = (LMF, TFN, THIRD_PARTY)
    return {variant_name(group, TFN): [variant_name(group, kind) for kind in kinds] for group in groups(p)}


def comparable(p: LowRankFusion) -> dict[str, object]:
    """Whether the run is on the published files, and how it then differs from the released protocol (SPEC.md,
    sections 6 and 9).

    `mosi_words` is CMU-MOSI on the folds of the same size as the paper's, with the labels of its authors' sibling
    release (SPEC.md, section 4.1): the same utterances by all that is known, though the paper's own file is not to be
    had. Its words have other vectors, its audio is of another extractor, and video is missing.
    """
    if p.family in OWN or (p.dataset != "mosi_words" and not p.dataset.endswith("_lmf")):
        return {"same_corpus": False}
    epochs = 100 if p.family == "iemocap" else 500
    found = [f"{p.epochs} epochs instead of {epochs}"] * (p.epochs != epochs)
    found += [f"patience {p.patience} instead of 20"] * (p.patience != 20)
    if p.dataset == "mosi_words":
        vectors = {"": "learned word vectors", "glove": "50-d GloVe", "minilm": "MiniLM's word vectors"}
        features = f"{vectors.get(p.glove, p.glove)} instead of 300-d GloVe, audio of another extractor"
        found = [features, *found, "the paper's file not seen"]
        return {"same_corpus": True, "fewer": "text and audio, the paper had three modalities", "deviations": found}
    if p.family == "pom" and p.targets != ("all",) and len(p.targets) < len(TRAITS):
        found.append(f"{len(p.targets)} of {len(TRAITS)} traits")
    return {"same_corpus": True, "deviations": found + ["infinities set to 0"] * (p.nonfinite == "zero")}


def selected_on(p: LowRankFusion) -> dict[str, str]:
    """What chose the numbers of the run."""
    search = f"validation loss of {p.search_draws} draws for {WINNER!r} alone, else " if p.search_draws else ""
    origin = "the authors' hyperparams.txt" if p.setting is None else "none (fixed in the YAML)"
    epoch = f"validation loss ({LEGACY} on emotions: the last epoch)"
    return {"epoch": epoch, "hyper-parameters": search + origin}
