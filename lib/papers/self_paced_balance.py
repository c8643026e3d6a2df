"""Self-paced curriculum learning on conversation backbones: which networks are trained, and on what (spec spcl)."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from lib import data
from lib.data.corpus import Corpus
from lib.data.dialogues import mosi_conversations, stored_dialogues
from lib.errors import InputError
from lib.papers import spcl_settings
from lib.params.self_paced_balance import Pace, SelfPacedBalance
from lib.training.recipe import Member, ModelSpec, Recipe, SelfPacedSpec
from lib.training.records import Record
from lib.training.sweep import sweep_grids

WORKSPACE = Path(__file__).resolve().parents[2]
MODALITIES = {"a": "audio", "t": "text", "v": "video"}
SPEAKERS = {
    "iemocap": stored_dialogues.IEMOCAP.speakers,
    "meld": stored_dialogues.MELD.speakers,
    "mosi": mosi_conversations.SPEAKERS,
}
TITLES = {
    "biddin": "BiDDIN",
    "dialogue_gcn": "DialogueGCN",
    "mm_dfn": "MM-DFN",
    "mmgcn": "MMGCN",
    "late_fusion": "LateFusion",
}
"""In the order of what an epoch costs, dearest first."""
_MODELS = {
    "biddin": "biddin:BiDDIN",
    "dialogue_gcn": "dialogue_gcn:DialogueGCN",
    "mm_dfn": "mm_dfn:MMDFN",
    "mmgcn": "mmgcn:MMGCN",
    "late_fusion": "late_fusion:LateFusion",
}
PLAIN = SelfPacedSpec(threshold=1.0, growth=1.0, enabled=False)
"""Without SPCL: the same bits as without a curriculum, with the modality ratios on record."""


def result_folder(p: SelfPacedBalance) -> Path:
    """The run's result folder, relative to the workspace unless absolute, whatever the working directory."""
    return WORKSPACE / p.results


def load_corpora(p: SelfPacedBalance) -> dict[int, Corpus]:
    """A corpus by seed: IEMOCAP's development set depends on it (quirk 14), elsewhere it is the same corpus.

    Raises InputError for unusable data, and for feature widths that are not those of the parameters.
    """
    options: dict[str, object] = {"nonfinite": p.nonfinite} | ({"samples": p.samples} if p.samples else {})
    if p.family == "meld":
        options["split"] = p.split
    if p.family == "iemocap":
        name = "split_seed" if p.samples else "seed"
        corpora = {seed: data.load(p.dataset, p.data_root or None, **options, **{name: seed}) for seed in p.seeds}
    else:
        corpora = dict.fromkeys(p.seeds, data.load(p.dataset, p.data_root or None, **options))
    found = corpora[p.seeds[0]]
    if p.widths is not None and dict(p.widths) != dict(found.modalities):
        raise InputError(
            f"feature widths {dict(found.modalities)}, expected {dict(p.widths)}",
            where=found.source.name,
            todo="correct `widths`, or set it to null to take those of the data",
        )
    return corpora


def variant(backbone: str, subset: str, *, spcl: bool, mend: str = "") -> str:
    """Name of a variant in the run table."""
    return f"{TITLES[backbone]} {subset}{' + SPCL' if spcl else ''}{f', {mend}' if mend else ''}"


def mended(backbone: str, mend: str) -> bool:
    """Whether a mend concerns a backbone."""
    return mend != "axis" or backbone == "biddin"


def model_spec(p: SelfPacedBalance, corpus: Corpus, backbone: str, subset: str, mend: str = "") -> ModelSpec:
    """A backbone on some modalities, in the order of their letters, which is that of their logits' sum."""
    setting = p.backbones.chosen()[backbone].model_dump(exclude={"learning_rate", "epochs"})
    arguments: dict[str, object] = {
        "input_sizes": {MODALITIES[m]: int(corpus.modalities[MODALITIES[m]]) for m in subset},
        "classes": len(corpus.label_names),
        **setting,
    }
    if backbone in ("biddin", "dialogue_gcn"):
        arguments["speakers"] = SPEAKERS[p.family]
    if backbone != "biddin":
        arguments |= {"layers": p.layers, "feedforward": p.feedforward}
    elif mend in ("axis", "masks"):  # padding can only be left out where attention stays within a dialogue
        arguments["attention_axis"] = "dialogue"
    if mend == "masks":
        arguments["padding_mask"] = True
    return ModelSpec(_MODELS[backbone], arguments)


def paces(p: SelfPacedBalance, backbone: str, subset: str) -> tuple[float, float]:
    """First threshold and growth."""
    if isinstance(p.pace, Pace):
        return p.pace.threshold, p.pace.growth
    return spcl_settings.pace(p.pace, backbone, subset)


def recipe(p: SelfPacedBalance, backbone: str, curriculum: SelfPacedSpec) -> Recipe:
    """Spec spcl, section 4: Adam, clipping always on, the epoch with the best development weighted F1."""
    setting = p.backbones.chosen()[backbone]
    return Recipe(
        loss="cross_entropy",
        epochs=setting.epochs,
        batch_size=p.batch_size,
        learning_rate=setting.learning_rate,
        weight_decay=p.weight_decay,
        plateau_patience=None,
        clip_norm=p.clip_norm,
        patience=p.early_stopping,
        ties="earlier",
        select_by="weighted_f1",
        reshuffle=True,
        drop_last=False,
        evaluation_batch=p.batch_size,
        curriculum=curriculum,
    )


def member(
    p: SelfPacedBalance, corpus: Corpus, seed: int, backbone: str, subset: str, *, spcl: bool, mend: str = ""
) -> Member:
    """One network. Its tags carry what the tables need, and the development set."""
    threshold, growth = paces(p, backbone, subset)
    over = "selected" if mend == "selected" else "all"
    curriculum = SelfPacedSpec(threshold, growth, over=over) if spcl else PLAIN
    modalities = tuple(MODALITIES[m] for m in subset)
    return Member(
        variant=variant(backbone, subset, spcl=spcl, mend=mend),
        seed=seed,
        model=model_spec(p, corpus, backbone, subset, mend),
        recipe=recipe(p, backbone, curriculum),
        train_on=modalities,
        evaluate_on=modalities,
        tags={
            "backbone": backbone,
            "modalities": subset,
            "spcl": int(spcl),
            "mend": mend,
            "development": " ".join(corpus.splits["valid"].ids),
        },
    )


def grid(p: SelfPacedBalance, corpus: Corpus, seed: int) -> Iterator[Member]:
    """Every variant with one seed, dearest backbone first: as published, then under each mend.

    `selected` changes nothing without SPCL, so its comparison is with the variant as published.
    """
    for backbone in p.backbones.chosen():
        for subset in p.subsets:
            for spcl in (False, True):
                yield member(p, corpus, seed, backbone, subset, spcl=spcl)
        for mend in p.mends:
            for subset in p.mend_subsets if mended(backbone, mend) else ():
                for spcl in (True,) if mend == "selected" else (False, True):
                    yield member(p, corpus, seed, backbone, subset, spcl=spcl, mend=mend)


def train_all(p: SelfPacedBalance, corpora: Mapping[int, Corpus]) -> list[Record]:
    """Train what is missing; the records lie in the result folder under `members/`, resumable."""
    return sweep_grids(by_corpus(p, corpora), result_folder(p), cores=p.cores)


def by_corpus(p: SelfPacedBalance, corpora: Mapping[int, Corpus]) -> Sequence[tuple[Corpus, list[Member]]]:
    """Members by corpus: seeds that share one are trained together, dearest first."""
    groups: dict[int, tuple[Corpus, list[Member]]] = {}
    for seed, corpus in corpora.items():
        groups.setdefault(id(corpus), (corpus, []))[1].extend(grid(p, corpus, seed))
    order = list(TITLES)
    for _, members in groups.values():
        members.sort(key=lambda m: (order.index(m.tags["backbone"]), -len(m.train_on)))
    return list(groups.values())
