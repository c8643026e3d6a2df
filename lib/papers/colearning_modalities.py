"""What the co-learning models rely on when all modalities of their training are there."""

from collections.abc import Sequence

from lib.data.corpus import Corpus
from lib.papers.colearning import grid, rate_name, result_folder, score_metrics, split_scores
from lib.papers.modality_section import ask
from lib.params.colearning import Colearning
from lib.training.records import Record
from lib.training.trained import Trained


def asked(p: Colearning, corpus: Corpus, records: Sequence[Record]) -> list[Trained]:
    """The runs without modality dropout and at the rate of the contrast, scored by the first of the paper's metrics.

    Their epochs were selected with the target modalities alone; here the others are present too.
    """
    metric, compared = score_metrics(p, corpus)[0], {rate_name(0.0), rate_name(p.contrast)}
    runs = [pair for pair in zip(grid(p, corpus), records, strict=True) if pair[1].variant in compared]
    return ask(result_folder(p), corpus, runs, lambda outputs: split_scores(p, corpus, "test", outputs)[metric])
