"""Which training of a run is exported, and whether it can be."""

import numpy as np

from lib.data.corpus import Corpus
from lib.errors import InputError
from lib.models.own import OwnModel
from lib.study import Done, Runs, Task
from lib.training.recipe import Member, Recipe
from lib.training.records import Record
from lib.training.validation import IN_WORDS

CAN = "models of features can: co-learning, low-rank fusion, emotion embeddings, SPCL's backbones, and explore's"
GIVEN = "as asked for"


def chosen(runs: Runs, variant: str, seed: int | None, where: str) -> tuple[Done, str]:
    """The training of a variant with this seed, else the one with the best validation score, and why it was chosen.

    Never by a test score. Raises InputError for a variant or seed that has not been trained, or cannot be exported.
    """
    known = dict.fromkeys([*(m.variant for _, m in runs.study.members), *(record.variant for record in runs.records)])
    if variant not in known:
        raise InputError(f"no variant {variant!r}", where=where, todo=f"there are: {', '.join(known)}")
    done = [run for run in runs.done if run[2].variant == variant and run[2].scored]
    if not done:
        what = f"no finished training of {variant!r} with these settings, data and code"
        raise InputError(what, where=where, todo=f"./run_all.sh --only {where}")
    refuse_unfit(done[0][0], done[0][1], where)
    if seed is not None:
        found = next((run for run in done if run[2].seed == seed), None)
        if found is None:
            seeds = ", ".join(str(run[2].seed) for run in done)
            raise InputError(
                f"seed {seed} of {variant!r} has not been trained", where=where, todo=f"there are: {seeds}"
            )
        return found, GIVEN
    scores = [(validation_score(record, member.recipe), record.seed) for _, member, record in done]
    best = max(range(len(done)), key=lambda k: (scores[k][0], -scores[k][1]))
    criterion = IN_WORDS[done[best][1].recipe.select_by]
    return done[best], f"the best {criterion} of {len(done)} seeds; test scores did not enter"


def refuse_unfit(task: Task, member: Member, where: str) -> None:
    """Raises InputError for what is more than one network asked about features, and a network that is not the
    library's: an exported folder holds no code, so what it holds could not be asked."""
    corpus = task.corpus
    if type(task) is not Task:
        why = "its answers are put together from those of several networks"
    elif not isinstance(corpus, Corpus):
        why = "it reads recordings, which are decoded batch by batch"
    elif issubclass(member.model.architecture, OwnModel):
        why = f"its network is the code of {member.model.arguments['file']}, and exported folders hold none"
    else:
        return
    raise InputError(f"cannot be exported: {why}", where=where, todo=CAN)


def validation_score(record: Record, recipe: Recipe) -> float:
    """Of the tested epoch, by what selects epochs; more is better."""
    name, sign = ("valid_loss", -1.0) if recipe.select_by == "loss" else (f"valid_{recipe.select_by}", 1.0)
    value = record.history[name][tested_epoch(record, recipe)]
    return sign * float(value) if np.isfinite(value) else -np.inf


def tested_epoch(record: Record, recipe: Recipe) -> int:
    """Of which the weights are, counted from 0."""
    return len(record.history["train_loss"]) - 1 if recipe.tested_epoch == "last" else record.best_epoch
