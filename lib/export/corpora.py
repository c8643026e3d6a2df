"""A corpus by its name, as an exported model reads it."""

from lib import data, papers
from lib.data import corpora
from lib.data.corpus import Corpus
from lib.data.io.yaml_files import check
from lib.data.own.described import HOME
from lib.errors import InputError
from lib.export.about import ABOUT, About
from lib.export.inputs import Utterances, from_path
from lib.model_file import named_in


def by_name(about: About, name: str, split: str) -> tuple[Utterances, bool]:
    """A split of the corpus `name`, and whether it is one of the very corpus that the model was trained on.

    That corpus is read and prepared as the run of the training did, with its options and the fold of the model's seed.
    Raises InputError for an unknown name or split, unusable data, and a corpus of recordings.
    """
    known = corpora.get(name)
    own = _of_the_run(about, name)
    if own is not None:
        corpus, same = own, own.digest == about.data.digest
    elif known.family == HOME:
        return from_path(data.data_root() / HOME / name, split), False
    elif known.stands_for:
        raise InputError(f"{name} is generated anew for each run", todo="name the corpus of the training, or a folder")
    else:
        corpus, same = data.load(name), False
    if not isinstance(corpus, Corpus):
        raise InputError("recordings, which exported models do not read", where=name)
    if split not in corpus.splits:
        raise InputError(f"no split {split!r}", where=name, todo=f"there are: {', '.join(corpus.splits)}")
    return Utterances.of(corpus.splits[split], f"{name}, {split} split"), same


def _of_the_run(about: About, name: str) -> Corpus | None:
    """The corpus as the run prepares it; None for one that the run does not read."""
    given = {**about.parameters, "results": "-", "data_root": "", "cores": 1}
    p = check(papers.schema_for(about.notebook), given, where=ABOUT)
    if name not in p.corpora():
        return None
    if files := named_in(p):  # a stranger's folder may name any
        what = f"its run has {files[0]} among its models, whose code is not run for a prediction"
        raise InputError(what, where=name, todo="give the corpus as a folder or a file")
    several = {"datasets": (name,)} if "datasets" in type(p).model_fields else {}
    study = papers.study_of(p.model_copy(update={"seeds": (about.seed,), **several}))
    of_training = [task.corpus for task in study.tasks if task.corpus.digest == about.data.digest]
    return (of_training or [task.corpus for task in study.tasks])[0]
