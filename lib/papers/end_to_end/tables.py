"""What the notebook shows: settings, scores per emotion, baselines, thresholds, changes, published numbers."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from lib.metrics.scores import always_present, never_present, words
from lib.papers.end_to_end import MODALITIES, TEXT, Change, Encoder, EndToEnd, RandomAlbert
from lib.papers.end_to_end.study import (
    BASELINES,
    CLASS_METRICS,
    METRICS,
    TITLES,
    Corpora,
    beside,
    both_ways,
    main_variants,
    named,
    sweep_thresholds,
    variant,
)
from lib.reporting import claims, gains, mended_claims, published
from lib.reporting.mended_claims import Comparison
from lib.run_table import by_seed
from lib.study import Runs

NEVER, ALWAYS = "no emotion, ever", "every emotion, always"
QUIRKS: dict[Change, str] = {"corrected": "Q1", "learned": "Q2"}
"""What each change mends, as `quirks.csv` calls it."""
PUBLISHED = Path(__file__).with_name("published.csv")
_FURTHER = Path(__file__).parents[1] / "emotion_embeddings" / "published.csv"
"""Of the same table of the paper the rows of models that another notebook trains."""
_README = {
    "mme2e": (5e-5, 40, 8, 6, None),
    "mme2e_sparse": (5e-5, 40, 2, 6, None),
    "lf_rnn": (5e-4, 60, 32, 8, 2.0),
    "lf_transformer": (5e-4, 60, 32, 8, 2.0),
}
GAINS = (*gains.DECIDED[1:3], gains.DECIDED[0], *gains.DECIDED[3:])
"""What is shown of gain tables: the metric behind what is compared."""
EMOTION_NAMES = {metric: words(metric) for metric in METRICS}


def floor(corpora: Corpora, yes: bool = False) -> dict[str, float]:
    """Scores of the constant answer no (or `yes`) on the test split; of six exclusive classes no has accuracy 5/6."""
    constant = always_present if yes else never_present
    return named(constant(corpora.test_labels()), corpora.any.label_names)


def compared(table: pd.DataFrame) -> list[str]:
    """The metrics of which all variants are listed and set against each other."""
    return ["f1_positive", "acc", *(metric for metric in CLASS_METRICS if metric in set(table["metric"]))]


def overview_table(p: EndToEnd, corpora: Corpora, table: pd.DataFrame) -> pd.DataFrame:
    """Mean test scores of the models beside the constant answers."""
    rows = []
    for name in main_variants(p):
        row = {"variant": name}
        for metric in corpora.metrics:
            values = by_seed(table, metric)[name].dropna()
            row |= {"n": len(values), metric: float(values.mean()), f"{metric}_std": float(values.std(ddof=1))}
        rows.append(row)
    for name in (NEVER, ALWAYS):
        constant = floor(corpora, yes=name == ALWAYS)
        rows.append({"variant": name, "n": 0, **{metric: constant[metric] for metric in METRICS}})
    return pd.DataFrame(rows)


def emotion_table(p: EndToEnd, corpora: Corpora, table: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Mean test score of each emotion by model, the mean over the emotions last, the constant answer below."""
    names, never = corpora.any.label_names, floor(corpora)
    columns = {name: f"{metric}_{name}" for name in names} | {"average": metric}
    rows = [
        {"variant": v} | {name: float(by_seed(table, column)[v].mean()) for name, column in columns.items()}
        for v in main_variants(p)
    ]
    return pd.DataFrame([*rows, {"variant": NEVER} | {name: never[column] for name, column in columns.items()}])


def beats_floor(p: EndToEnd, corpora: Corpora, table: pd.DataFrame) -> pd.DataFrame:
    """F1 of each model against the constant answer's, whose F1 is 0, and accuracy against its 1 - 1/6 or so."""
    never, rows = floor(corpora), []
    for name in main_variants(p):
        row = {"variant": name}
        for metric in ("f1_positive", "acc", "weighted_acc"):
            values = by_seed(table, metric)[name].dropna()
            row |= {f"{metric}_gain": float((values - never[metric]).mean())}
            row[f"{metric}_seeds_better"] = f"{int((values > never[metric]).sum())} of {len(values)}"
        rows.append(row)
    return pd.DataFrame(rows)


def change_table(runs: Runs) -> pd.DataFrame:
    """What each change of the sparse model does to its scores, paired over the seeds."""
    p = runs.study.p
    base = variant("mme2e_sparse", p.threshold)
    return _against(runs, [(variant("mme2e_sparse", p.threshold, change), base) for change in p.changes])


def claims_mended(runs: Runs) -> pd.DataFrame:
    """What each change of the sparse model does to its difference from the dense one, which has no places to move; rows
    of `mended_claims.table`, by the F1 that the claim is about. Empty where either was not trained.
    """
    p, claim, metric = runs.study.p, claims.named("sparse_no_worse"), "f1_positive"
    if not (p.models.mme2e and p.models.mme2e_sparse):
        return pd.DataFrame()
    each, margin = gains.sides(runs.table, metric, runs=runs), claim.margin_in("dense_and_sparse")
    dense, old = each[variant("mme2e")], each[variant("mme2e_sparse", p.threshold)]
    found = [
        Comparison(
            quirk=QUIRKS[change],
            mend=change,
            claim=claim,
            margin=margin,
            what=f"{old.name} over {dense.name}",
            published=(old, dense),
            mended=(each[variant("mme2e_sparse", p.threshold, change)], dense),
        )
        for change in p.changes
    ]
    return mended_claims.table(found, metric)


def dense_table(runs: Runs) -> pd.DataFrame:
    """The sparse model at every threshold against the dense one, paired over the seeds."""
    return _against(runs, [(variant("mme2e_sparse", t), variant("mme2e")) for t in sweep_thresholds(runs.study.p)])


def handcrafted_table(runs: Runs) -> pd.DataFrame:
    """Each model against each on hand-crafted features, which has other inputs, and what these gain by modalities that
    only they have; empty where one side was not run."""
    p = runs.study.p
    models = {model: variant(model, p.threshold if model == "mme2e_sparse" else None) for model in p.models.chosen()}
    bases = [models[m] for m in BASELINES if m in models] + [variant(m, None, beside(p)) for m in both_ways(p)]
    pairs = [(models[m], base) for base in bases for m in models if m not in BASELINES]
    pairs += [(variant(m, None, beside(p)), models[m]) for m in both_ways(p)]
    return _against(runs, pairs)


def text_table(runs: Runs) -> pd.DataFrame:
    """MiniLM with its last layer trained against frozen, both by the first token, and the frozen one's mean over the
    tokens against its first token; empty where one side was not run."""
    chosen = runs.study.p.models.chosen()
    pairs = [("minilm_tuned", "minilm_first"), ("minilm", "minilm_first")]
    asked = [tuple(variant(model) for model in pair) for pair in pairs if chosen.keys() >= set(pair)]
    return _against(runs, asked) if asked else pd.DataFrame()


def _against(runs: Runs, pairs: Sequence[tuple[str, str]]) -> pd.DataFrame:
    """Rows of gain tables, by metric."""
    table = runs.table
    found = pd.concat([gains.pairs(table, metric, pairs, runs) for metric in compared(table)], ignore_index=True)
    return gains.adjusted(found.drop(columns="paper_rule", errors="ignore"))


def problem_table(corpora: Corpora) -> pd.DataFrame:
    """What is wrong with how many utterances, and what became of them; empty if nothing is."""
    rows = []
    for data, corpus in (("raw", corpora.raw), ("hand-crafted", corpora.handcrafted)):
        for (outcome, what), count in sorted(corpus.problem_counts().items()) if corpus else ():
            rows.append({"data": data, "outcome": outcome, "what": what, "utterances": count})
    return pd.DataFrame(rows)


def corpus_table(p: EndToEnd, corpora: Corpora) -> pd.DataFrame:
    """Utterances per split, those with hand-crafted features, and the share that shows each emotion.

    How they are split is said where there are several ways.
    """
    rows = []
    featured = corpora.featured or [None] * len(corpora.tested)
    for corpus, features in zip(corpora.tested, featured, strict=True):
        for split, batches in corpus.splits.items():
            row = {"split": split, "utterances": len(batches)}
            if len(corpora.tested) > 1:
                row = {"by": corpus.source.split_rule} | row
            if features:
                row["with_features"] = len(features.splits[split])
            shares = corpus.labels(split).mean(axis=0)
            rows.append(row | {name: float(v) for name, v in zip(corpus.label_names, shares, strict=True)})
    return pd.DataFrame(rows)


def threshold_scores(p: EndToEnd, table: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Scores by threshold with intervals over the seeds, the dense model at 1."""
    names = {variant("mme2e"): 1.0} | {variant("mme2e_sparse", t): t for t in sweep_thresholds(p)}
    found = gains.summary(table[table["variant"].isin(names)], metric)
    return found.assign(threshold=found["variant"].map(names)).sort_values("threshold", ignore_index=True)


def setting_table(p: EndToEnd) -> pd.DataFrame:
    """How each model is trained."""
    rows = [{"model": TITLES[name], **setting.model_dump()} for name, setting in p.models.chosen().items()]
    return pd.DataFrame(rows).astype({"clip_norm": object}).fillna({"clip_norm": "none"})


def deviations(p: EndToEnd) -> list[str]:
    """How a run on real data differs from the published commands."""
    found = [] if not isinstance(p.text_encoder, RandomAlbert) else ["a text encoder from random weights"]
    for name, setting in p.models.chosen().items():
        if p.kind == "iemocap" and tuple(setting.model_dump().values()) != _README[name]:
            found.append(f"{TITLES[name]} trained in another way than by the README's command")
    changed = [name for name, value in Encoder() if getattr(p.encoder, name) != value]
    found += [f"{', '.join(changed)} of the encoder changed"] * bool(changed)
    found += ["other modalities"] * (p.dataset != TEXT and set(p.modalities) != set(MODALITIES))
    found += ["word vectors of 50 numbers instead of 300"] * (p.dataset == TEXT)
    return found + ["no command was published for this corpus"] * (p.kind == "mosei")


def paper(corpus: str) -> pd.DataFrame:
    """The published scores on `iemocap` or `mosei` as a run table; each was printed once (spec end_to_end, section 9).

    Beside another corpus stand those on IEMOCAP, whose utterances have one emotion each as well.
    """
    return published.runs(PUBLISHED, corpus if corpus in ("iemocap", "mosei") else "iemocap")


def published_emotions(runs: Runs, metric: str) -> pd.DataFrame:
    """All of the paper's scores on CMU-MOSEI (its Table 4), and those of our text branches on the same utterances,
    labels and split (`published.by_emotion`); empty on other corpora."""
    p = runs.study.p
    if p.dataset != TEXT:
        return pd.DataFrame()
    further = published.runs(_FURTHER, "mosei")
    theirs = pd.concat([paper("mosei"), further[further["variant"] != "LF-RNN"]], ignore_index=True)  # here LF-LSTM
    names = runs.study.tasks[0].corpus.label_names
    read = {"theirs_read": "text, audio, video", "ours_read": "text"}
    return published.by_emotion(theirs, runs.table, metric, names, **read)


def operations() -> pd.DataFrame:
    """The printed operations (1e9, of what is not stated) by top-p, 1 for the dense model, and their share of its."""
    rows = published.runs(PUBLISHED, "not named")
    rows = rows[rows["metric"] == "operations_1e9"]
    table = rows[["threshold", "value"]].rename(columns={"value": "paper"}).sort_values("threshold", ignore_index=True)
    return table.assign(paper_ratio=table["paper"] / table["paper"].max())


def comparison_table(runs: Runs, corpora: Corpora, paper: pd.DataFrame) -> pd.DataFrame:
    """Published and reproduced means over the emotions, and gains over FE2E, judged by `published.VERDICT_RULE`.

    Of models that were not run there is no row, so that no claim about them is looked for.
    """
    p, table = runs.study.p, runs.table
    ours = table[table["change"] == ""]
    paper = paper[paper["variant"].isin(set(ours["variant"]))]
    real = not corpora.any.source.synthetic
    metrics = ("weighted_acc" if p.kind == "mosei" else "acc", "f1_positive")
    found = [
        published.compare(
            paper,
            ours,
            metric=metric,
            baseline=variant("mme2e"),
            source=corpora.any.source,
            same_corpus=real and p.kind in ("iemocap", "mosei"),
            deviations=deviations(p) if real else (),
            fewer=published.TEXT_ONLY if p.dataset == TEXT else "",
            runs=runs,
        )
        for metric in metrics
    ]
    return pd.concat(found, ignore_index=True)


def ratio_table(costs: pd.DataFrame) -> pd.DataFrame:
    """The printed share of the dense model's operations beside our nominal and counted ones, by threshold.

    Ratios only, and at other widths than the paper's they are not comparable either: a narrow network's dense part
    weighs more.
    """
    gathered = costs[costs["form"].isin(("gathered", "dense"))]
    ours = gathered[["threshold", "nominal_ratio", "counted_ratio", "seconds_ratio"]]
    merged = operations().merge(ours, on="threshold", how="outer").sort_values("threshold", ignore_index=True)
    return merged.dropna(subset="nominal_ratio", ignore_index=True)
