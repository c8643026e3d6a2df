"""What of each notebook can be cut into chunks: its grid, as its `train_all` trains it.

Left to the notebook itself, because it depends on results: the seeds of a random search's winner (low-rank fusion),
fine-tuning and the random emotion vectors (unseen emotions). A notebook that is not named here runs whole: those that
only read results, and the explorer.
"""

from collections.abc import Callable

from lib.papers import self_paced_balance, study_of, unseen_emotions
from lib.params.base import Parameters
from lib.training.chunks import Grid


def grids(notebook: str, p: Parameters) -> list[Grid]:
    """The corpora of a run and what is trained on each. Raises InputError for unusable data."""
    return GRIDS[notebook](p)


def _self_paced_balance(p: self_paced_balance.SelfPacedBalance) -> list[Grid]:
    return self_paced_balance.by_corpus(p, self_paced_balance.load_corpora(p))


def _unseen_emotions(p: unseen_emotions.UnseenEmotions) -> list[Grid]:
    """A network that serves several emotions is trained once, on the first emotion's copy of the corpus."""
    found, seen = [], set()
    for job in unseen_emotions.plan(p, unseen_emotions.load_cases(p)):
        new = [m for m in unseen_emotions.members(p, job) if (m.variant, m.seed) not in seen]
        seen |= {(m.variant, m.seed) for m in new}
        found.append((job.task.corpus, new))
    return found


GRIDS: dict[str, Callable[[Parameters], list[Grid]]] = {
    "iemocap_negative_colearning": lambda p: study_of(p).grids,
    "mosi_positive_colearning": lambda p: study_of(p).grids,
    "low_rank_fusion": lambda p: study_of(p).grids,
    "emotion_embeddings": lambda p: study_of(p).grids,
    "self_paced_balance": _self_paced_balance,
    "end_to_end_sparse": lambda p: study_of(p).grids,
    "unseen_emotions": _unseen_emotions,
}
