"""What only this paper shows: means over traits, the rank sweep, what the search's selection adds, and two references.

The references are the paper's complexity claim, measured, and what a bag of words reaches on CMU-MOSI.
"""

import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from torch import nn
from torch.nn import functional as F

from lib.data import data_root
from lib.data.corpus import Corpus
from lib.data.mosi import mosi_words
from lib.data.text.frozen import sentence_vectors
from lib.metrics.scores import direction
from lib.papers.low_rank_fusion import means
from lib.papers.low_rank_fusion.study import (
    FUSIONS,
    LEGACY,
    LMF,
    TABLE_2,
    TFN,
    WINNER,
    best_draw,
    rank_kind,
    searched,
    valid_loss,
)
from lib.reporting import claims, gains, mended_claims
from lib.reporting.mended_claims import Comparison
from lib.reporting.statistics import mean, std, t_interval
from lib.run_table import by_seed
from lib.study import Runs, Study, Task, variant_name
from lib.training.execution import one_thread
from lib.training.recipe import ModelSpec
from lib.training.records import FINISHED

LEGACY_QUIRK = "1 and 3"
"""What LMF legacy has, as `quirks.csv` calls it."""


def score_table(table: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Mean and interval over the seeds, and the size, of every variant that was trained with all seeds."""
    repeated = table[~table["kind"].str.startswith("draw")]
    size = repeated.groupby("variant")["parameters"].first()
    found = gains.summary(repeated, metric)
    found.insert(1, "parameters", [int(size[name]) for name in found["variant"]])
    return found


def claims_mended(runs: Runs, table: pd.DataFrame, metric: str) -> pd.DataFrame:
    """What the corrected optimiser does to LMF's gain over TFN, on each target or on their mean where this is what is
    claimed; rows of `mended_claims.table`. As published is LMF as before April 2020. TFN never had the fault.
    """
    claim, each = claims.named("low_rank_beats_tensor"), gains.sides(table, metric, runs=runs)
    margin, found, named = claim.margin_in(f"published_{metric}"), [], means.groups(runs.study.p)
    for group in [means.MEAN] if means.MEAN in named else named:
        old, new, tensor = (each[variant_name(group, kind)] for kind in (LEGACY, LMF, TFN))
        what, sides = f"{new.name} over TFN", {"published": (old, tensor), "mended": (new, tensor)}
        found.append(Comparison(quirk=LEGACY_QUIRK, mend=LMF, claim=claim, margin=margin, what=what, **sides))
    return mended_claims.table(found, metric)


def rank_table(runs: Runs, task: Task, scores: pd.DataFrame) -> pd.DataFrame:
    """Score, size and time against the rank, ascending. Seconds are wall clock, whatever ran beside.

    `scores` is the `score_table` of the metric.
    """
    own, summary = runs.of(task), scores.set_index("variant")
    base = next(record.tags["rank"] for record in own if record.tags["kind"] == LMF)
    rows = []
    for rank in sorted({*runs.study.p.ranks, base}):
        name = task.variant(LMF if rank == base else rank_kind(rank))
        same = [record for record in own if record.variant == name]
        pace = np.array([record.seconds / max(1, len(record.history.get("train_loss", ()))) for record in same])
        kept = ["parameters", "n", "score", "score_std", "t_interval_low", "t_interval_high"]
        times = {"seconds_per_epoch": mean(pace), "seconds_per_epoch_std": std(pace)}
        rows.append({"rank": rank, **summary.loc[name, kept].to_dict(), **times})
    return pd.DataFrame(rows).astype({"parameters": int, "n": int})


def selection_table(runs: Runs, task: Task) -> pd.DataFrame:
    """How much of a number is selection: the search's own number beside repeats of its winner.

    Row "best draw by test" is what a search reports that looks at its test set; it is shown to be measured, and is
    never a result. Empty without a draw that has a score.
    """
    p, metric, own = runs.study.p, task.metrics[0], runs.of(task)
    winner = best_draw(own)
    if winner is None:
        return pd.DataFrame()
    scores = by_seed(runs.table, metric)
    draws = scores.loc[p.search_seed, [record.variant for record in searched(own) if record.scored]].dropna()
    if draws.empty:
        return pd.DataFrame()
    top = draws.idxmin() if direction(metric) == "lower" else draws.idxmax()
    again, fixed = (scores.loc[list(p.seeds), task.variant(kind)].dropna() for kind in (WINNER, LMF))
    rows = (
        ("all draws, mean", "nothing", draws),
        ("best draw by validation, as searched", "validation loss", draws[[winner.variant]]),
        ("its setting, other seeds", "validation loss", again),
        ("best draw by test, as searched", "the test set: not a result", draws[[top]]),
        ("setting of the YAML", "nothing", fixed),
    )
    found = []
    for choice, chosen_by, numbers in rows:
        values = numbers.to_numpy()
        low, high = t_interval(values) if choice != "all draws, mean" else (np.nan, np.nan)
        found.append((choice, chosen_by, len(values), mean(values), std(values), low, high))
    columns = ("choice", "chosen_by", "n", "score", "score_std", "t_interval_low", "t_interval_high")
    return pd.DataFrame(found, columns=columns)


def draw_table(runs: Runs, task: Task) -> pd.DataFrame:
    """Every draw: validation loss and test scores, best validation loss first; one that did not finish comes last."""
    test = {metric: by_seed(runs.table, metric).loc[runs.study.p.search_seed] for metric in task.metrics}
    rows = [
        {
            "variant": record.variant,
            "rank": record.tags["rank"],
            "status": record.status,
            "validation_loss": valid_loss(record) if record.status == FINISHED else np.nan,
        }
        | {metric: scores[record.variant] for metric, scores in test.items()}
        for record in searched(runs.of(task))
    ]
    return pd.DataFrame(rows).sort_values("validation_loss", ignore_index=True)


# The complexity claim, at the sizes of the paper's section 5.3.
WIDTHS = {"audio": 74, "video": 47, "text": 300}
HIDDEN = {"audio": 32, "video": 32, "text": 128}
RANK, BATCH, STEPS = 4, 32, 20
RANDOM_INPUT = "random input, SYNTHETIC stand-in"
_MODELS: Mapping[str, tuple[str, Mapping[str, int]]] = {
    "LMF, rank 4": ("low_rank:LMF", {"output_size": 1, "rank": RANK}),
    "TFN, 32 units": ("tensor_fusion:TFN", {"fusion_size": 32}),
    "TFN, 160 units": ("tensor_fusion:TFN", {"fusion_size": 160}),
}


def complexity_table(repeats: int = 5) -> pd.DataFrame:
    """Weights, and samples per second of wall clock on one thread of this machine, after one step of warm-up.

    Vectors of 32, 32 and 64 enter the fusion; batches of 32 random samples; Adam. `fusion_weights` leaves out the
    three sub-networks, which are the same in all rows.
    """
    rows = []
    with one_thread(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        shapes = {"audio": (BATCH, 74), "video": (BATCH, 47), "text": (BATCH, STEPS, 300)}
        inputs = {m: torch.randn(shape) for m, shape in shapes.items()}
        target = torch.randn(BATCH)
        for name, (spec, sizes) in _MODELS.items():
            dropouts = dict.fromkeys((*WIDTHS, "fusion"), 0.0)
            common = {"input_sizes": WIDTHS, "hidden_sizes": HIDDEN, "dropouts": dropouts}
            model = ModelSpec(spec, common | sizes).build()
            weights = {key: w.numel() for key, w in model.named_parameters()}
            fusion = sum(count for key, count in weights.items() if "subnet" not in key)
            train, test = _seconds(model, inputs, target, repeats)
            speed = {"train_samples_per_s": BATCH / train, "test_samples_per_s": BATCH / test}
            rows.append({"model": name, "weights": sum(weights.values()), "fusion_weights": fusion, **speed})
    return pd.DataFrame(rows)


def _seconds(model: nn.Module, inputs: dict, target: torch.Tensor, repeats: int) -> tuple[float, float]:
    """Fastest training step and fastest forward pass of one batch."""
    optimiser = torch.optim.Adam(model.parameters(), fused=True)

    def step() -> None:
        optimiser.zero_grad(set_to_none=True)
        F.l1_loss(model(**inputs)[:, 0], target, reduction="sum").backward()
        optimiser.step()

    @torch.no_grad()
    def forward() -> None:
        model(**inputs)

    times = []
    for run, mode in ((step, True), (forward, False)):
        model.train(mode)
        run()
        taken = []
        for _ in range(repeats):
            started = time.perf_counter()
            run()
            taken.append(time.perf_counter() - started)
        times.append(min(taken))
    return times[0], times[1]


BAG_OF_WORDS = "tf-idf 1-2-grams + ridge, all words"
MEAN_VECTOR, SENTENCE_VECTOR = "ridge on the mean word vector", "ridge on MiniLM's sentence vector, all words"
LOGISTIC = "logistic regression, {}"
PENALTIES = (0.01, 0.1, 1.0, 10.0, 100.0)
"""Of ridge regression on vectors; the validation fold chooses."""
Linear = Mapping[str, Sequence[np.ndarray]]
"""Raw test outputs `(N, outputs)` of linear models by name, one of each per task of the study."""


def text_models(study: Study) -> Linear:
    """Ridge regression on tf-idf, and the training mean, for `mosi_words`, whose labels and order are used.

    Beside it stand the same regression on the last words, which is all that LMF reads, and without pairs of words, and
    ridge regression on MiniLM's vectors of whole sentences, if the part is in the data folder. Where LMF reads vectors
    in place of words by number, also ridge regression on the mean of the same word vectors.
    """
    (task,), p, root = study.tasks, study.p, data_root(study.p.data_root or None)
    corpus, words = task.corpus, f"last {p.words} words"
    texts = mosi_words.transcripts(root)
    last = {name: [" ".join(text.split()[-p.words :]) for text in part] for name, part in texts.items()}
    found = {
        BAG_OF_WORDS: _ridge(corpus, texts, (1, 2)),
        f"the same, {words}": _ridge(corpus, last, (1, 2)),
        f"single words, {words}": _ridge(corpus, last, (1, 1)),
        "training mean": np.full(len(corpus.splits["test"]), corpus.splits["train"].labels.mean()),
    }
    if p.glove:
        read = {name: _mean_vector(split.features["text"]) for name, split in corpus.splits.items()}
        found[f"{MEAN_VECTOR}, {words}"] = _ridge_on_vectors(corpus, read)
    if p.anchored:
        found[SENTENCE_VECTOR] = _ridge_on_vectors(corpus, {n: sentence_vectors(t, root) for n, t in texts.items()})
    return {name: [predicted[:, None]] for name, predicted in found.items()}


def logistic_models(study: Study) -> Linear:
    """Logistic regression on each modality and on all, fitted on the vectors that the networks read.

    For one of several classes by vectors: no words. The penalty is scikit-learn's own.
    """
    modalities = tuple(study.tasks[0].corpus.modalities)
    found: dict[str, list[np.ndarray]] = {}
    for read in (*[(m,) for m in modalities], modalities):
        for task in study.tasks:
            parts = {name: np.hstack([s.features[m].mean(1) for m in read]) for name, s in task.corpus.splits.items()}
            model = LogisticRegression(max_iter=1000).fit(parts["train"], task.corpus.splits["train"].labels)
            found.setdefault(LOGISTIC.format(" and ".join(read)), []).append(model.decision_function(parts["test"]))
    return found


def linear_table(study: Study, models: Linear) -> pd.DataFrame:
    """Test scores of linear models, means over the folds; of `mosi_words` a row says if the anchor is lacking."""
    metrics = dict.fromkeys((*study.tasks[0].metrics, *TABLE_2[study.p.family]))
    rows = []
    for name, outputs in models.items():
        each = [task.score("test", out) for task, out in zip(study.tasks, outputs, strict=True)]
        rows.append({"model": name} | {metric: float(np.mean([one[metric] for one in each])) for metric in metrics})
    if study.p.dataset == "mosi_words" and SENTENCE_VECTOR not in models:
        rows.append({"model": f"{SENTENCE_VECTOR}: not measured, needs ./run_all.sh data get minilm"})
    return pd.DataFrame(rows)


def gains_over_linear(runs: Runs, models: Linear) -> dict[str, pd.DataFrame]:
    """By metric what each fusion gains over linear models: over the bag of words and ridge regression on vectors, which
    read no less, or over logistic regression on each modality and on all. A linear model is the same for every seed."""
    whole = [BAG_OF_WORDS, *(name for name in models if name.startswith("ridge"))]
    chosen = whole if BAG_OF_WORDS in models else list(models)
    for name in chosen:
        of = {id(task): out for task, out in zip(runs.study.tasks, models[name], strict=True)}
        runs = runs.beside(name, lambda task, of=of: of[id(task)])
    pairs = [(kind, name) for name in chosen for kind in FUSIONS]
    return {metric: gains.pairs(runs.table, metric, pairs, runs) for metric in runs.study.tasks[0].metrics}


def _ridge(corpus: Corpus, texts: dict[str, list[str]], pairs: tuple[int, int]) -> np.ndarray:
    """Test predictions; fitted on the training fold alone, without words that occur once there; penalty 1."""
    vectors = TfidfVectorizer(ngram_range=pairs, sublinear_tf=True, min_df=2)
    model = Ridge(alpha=1.0).fit(vectors.fit_transform(texts["train"]), corpus.splits["train"].labels)
    return model.predict(vectors.transform(texts["test"]))


def _mean_vector(steps: Float[np.ndarray, "samples words width"]) -> Float[np.ndarray, "samples width"]:
    """Over the words; padding, which is zeros, does not count."""
    words = (steps != 0).any(axis=2).sum(axis=1, keepdims=True)
    return steps.sum(axis=1, dtype=np.float64) / np.maximum(words, 1)


def _ridge_on_vectors(corpus: Corpus, vectors: Mapping[str, np.ndarray]) -> np.ndarray:
    """Test predictions; fitted on the training fold, with the penalty of `PENALTIES` that is best in validation."""
    labels = {name: split.labels for name, split in corpus.splits.items()}

    def fitted(penalty: float) -> Callable[[str], np.ndarray]:
        model = Ridge(alpha=penalty).fit(vectors["train"].astype(np.float64), labels["train"])
        return lambda split: model.predict(vectors[split].astype(np.float64))

    return min(map(fitted, PENALTIES), key=lambda of: np.abs(of("valid") - labels["valid"]).mean())("test")
