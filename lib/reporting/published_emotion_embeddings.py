"""The published numbers of EEA and two of its baselines as run tables.

The tables of the paper itself were not available. What is published and readable: a later paper of the same group
(end-to-end sparse model, NAACL 2021) trained EEA, an LF-LSTM and MulT again, on reorganised and unaligned splits of
CMU-MOSEI and of six IEMOCAP emotions. Its F1 is that of the emotion itself.
"""

from collections.abc import Callable, Sequence

import pandas as pd

from lib.reporting.published import select
from lib.run_table import run_table

DATASETS = {
    "mosei": "CMU-MOSEI, reorganised split of the later paper",
    "iemocap": "IEMOCAP, reorganised 6-class split of the later paper",
}
SYSTEMS = {"EmoEmbs": "EEA", "LF-LSTM": "LF-RNN", "MulT": "MulT"}
EMOTIONS = {"angry": "anger", "disgusted": "disgust", "surprised": "surprise"}
"""Printed names that differ from CMU-MOSEI's label names; IEMOCAP's are equal."""
_METRICS = {"accuracy": "acc", "weighted accuracy": "weighted_acc", "F1": "f1_positive"}


def runs(
    published: pd.DataFrame, family: str, label_names: Sequence[str], variant: Callable[[str], str]
) -> pd.DataFrame:
    """Scores from 0 to 1, averaged and for each emotion in `label_names`; one run each, as printed.

    `variant(kind)` names a variant of our run table.
    """
    rows = select(published, topic="emotion_embeddings", dataset=DATASETS[family])
    found = []
    for system, group in rows[rows["system"].isin(SYSTEMS)].groupby("system", sort=False):
        scores = {}
        for row in group.to_dict("records"):
            printed, metric = row["split_or_class"].removeprefix("test / "), _METRICS[row["metric"]]
            emotion = printed if printed in label_names else EMOTIONS.get(printed, printed)
            if printed == "average":
                scores[metric] = row["value"] / 100
            elif emotion in label_names:
                scores[f"{metric}_{emotion}"] = row["value"] / 100
        found.append(
            {
                "variant": variant(SYSTEMS[system]),
                "seed": 0,
                "metrics": {"test": scores},
                "selected_on": "not stated",
                "status": "published",
                "published_in": group["source"].iloc[0],
            }
        )
    return run_table(found)
