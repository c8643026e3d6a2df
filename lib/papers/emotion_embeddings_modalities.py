"""What EEA and its best baseline rely on, and what EEA gets from modalities when it is trained without the others."""

from collections.abc import Sequence

import pandas as pd

from lib.papers.emotion_embeddings import EEA, Task, grid, result_folder, smaller_sets, subset_kind
from lib.papers.emotion_embeddings_tables import best_baseline, model_kinds, pick, split_scores
from lib.params.emotion_embeddings import EmotionEmbeddings
from lib.reporting.modality_section import ask
from lib.reporting.modality_share import RETRAINED, retrained_scores, share_rows
from lib.training.records import Record
from lib.training.trained import Trained


def asked(p: EmotionEmbeddings, task: Task, records: Sequence[Record], table: pd.DataFrame) -> list[Trained]:
    """The runs of EEA, where there is one, and of the baseline with the best validation score."""
    metric, by_run = p.selection(task.dataset), {(record.variant, record.seed): record for record in records}
    kinds = [kind for kind in model_kinds(p) if kind in (EEA, best_baseline(p, task, table))]
    members = [member for member in grid(p, task) if member.tags["kind"] in kinds]
    return ask(
        result_folder(p),
        task.corpus,
        [(member, by_run[member.variant, member.seed]) for member in members],
        lambda outputs: split_scores(task, "test", outputs, p.threshold)[metric],
    )


def retrained(p: EmotionEmbeddings, task: Task, table: pd.DataFrame, floor: float) -> pd.DataFrame:
    """Shares of EEA from the ablation's own networks; `floor` is the score with no modality. Empty without one."""
    smaller, metric = smaller_sets(p), p.selection(task.dataset)
    if not smaller:
        return pd.DataFrame()
    kinds = {frozenset(p.modalities): EEA} | {frozenset(subset): subset_kind(subset) for subset in smaller}
    own = pick(table, task, kinds.values())
    games = retrained_scores(own, {subset: task.variant(kind) for subset, kind in kinds.items()}, metric, floor)
    return share_rows(f"{task.variant(EEA)}, trained again", games.values(), metric, RETRAINED)
