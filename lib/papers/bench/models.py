"""The one place where a model of a YAML becomes a network for a corpus; one of a person's own is tried before."""

from collections.abc import Callable, Mapping

from lib.data.corpus import Corpus
from lib.data.word_vectors import emotion_vectors
from lib.errors import InputError
from lib.papers.bench import Entry
from lib.papers.bench.fitting import lengths
from lib.papers.colearning.study import BLOCKS
from lib.papers.self_paced_balance import FAMILIES
from lib.papers.self_paced_balance.study import SPEAKERS
from lib.training.own_model import model_spec
from lib.training.recipe import ModelSpec

RANK, HEADS = 4, 2
"""Of LMF, and of attention, where a YAML gives none: `hidden` is even, so two heads always divide it."""
Arguments = dict[str, object]


def spec(entry: Entry, dataset: str, corpus: Corpus, read: Mapping[str, object], root: str | None) -> ModelSpec:
    """The network of a bench entry for a corpus, which it must fit (`fitting.against_model`).

    `read` are the options that the corpus was read with, `root` is the data folder: both say where the word vectors of
    emotions are. Raises InputError for emotions without a vector, and as `lib.training.own_model.model_spec`.
    """
    about, sizes = entry.about, {m: int(width) for m, width in corpus.modalities.items()}
    options = dict(entry.options)
    if about.own:
        return _own(entry, dataset, sizes, corpus)
    if about.dialogues:
        arguments = _of_dialogues(entry, dataset, sizes, len(corpus.label_names))
    elif entry.model == "eea":
        named = str(options.pop("vectors", ""))
        arguments = _eea(entry, sizes, _vectors(dataset, corpus, named, read, root))
    else:
        arguments = _ARGUMENTS[entry.model](entry, sizes, outputs(corpus))
    return ModelSpec(about.architecture, arguments | options)


def outputs(corpus: Corpus) -> int:
    """How many numbers a network gives for an utterance."""
    if corpus.task != "regression":
        return len(corpus.label_names)
    labels = corpus.splits["train"].labels
    return labels.shape[1] if labels.ndim == 2 else 1


def _own(entry: Entry, dataset: str, sizes: Mapping[str, int], corpus: Corpus) -> ModelSpec:
    """Its file is run here. What its trial says names the corpus, since it may stand that of another."""
    try:
        return model_spec(entry.model, sizes, outputs(corpus), steps=lengths(corpus), options=entry.options)
    except InputError as error:
        raise InputError(error.what, where=f"{error.where} on {dataset}", todo=error.todo) from None


def _early(entry: Entry, sizes: Mapping[str, int], count: int) -> Arguments:
    return {"features": sizes, "hidden": entry.hidden, "outputs": count, "dropout": entry.dropout}


def _two_way(entry: Entry, sizes: Mapping[str, int], count: int) -> Arguments:
    return {"features": sizes, "hidden": entry.hidden, "classes": count, "dropout": entry.dropout}


def _mfn(entry: Entry, sizes: Mapping[str, int], count: int) -> Arguments:
    h = entry.hidden
    blocks = {"widths": dict.fromkeys(BLOCKS, h), "dropouts": dict.fromkeys(BLOCKS, entry.dropout)}
    return {"features": sizes, "hidden": dict.fromkeys(sizes, h), "memory": h, **blocks, "outputs": count}


def _fusion(entry: Entry, sizes: Mapping[str, int], count: int) -> Arguments:
    """The sub-networks, which those of low-rank fusion share."""
    every = ("audio", "video", "text")
    return {
        "input_sizes": sizes,
        "hidden_sizes": dict.fromkeys(every, entry.hidden),
        "dropouts": dict.fromkeys(every, entry.dropout),
        "output_size": count,
    }


def _low_rank(entry: Entry, sizes: Mapping[str, int], count: int) -> Arguments:
    return _fusion(entry, sizes, count) | {"rank": RANK}


def _products(entry: Entry, sizes: Mapping[str, int], count: int) -> Arguments:
    found = _fusion(entry, sizes, count)
    found["dropouts"] = found["dropouts"] | {"fusion": entry.dropout}
    return found | {"fusion_size": entry.hidden, "head": "linear"}


def _recurrent(entry: Entry, sizes: Mapping[str, int], count: int) -> Arguments:
    """Between recurrent layers there is dropout only where there are several."""
    hidden = {
        "lf_rnn": {"hidden": dict.fromkeys(sizes, entry.hidden)},
        "ef_lf_rnn": {"hidden": dict.fromkeys(sizes, entry.hidden), "early_hidden": entry.hidden},
    }.get(entry.model, {"hidden": entry.hidden})
    return {"sizes": sizes, **hidden, "classes": count, "dropout": entry.dropout}


def _eea(entry: Entry, sizes: Mapping[str, int], vectors: list[list[float]]) -> Arguments:
    """The text is as wide as the vectors, whose dot product with it is its score."""
    hidden = dict.fromkeys(sizes, entry.hidden) | ({"text": len(vectors[0])} if "text" in sizes else {})
    return {"sizes": sizes, "hidden": hidden, "emotion_vectors": vectors, "dropout": entry.dropout}


def _transformer(entry: Entry, sizes: Mapping[str, int], count: int) -> Arguments:
    h = entry.hidden
    inner = {"width": h, "heads": HEADS, "layers": 1, "feedforward": 4 * h, "head_hidden": h}
    return {"sizes": sizes, "classes": count, **inner, "dropout": entry.dropout}


def _mult(entry: Entry, sizes: Mapping[str, int], count: int) -> Arguments:
    rates = ("relu_dropout", "residual_dropout", "embedding_dropout", "output_dropout")
    inner = {"width": entry.hidden, "heads": HEADS, "layers": 1, **dict.fromkeys(rates, entry.dropout)}
    return {"sizes": sizes, "classes": count, **inner, "attention_dropout": dict.fromkeys(sizes, entry.dropout)}


_ARGUMENTS: dict[str, Callable[[Entry, Mapping[str, int], int], Arguments]] = {
    "ef_lstm": _early,
    "bi_ef_lstm": _two_way,
    "mfn": _mfn,
    "lmf": _low_rank,
    "tfn": _products,
    "concatenation": _products,
    "ef_rnn": _recurrent,
    "lf_rnn": _recurrent,
    "ef_lf_rnn": _recurrent,
    "text_selective": _recurrent,
    "transformer": _transformer,
    "mult": _mult,
}


def _of_dialogues(entry: Entry, dataset: str, sizes: Mapping[str, int], classes: int) -> Arguments:
    h = entry.hidden
    found: Arguments = {"input_sizes": sizes, "classes": classes, "hidden": h, "dropout": entry.dropout}
    if entry.model in ("biddin", "dialogue_gcn"):
        found["speakers"] = SPEAKERS[FAMILIES[dataset]]
    if entry.model == "biddin":
        return found | {"global_size": h, "party_size": h, "emotion_size": h}
    graph = {"graph_hidden": h} if entry.model == "dialogue_gcn" else {}
    return found | graph | {"layers": 1, "feedforward": 4 * h}


def _vectors(
    dataset: str, corpus: Corpus, named: str, options: Mapping[str, object], root: str | None
) -> list[list[float]]:
    """Of the corpus' emotions: those of a file or part, else of the corpus as it was read with `options`."""
    if corpus.task == "regression":
        raise InputError("scores emotions by their word vectors, and a score has none", where=dataset)
    asked = {"file": named} if named else dict(options)
    try:
        return emotion_vectors(dataset, corpus.label_names, root, **asked).tolist()
    except InputError as error:
        todo = "give the option vectors, a file or glove or minilm"
        raise InputError(f"needs word vectors of the emotions: {error.what}", where=dataset, todo=todo) from None
