"""What stands around the results of the notebook `self_paced_balance`: corpus, floors, settings, published numbers."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from lib.data.corpus import SPLITS, Corpus
from lib.metrics import scores as metrics
from lib.papers import spcl_settings
from lib.papers.self_paced_balance import TITLES, paces, result_folder
from lib.papers.spcl_tables import TRI, flat_labels, trimodal_values
from lib.params.self_paced_balance import SelfPacedBalance
from lib.reporting import manifest, published
from lib.run_table import run_table
from lib.training.records import Record, engines


def corpus_table(corpus: Corpus) -> pd.DataFrame:
    """Dialogues, utterances, speakers and class counts per split."""
    rows = []
    for name in SPLITS:
        split, labels = corpus.splits[name], flat_labels(corpus, name)
        counts = {label: int((labels == number).sum()) for number, label in enumerate(corpus.label_names)}
        size = {"dialogues": len(split), "utterances": len(labels), "longest": int(split.lengths.max())}
        rows.append({"split": name, **size, "speakers": int(split.speakers.max()) + 1, **counts})
    return pd.DataFrame(rows)


def floor_table(corpus: Corpus) -> pd.DataFrame:
    """What always answering the commonest training class scores on the test set."""
    classes = len(corpus.label_names)
    commonest = int(np.bincount(flat_labels(corpus, "train"), minlength=classes).argmax())
    labels = flat_labels(corpus, "test")
    found = metrics.classification(np.tile(np.eye(classes)[commonest], (len(labels), 1)), labels, classes)
    row = {"prediction": f"always {corpus.label_names[commonest]}"}
    return pd.DataFrame([row | {name: found[name] for name in ("weighted_f1", "acc")}])


def ceiling_table(corpus: Corpus) -> pd.DataFrame:
    """Best reachable scores of a stand-in by modality subset; empty for real data, whose ceilings nobody knows."""
    table = pd.DataFrame([{"from": subset, **best} for subset, best in corpus.source.ceilings.items()])
    return table[sorted(table, key=lambda name: (name != "from", "this test set" in name))]


def references(corpus: Corpus, floor: pd.DataFrame, metric: str) -> dict[str, float]:
    """What a figure of scores is read against: the constant answer, and the ceiling of three modalities if known."""
    found = {floor["prediction"].iloc[0]: float(floor[metric].iloc[0])}
    if best := corpus.source.ceilings.get("text+audio+video"):
        found["best possible, three modalities"] = best[metric]
    return found


def setting_table(p: SelfPacedBalance) -> pd.DataFrame:
    """Threshold and growth of every backbone and subset, and the epoch from which every utterance is selected."""
    rows = []
    for backbone, setting in p.backbones.chosen().items():
        for subset in p.subsets:
            threshold, growth = paces(p, backbone, subset)
            cap = spcl_settings.epochs_to_cap(threshold, growth)
            row = {"backbone": TITLES[backbone], "modalities": subset, "threshold": threshold, "growth": growth}
            rows.append(row | {"cap after epochs": "never" if cap is None else str(cap), "epochs": setting.epochs})
    return pd.DataFrame(rows)


def development_sets(corpora: Mapping[int, Corpus]) -> str:
    """In words, whether the seeds share a development set."""
    sets = {frozenset(corpus.splits["valid"].ids) for corpus in corpora.values()}
    if len(corpora) == 1 or len(sets) == 1:
        return f"All {len(corpora)} seeds share the development set."
    size = len(next(iter(sets)))
    return (
        f"The {len(corpora)} seeds have {len(sets)} different development sets of {size} dialogues; each run's record "
        "names its own. The test set is the same for all."
    )


def published_corpus(p: SelfPacedBalance) -> bool:
    """Whether the run is on the file of the published gains."""
    return p.dataset == "iemocap_conversations"


def deviations(p: SelfPacedBalance) -> list[str]:
    """How a run on the paper's files differs from what is known of its protocol (spec spcl, 4 and 4.2)."""
    if not published_corpus(p):
        return []
    found = [f"batches of {p.batch_size} dialogues instead of 16 or 32"] * (p.batch_size not in (16, 32))
    found += [f"feed-forward width {p.feedforward} instead of 2048"] * (p.feedforward != 2048)
    short = [TITLES[name] for name, setting in p.backbones.chosen().items() if setting.epochs < 50]
    found += [f"fewer than 50 epochs for {', '.join(short)}"] * bool(short)
    return found + ["another development set"] * (p.split != "paper")


def comparison_table(p: SelfPacedBalance, corpus: Corpus, table: pd.DataFrame, paper: pd.DataFrame) -> pd.DataFrame:
    """The published Gain(%) without SPCL beside both of ours, judged by `published.VERDICT_RULE`.

    `paper` is `published_spcl.gains`. A gain over nothing is 0, so "two modalities" is a baseline of zeros.
    """
    found = []
    for metric in ("weighted_f1", "acc"):
        for formula in ("gain_points", "gain_relative"):
            theirs = paper[paper["metric"] == metric].assign(metric=formula)
            compared = published.compare(
                theirs,
                run_table(_gain_runs(p, table, metric, formula)),
                metric=formula,
                baseline=BASELINE,
                source=corpus.source,
                same_corpus=published_corpus(p),
                deviations=deviations(p),
                tolerance=0.5,
                better="higher",
            )
            listed = (compared["quantity"] != formula) & compared["variant"].isin(theirs["variant"])
            rows = compared[listed].drop(columns="rate")
            found.append(rows.assign(quantity=f"{formula} of {metric}"))
    return pd.concat(found, ignore_index=True)


BASELINE = "two modalities"


def _gain_runs(p: SelfPacedBalance, table: pd.DataFrame, metric: str, formula: str):
    """A run per seed and gain of three modalities over two, without SPCL, and the zero that it is compared with."""
    status = {"selected_on": "as the runs it is made of", "status": "derived"}
    for seed in p.seeds:
        yield {"variant": BASELINE, "seed": seed, "metrics": {"test": {formula: 0.0}}, **status}
    for backbone in p.backbones.chosen():
        for over in (subset for subset in p.subsets if subset != TRI):
            values = trimodal_values(table, metric, backbone, over, spcl=False)[formula]
            for seed, value in values.items():
                row = {"variant": f"{TITLES[backbone]}: {TRI} over {over}", "seed": int(seed)}
                yield row | {"metrics": {"test": {formula: float(value)}}, **status}


def claims_table(p: SelfPacedBalance, corpus: Corpus, effect: pd.DataFrame, paper: pd.DataFrame) -> pd.DataFrame:
    """The improvements that the abstract claims for SPCL beside ours over all backbones and subsets, in points.

    The abstract does not say of which backbone and subset, nor whether its per cent are points.
    """
    gain, rows = 100 * effect["gain"], []
    for row in paper.to_dict("records"):
        ours = gain.min() if row["which"] == "smallest" else gain.max()
        same = p.dataset == f"{row['dataset'].lower()}_conversations"
        why = ["stand-in data"] * corpus.source.synthetic + ["different corpus"] * (not same)
        verdict = f"not comparable: {', '.join(why or ['which backbone and subset is not said'])}"
        rows.append({"claim": row["claim"], "paper": row["value"], "reproduced": float(ours), "verdict": verdict})
    return pd.DataFrame(rows)


def write_manifest(
    p: SelfPacedBalance, corpora: Mapping[int, Corpus], records: Sequence[Record], seconds: float
) -> None:
    """`manifest.json` of the result folder."""
    origin = "the authors' README" if isinstance(p.pace, str) else "none (fixed in the YAML)"
    manifest.write_manifest(
        result_folder(p),
        params=p.model_dump(mode="json", exclude={"results", "data_root", "cores"}),
        sources=list({corpus.source.split_rule: corpus.source for corpus in corpora.values()}.values()),
        seeds=p.seeds,
        engine=engines(records),
        device="cuda" if "cuda" in engines(records) else "cpu",
        selected_on={
            "epoch": "development weighted F1 (strictly greater)",
            "hyper-parameters": f"thresholds and growths: {origin}; how they were chosen is not stated",
        },
        durations={"notebook": seconds, "training, all runs": sum(record.seconds for record in records)},
    )
