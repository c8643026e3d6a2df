"""The published numbers of the end-to-end paper (spec mme2e, section 9) as run tables; each was printed once."""

import pandas as pd

from lib.reporting.published import select
from lib.run_table import run_table

PAPER = "Dai et al. NAACL 2021 (main.417; arXiv 2103.09666)"
DATASETS = {
    "iemocap": "IEMOCAP (6 classes, reorganised split)",
    "mosei": "CMU-MOSEI (6 emotions, reorganised split)",
}
SYSTEMS = ("FE2E", "MESM", "LF-LSTM", "LF-TRANS")
"""Those whose code was published; the paper prints two systems of others as well."""
_EMOTIONS = {
    "iemocap": {"angry": "ang", "excited": "exc", "frustrated": "fru", "happy": "hap", "neutral": "neu", "sad": "sad"},
    "mosei": {"angry": "anger", "disgusted": "disgust", "surprised": "surprise"},
}
_METRICS = {"accuracy %": "acc", "weighted accuracy %": "weighted_acc", "F1 %": "f1_positive"}
DENSE = "FE2E"


def runs(published: pd.DataFrame, kind: str) -> pd.DataFrame:
    """Scores from 0 to 1 of a corpus' table, averaged and by emotion; `MESM 0.7` is the sparse model with that top-p.

    The paper's ablation prints slightly other averages for the same models; the main table is followed.
    """
    rows = select(published, topic="mme2e", paper=PAPER, dataset=DATASETS[kind], modalities="TAV")
    rows = rows[rows["system"].isin(SYSTEMS) & rows["metric"].isin(_METRICS) & (rows["variant"] != "ablation")]
    found = []
    for (system, variant), group in rows.groupby(["system", "variant"], sort=False):
        scores = {}
        for row in group.to_dict("records"):
            metric, printed = _METRICS[row["metric"]], row["split_or_class"].removeprefix("test / ")
            emotion = _EMOTIONS[kind].get(printed, printed)
            scores[metric if printed == "average" else f"{metric}_{emotion}"] = row["value"] / 100
        name = f"{system} {variant.removeprefix('top-p ')}" if variant else system
        found.append(_run(name, scores, group["source"].iloc[0]))
    return run_table(found)


def operations(published: pd.DataFrame) -> pd.DataFrame:
    """The printed operations (1e9, of what is not stated) by top-p, 1 for the dense model, and their share of its."""
    rows = select(published, topic="mme2e", metric="FLOPs 1e9")
    rows = rows[rows["variant"].str.startswith("top-p") & rows["dataset"].str.startswith("dataset not named")]
    thresholds = rows["variant"].str.removeprefix("top-p ").astype(float)
    table = pd.DataFrame({"threshold": thresholds, "paper": rows["value"]}).sort_values("threshold", ignore_index=True)
    return table.assign(paper_ratio=table["paper"] / table["paper"].max())


def _run(variant: str, scores: dict[str, float], source: str) -> dict[str, object]:
    about = {"seed": 0, "selected_on": "validation F1 (the published code)", "status": "published"}
    return {"variant": variant, "metrics": {"test": scores}, **about, "published_in": source}
