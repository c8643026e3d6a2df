"""What the tables of the notebook `unseen_emotions` say, in sentences made from their numbers."""

import pandas as pd

from lib.papers.unseen_emotions_tables import ABOVE, BELOW, CHANCE, NEITHER


def zero_shot(table: pd.DataFrame) -> list[str]:
    """A sentence per emotion, from `zero_shot_table`."""
    return [
        f"{row['emotion']}, never seen: AUC {row['auc']:.3f} (95 % over the seeds {row['seeds_low']:.3f} to "
        f"{row['seeds_high']:.3f}, over the test samples {row['samples_low']:.3f} to {row['samples_high']:.3f}), "
        f"**{row['verdict']}**; with a random vector {row['random_auc']:.3f}, {row['random_verdict']}; with the "
        f"emotion in training {row['auc_in_training']:.3f}."
        for row in table.to_dict("records")
    ]


def all_together(table: pd.DataFrame, pooled: pd.DataFrame) -> list[str]:
    """All emotions at once, with their word vectors and with random ones; from `zero_shot_table`, `pooled_table`."""
    groups = ((name, table.loc[table["verdict"] == name, "emotion"]) for name in (ABOVE, BELOW, NEITHER))
    found = [f"{len(emotions)} {name} ({', '.join(emotions)})" for name, emotions in groups if len(emotions)]
    share = (table["auc"].mean() - CHANCE) / (table["auc_in_training"].mean() - CHANCE)
    sentences = [
        f"Of {len(table)} emotions: {'; '.join(found)}. On average the word vector alone gives {share:.0%} of the "
        "distance from chance that training on the emotion gives."
    ]
    for row in pooled.to_dict("records"):
        sentences.append(
            f"Vectors {row['vectors']}, averaged over the emotions: AUC {row['auc']:.3f} (95 % over the seeds "
            f"{row['seeds_low']:.3f} to {row['seeds_high']:.3f}), **{row['verdict']}**."
        )
    return sentences


def few_shot(emotion: str, table: pd.DataFrame) -> str:
    """Where the curve leaves zero-shot; from `few_shot_table`."""
    rows = table.sort_values("shots")
    first, last, few = rows.iloc[0], rows.iloc[-1], rows.iloc[1:-1]
    above = rows.iloc[1:]["auc_seeds_low"] > first["auc_seeds_high"]
    lasting = rows.iloc[1:][above[::-1].cummin()[::-1]]
    said = f"{emotion}, never seen: AUC {first['auc']:.3f}; with all {last['shots']} samples: {last['auc']:.3f}. "
    if lasting.empty:
        return f"{said}Even then the interval of the AUC does not lie above zero-shot's."
    least = lasting.iloc[0]
    if least["shots"] == last["shots"]:
        return (
            f"{said}Up to {few['shots'].max()} samples the interval of the AUC does not lie above zero-shot's for good."
        )
    number = "1 sample" if least["shots"] == 1 else f"{least['shots']} samples"
    return f"{said}From {number} on ({least['auc']:.3f}) its interval lies above zero-shot's."


def fine_tuning(emotion: str, table: pd.DataFrame) -> list[str]:
    """What each regime gains on the emotion and costs on the others; from `fine_tuning_table`."""
    return [
        f"{emotion}, {row['setting']}: AUC {_gain(row, 'auc')}; of the other emotions {_gain(row, 'auc_others')}."
        for row in table.iloc[1:].to_dict("records")
    ]


def _gain(row: dict, metric: str) -> str:
    """Against the zero-shot network, paired over the seeds."""
    low, high = (row[f"{metric}_gain_{end}"] for end in ("low", "high"))
    if pd.isna(low):
        return f"{row[f'{metric}_gain']:+.3f} (one seed)"
    found = "better" if low > 0 else "worse" if high < 0 else "not told apart"
    return f"{row[f'{metric}_gain']:+.3f} (95 % {low:+.3f} to {high:+.3f}), {found}"
