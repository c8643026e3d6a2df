"""What LMF and TFN rely on: each modality against the constant 1 that stays in its slot."""

from collections.abc import Sequence

from lib.papers.lmf_tables import score_metrics, split_scores
from lib.papers.low_rank_fusion import LMF, TFN, Task, grid, result_folder
from lib.params.low_rank_fusion import LowRankFusion
from lib.reporting.modality_section import ask
from lib.training.records import Record
from lib.training.trained import Trained


def asked(p: LowRankFusion, tasks: Sequence[Task], records: Sequence[Record]) -> list[Trained]:
    """LMF and TFN with the setting of the run, per task. Words by number get no noise."""
    metric, found = score_metrics(p)[0], []
    by_run = {(record.variant, record.seed): record for record in records}
    by_number = p.dataset == "mosi_words" and not p.glove
    for task in tasks:
        members = [member for member in grid(p, task) if member.tags["kind"] in (LMF, TFN)]
        found += ask(
            result_folder(p),
            task.corpus,
            [(member, by_run[member.variant, member.seed]) for member in members],
            lambda outputs, task=task: split_scores(p, task, "test", outputs)[metric],
            encoders={m: f"{m}_subnet" for m in task.corpus.modalities},
            quiet=("text",) if by_number else (),
        )
    return found
