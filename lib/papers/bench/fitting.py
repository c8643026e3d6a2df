"""What of a bench fits together: why a model cannot take a corpus, or a strategy a model, in one line each."""

from collections.abc import Mapping

from lib.data.corpus import Corpus
from lib.errors import InputError
from lib.papers.bench import ALGORITHMS, Algorithm, Entry, Strategy
from lib.training.recipe import Member
from lib.training.trainable import refuse_unbalanceable


def against_model(entry: Entry, corpus: Corpus) -> str:
    """Why a model cannot be trained on a corpus; empty if it can."""
    about, there = entry.about, tuple(corpus.modalities)
    in_dialogues = corpus.splits["train"].speakers is not None
    if about.dialogues != in_dialogues:
        has = "has dialogues" if in_dialogues else "has single utterances"
        return f"reads {'dialogues' if about.dialogues else 'single utterances'}, the corpus {has}"
    if lacking := [m for m in about.needs if m not in there]:
        return f"needs {' and '.join(lacking)}, the corpus has {' and '.join(there)}"
    if len(there) < about.fewest:
        return f"mixes at least {about.fewest} modalities, the corpus has {there[0]} alone"
    steps = lengths(corpus)
    if about.steps == "equal" and len(set(steps.values())) > 1:
        told = ", ".join(f"{m} {n}" for m, n in steps.items())
        return f"joins the modalities step by step, and they have different numbers of steps: {told}"
    if short := [m for m, least in about.shortest.items() if steps[m] < least]:
        m = short[0]
        return f"convolves {m} over {about.shortest[m]} steps, the corpus has {steps[m]}"
    return ""


def lengths(corpus: Corpus) -> dict[str, int]:
    """Time steps of each modality."""
    return {m: x.shape[1] for m, x in corpus.splits["train"].features.items()}


def against_strategy(strategy: Strategy, algorithm: Algorithm, corpus: Corpus, member: Member) -> str:
    """Why `member`, which has the strategy, cannot be trained; empty if it can."""
    there, in_dialogues = tuple(corpus.modalities), corpus.splits["train"].speakers is not None
    if len(there) < 2:
        return f"is about several modalities, the corpus has {there[0]} alone"
    if strategy.strategy == "modality_dropout":
        if in_dialogues:
            return "is not defined for dialogues"
        dropped = [m for m in there if m in strategy.dropped] if strategy.dropped else there
        return "" if dropped else f"drops {' and '.join(strategy.dropped)}, the corpus has {' and '.join(there)}"
    if strategy.strategy == "self_paced":
        return "" if in_dialogues else "selects utterances of dialogues, the corpus has none"
    try:
        refuse_unbalanceable(member)
    except InputError as error:
        return error.what
    if strategy.strategy == "ogm_ge" and algorithm != "sgd":
        return f"scales gradients, and {ALGORITHMS[algorithm]} divides a factor that lasts out again: run under SGD"
    return ""


def rates(strategy: Strategy, modalities: Mapping[str, int]) -> dict[str, float]:
    """The rate at which modality dropout drops each modality that it drops."""
    return {m: strategy.rate for m in modalities if not strategy.dropped or m in strategy.dropped}
