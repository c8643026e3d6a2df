"""What the tables say, in sentences made from their numbers."""

from collections.abc import Iterable, Mapping

import pandas as pd

from lib.papers.emotion_embeddings.study import EEA
from lib.reporting.published import FEWER_MODALITIES
from lib.reporting.verdicts import outcome
from lib.reporting.words import TOLD, between, decision, number, told
from lib.study import Task


def comparisons(table: pd.DataFrame) -> list[str]:
    """EEA against the baselines by one metric, in one sentence; from `eea_gains`."""
    if table.empty:
        return []
    rows = table.to_dict("records")
    said = _by_outcome((_bare(row["baseline"]), row) for row in rows)
    score = table["score"].max() if table["score"].isna().iloc[0] else table["score"].iloc[0]
    return [f"{rows[0]['variant']}, {rows[0]['metric']} {number(score)}: {said}."]


def contrasts(table: pd.DataFrame) -> list[str]:
    """Each named change against the reference; from `contrast_gains`."""
    sentences = []
    for row in table.to_dict("records"):
        if row["gain"] == 0 and row["gain_std"] == 0:
            sentences.append(f"{row['variant']}: {row['metric']} {row['score']:.4f}, the reference's with every seed.")
            continue
        sentences.append(
            f"{row['variant']}: {row['metric']} {number(row['score'])} against {number(row['baseline_score'])} of the "
            f"reference's: {decision(row)}."
        )
    return sentences


def modalities(task: Task, table: pd.DataFrame, gain: pd.DataFrame) -> list[str]:
    """What each modality is good for; from `ablation` and `modality_gains`."""
    if table.empty:
        return []
    rows = table.set_index("modalities")
    whole, metric = rows.iloc[0], rows["metric"].iloc[0]
    if pd.isna(whole["score"]):
        return [f"{task.variant(EEA)} on all modalities: test {metric} undefined, so nothing is said of single ones."]
    best, names = rows["score"].idxmax(), table.set_index("variant")["modalities"]
    said = _by_outcome((names[row["baseline"]], row) for row in gain.to_dict("records"))
    return [
        f"{task.variant(EEA)} on all modalities, {metric} {whole['score']:.4f}: {said}. Highest mean: {best} "
        f"({rows.loc[best, 'score']:.4f})."
    ]


def _by_outcome(gains: Iterable[tuple[str, Mapping[str, object]]]) -> str:
    """Rows of a gain table under the names of what they are over, those that came to the same together."""
    groups: dict[str, list[str]] = {words: [] for words in TOLD.values()}
    for name, row in gains:
        worth = f"{number(row['gain'], '+.4f')}, {between(row)}"
        groups[told(row)].append(f"{name} ({'; '.join(filter(None, (worth, outcome(row)[1])))})")
    return "; ".join(f"{words} {', '.join(names)}" for words, names in groups.items() if names)


def floors(task: Task, floor: pd.DataFrame, overview: pd.DataFrame) -> list[str]:
    """Plain accuracy beside never finding anything."""
    never = floor.iloc[0]
    rows = overview.set_index("variant")
    name = task.variant(EEA) if task.variant(EEA) in rows.index else rows.index[0]
    ours = rows.loc[name]
    if pd.isna(ours["acc"]):
        return [f"{name}: no run has a score; finding no emotion, ever, has plain accuracy {never['acc']:.4f}."]
    side = "above" if ours["acc"] > never["acc"] else "not above"
    return [
        f"{name}: plain accuracy {ours['acc']:.4f}, {side} the {never['acc']:.4f} of finding no emotion, ever; "
        f"weighted accuracy {number(ours['weighted_acc'])}, where that has {number(never['weighted_acc'])}."
    ]


def beside_published(table: pd.DataFrame) -> list[str]:
    """Our scores where the paper's models had more modalities; from `published_averages`."""
    if table.empty:
        return []
    rows = table[table["verdict"].str.startswith(FEWER_MODALITIES) & ~table["quantity"].str.startswith("gain")]
    return [
        f"{row['variant']}, {row['quantity']} {row['reproduced']:.4f} beside the published {row['paper']:.4f} "
        f"({row['difference']:+.4f}): {row['verdict']}; nothing is judged by this."
        for row in rows.to_dict("records")
    ]


def geometry(task: Task, table: pd.DataFrame) -> list[str]:
    """What training does to the mapped emotion vectors; from `space_table`, empty without EEA."""
    if table.empty:
        return []
    sentences = []
    for modality, rows in table[table["training"] != "frozen"].groupby("modality", sort=False):
        before, after = (rows.set_index("training").loc[when] for when in ("before", "after"))
        words = (
            f"{task.variant(EEA)}, emotions as {modality} sees them: mean cosine {before['mean_cosine']:+.3f} before "
            f"training, {after['mean_cosine']:+.3f} after"
        )
        if pd.notna(after["correlation_with_text"]):
            words += (
                f"; correlation with the cosines of the word vectors {before['correlation_with_text']:+.2f} before, "
                f"{after['correlation_with_text']:+.2f} after"
            )
        sentences.append(f"{words}.")
    return sentences


def _bare(variant: str) -> str:
    """The kind, without the corpus in front."""
    return variant.rpartition(": ")[2]
