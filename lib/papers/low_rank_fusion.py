"""Low-rank multimodal fusion against tensor fusion: which networks are trained, and on what (spec lmf)."""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

from lib import data
from lib.data.arrays.lmf_inputs import averaged, without_label
from lib.data.corpus import Corpus
from lib.errors import InputError
from lib.papers.lmf_settings import chosen
from lib.params.low_rank_fusion import LowRankFusion, Setting
from lib.training.progress import GridProgress
from lib.training.random_search import SPACES, search_settings
from lib.training.recipe import Member, ModalityDropoutSpec, ModelSpec, Recipe
from lib.training.records import Record
from lib.training.sweep import sweep

WORKSPACE = Path(__file__).resolve().parents[2]
LMF, TFN, LEGACY, WINNER = "LMF", "TFN", "LMF legacy", "LMF best draw"
SEARCHED = "searched"
"""Kind of a network that was trained once, with a drawn setting."""


@dataclasses.dataclass(frozen=True)
class Task:
    """What one network is asked: a corpus with its labels, the setting, and which output is scored.

    `name` is empty where the run has one task. `column` is a trait's place among the outputs, None to score all.
    """

    name: str
    corpus: Corpus
    setting: Setting
    column: int | None = None

    def variant(self, kind: str) -> str:
        """Name of a variant in the run table."""
        return f"{self.name}: {kind}" if self.name else kind


def result_folder(p: LowRankFusion) -> Path:
    """The run's result folder, relative to the workspace unless absolute, whatever the working directory."""
    return WORKSPACE / p.results


def load_tasks(p: LowRankFusion) -> list[Task]:
    """One task per target. Raises InputError for unusable data, or a batch of one sample, which batch norm refuses."""
    tasks = []
    for target in p.targets:
        corpus = _load(p, target)
        setting = p.setting or chosen(p.family, target)
        column = corpus.label_names.index(target) if p.family == "pom" and target != "all" else None
        task = Task(target if len(p.targets) > 1 else "", corpus, setting, column)
        samples = len(corpus.splits["train"])
        for size in sorted({s.batch_size for s in (setting, *drawn(p))}):
            if samples % size == 1:
                what = f"{samples} training samples leave a last batch of one at batch size {size}"
                raise InputError(what, where=corpus.source.name, todo="batch norm needs two: other batch_size or seed")
        tasks.append(task)
    return tasks


def _load(p: LowRankFusion, target: str) -> Corpus:
    options: dict[str, object] = {"samples": p.samples} if p.dataset.endswith("_like") else {}
    if p.family == "iemocap":
        options["label"] = target
    if p.dataset == "mosi_words":
        options |= {"words": p.words, "side": p.padding, "glove": p.glove}
    if p.dataset == "mosi_utterances":
        options["context"] = 1
    if p.dataset == "pom":
        options["label"] = "all"
    corpus = data.load(p.dataset, p.data_root or None, nonfinite=p.nonfinite, **options)
    return without_label(averaged(corpus), "Sentiment") if p.dataset == "pom" else corpus


def model_spec(p: LowRankFusion, corpus: Corpus, setting: Setting, kind: str) -> ModelSpec:
    """LMF, or TFN on sub-networks of the same sizes, so that the two differ in the fusion alone."""
    widths = {m: int(width) for m, width in corpus.modalities.items()}
    learned = p.dataset == "mosi_words" and not p.glove
    arguments: dict[str, object] = {
        "input_sizes": widths | ({"text": p.word_vectors} if learned else {}),
        "hidden_sizes": {m: getattr(setting, f"{m}_hidden") for m in ("audio", "video", "text")},
        "dropouts": {m: getattr(setting, f"{m}_dropout") for m in ("audio", "video", "text")},
        "batch_norm_init": p.batch_norm_init,
    }
    if learned:  # the last number is a word of the training split: the others are unknown
        arguments["vocabulary"] = int(corpus.splits["train"].features["text"].max()) + 1
    labels = corpus.splits["train"].labels
    outputs = len(corpus.label_names) if corpus.task == "classes" or labels.ndim == 2 else 1
    prefix = "word_fusion:Word" if learned else ("tensor_fusion:" if kind == TFN else "low_rank:")
    if kind == TFN:
        arguments["dropouts"] |= {"fusion": p.tfn_dropout}
        head = "bounded" if p.family == "mosi" else "linear"  # (-3, 3) is MOSI's scale alone (spec 2.1)
        arguments |= {"fusion_size": p.tfn_size, "head": head, "output_size": outputs}
    else:
        arguments |= {"output_size": outputs, "rank": setting.rank}
    return ModelSpec(f"{prefix}{TFN if kind == TFN else LMF}", arguments)


def recipe(p: LowRankFusion, corpus: Corpus, setting: Setting, *, legacy: bool = False) -> Recipe:
    """Spec lmf, section 6. `legacy` leaves rank weights and bias of the fusion untrained (quirk 1) and, for IEMOCAP,
    tests the last epoch instead of the selected one (quirk 3)."""
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


def member(p: LowRankFusion, task: Task, kind: str, seed: int, setting: Setting, **tags: str) -> Member:
    """One network. Its tags carry what the tables need beside its scores."""
    model = model_spec(p, task.corpus, setting, kind)
    modalities = tuple(task.corpus.modalities)
    size = sum(weights.numel() for weights in model.build().parameters())
    return Member(
        variant=task.variant(kind),
        seed=seed,
        model=model,
        recipe=recipe(p, task.corpus, setting, legacy=kind == LEGACY),
        train_on=modalities,
        evaluate_on=modalities,
        modality_dropout=ModalityDropoutSpec({}),
        tags={"task": task.name, "kind": kind, "rank": setting.rank, "parameters": size, **tags},
    )


def rank_kind(rank: int) -> str:
    """Kind of a network of the rank sweep."""
    return f"LMF rank {rank}"


def grid(p: LowRankFusion, task: Task) -> list[Member]:
    """LMF, TFN, LMF as before April 2020 and the ranks of the sweep, each with every seed."""
    setting = task.setting
    kinds = {LMF: setting, TFN: setting, LEGACY: setting}
    kinds |= {rank_kind(r): setting.model_copy(update={"rank": r}) for r in p.ranks if r != setting.rank}
    return [member(p, task, kind, seed, varied) for kind, varied in kinds.items() for seed in p.seeds]


def drawn(p: LowRankFusion) -> list[Setting]:
    """The settings of the search, in the order drawn; one drawn twice counts once (quirk 21)."""
    found = search_settings(SPACES[p.family], p.search_seed, p.search_draws) if p.search_draws else []
    return [Setting.model_validate(values) for values in found]


def search(p: LowRankFusion, task: Task) -> list[Member]:
    """One network per drawn setting, as in the scripts: no setting is repeated."""
    return [
        member(p, task, f"draw {i:03d}", p.search_seed, setting, search=SEARCHED) for i, setting in enumerate(drawn(p))
    ]


def compared(records: Sequence[Record]) -> list[Record]:
    """The trainings that the paper's question rests on: the search and the ranks only add to them."""
    return [record for record in records if record.tags["kind"] in (LMF, TFN, LEGACY)]


def repeats_of_winner(p: LowRankFusion, task: Task, records: Sequence[Record]) -> list[Member]:
    """The drawn setting with the lowest validation loss, with every seed of the run."""
    winner = best_draw(records)
    if winner is None:
        return []
    setting = drawn(p)[int(str(winner.tags["kind"]).split()[1])]
    return [member(p, task, WINNER, seed, setting) for seed in p.seeds]


def best_draw(records: Sequence[Record]) -> Record | None:
    """Of the search's records the one with the lowest validation loss; None if nothing was searched or has a score."""
    finished = [r for r in records if r.tags.get("search") == SEARCHED and r.scored]
    return min(finished, key=valid_loss, default=None)


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


def train_all(p: LowRankFusion, tasks: Sequence[Task]) -> list[Record]:
    """Train what is missing; the records lie in the result folder under `members/`, resumable."""
    folder, found = result_folder(p), []
    grids = [grid(p, task) + search(p, task) for task in tasks]
    total = sum(map(len, grids)) + (len(p.seeds) * len(tasks) if p.search_draws else 0)
    report = GridProgress(folder)
    for task, members in zip(tasks, grids, strict=True):
        found += _balanced(p, task, members, len(found), total, report)
        own = [record for record in found if record.tags["task"] == task.name]
        if winners := repeats_of_winner(p, task, own):
            found += _balanced(p, task, winners, len(found), total, report)
    return found


def _balanced(
    p: LowRankFusion, task: Task, members: Sequence[Member], before: int, total: int, report: Callable[[int, int], None]
) -> list[Record]:
    """Train the dearest members first, so that no core waits for a long one at the end; records in the order given."""
    dearest_first = sorted(members, key=cost, reverse=True)
    records = sweep(
        dearest_first,
        task.corpus,
        result_folder(p) / "members",
        cores=p.cores,
        progress=lambda done, _: report(before + done, total),
    )
    by_run = {(record.variant, record.seed): record for record in records}
    return [by_run[m.variant, m.seed] for m in members]
