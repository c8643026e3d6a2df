"""What of each notebook can be cut into chunks: the grid of its study.

Left to the notebook itself, because it depends on results: the seeds of a random search's winner (low-rank fusion),
fine-tuning and the random emotion vectors (unseen emotions). A notebook that is not named here runs whole: those that
only read results, and the explorer.
"""

from collections.abc import Callable

from lib.papers import study_of
from lib.params.base import Parameters
from lib.training.chunks import Grid


def grids(notebook: str, p: Parameters) -> list[Grid]:
    """The corpora of a run and what is trained on each. Raises InputError for unusable data."""
    return GRIDS[notebook](p)


GRIDS: dict[str, Callable[[Parameters], list[Grid]]] = {
    "iemocap_negative_colearning": lambda p: study_of(p).grids,
    "mosi_positive_colearning": lambda p: study_of(p).grids,
    "low_rank_fusion": lambda p: study_of(p).grids,
    "emotion_embeddings": lambda p: study_of(p).grids,
    "self_paced_balance": lambda p: study_of(p).grids,
    "end_to_end_sparse": lambda p: study_of(p).grids,
    "unseen_emotions": lambda p: study_of(p).grids,
}
