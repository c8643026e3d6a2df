"""What cannot be trained, whatever the numbers: found before the first epoch of a grid, in words for its reader."""

import math
from collections.abc import Sequence

import torch
from torch import nn

from lib.data.arrays.label_columns import refuse_absent
from lib.data.batches import Batched
from lib.errors import InputError
from lib.models.by_modality import OwnEncoders, OwnOutputs
from lib.models.own import OwnModel
from lib.training.recipe import Member

TODO = "its positive weight would be infinite: leave it out (`left_out`), or give samples that show it"
LATE, CLASSES = "choose a late-fusion model or another strategy", "use a corpus of classes or another strategy"
OF_CLASSES = ("cross_entropy", "cross_entropy_sum")
OF_LOGITS = (*OF_CLASSES, "soft_cross_entropy", "bce")


def refuse_untrainable(members: Sequence[Member], corpus: Batched) -> None:
    """Raise InputError for members that no training can begin with.

    A corpus of less than one minibatch where the rest is dropped; a last minibatch of one sample for a model whose
    batch norm needs two; an emotion that no training sample shows, whose positive weight would be infinite; and as
    `refuse_unbalanceable` does.
    """
    train = corpus.splits["train"]
    n, where = len(train), f"{corpus.source.name}, train split"
    seen = set()
    for member in members:
        refuse_unbalanceable(member)
        recipe = member.recipe
        kind = (member.model.name, recipe.batch_size, recipe.drop_last, recipe.loss)
        if kind in seen:
            continue
        seen.add(kind)
        if recipe.drop_last and n < recipe.batch_size:
            what = f"{n} training samples do not fill one batch of {recipe.batch_size}"
            raise InputError(what, where=where, todo="choose a smaller batch_size")
        last = recipe.batch_size if recipe.drop_last else n % recipe.batch_size or recipe.batch_size
        if min(last, n) == 1 and _normalises_samples(member):
            what = f"{n} training samples leave a last batch of one at batch size {recipe.batch_size}"
            raise InputError(what, where=where, todo="batch norm needs two: choose another batch_size")
        if recipe.loss == "bce":
            refuse_absent(train.labels, corpus.label_names, where, TODO)


def refuse_unbalanceable(member: Member) -> None:
    """Raise InputError for a strategy that balances modalities where its definition has no meaning.

    Gradient modulation compares true-class probabilities of at least two modalities that are fed, each with an encoder
    of its own under linear layers. Unimodal losses need each modality's own logits: predictions of a score add up, so
    a term of them cannot be the score.
    """
    recipe = member.recipe
    if not recipe.by_modality:
        return
    if sum(x is not None for x in (recipe.curriculum, recipe.modulation, recipe.unimodal_weights)) > 1:
        what = "two of curriculum, gradient modulation and unimodal losses at once"
        raise InputError(what, where=member.variant, todo="choose one of them")
    against = _against_unimodal_losses(member) if recipe.modulation is None else _against_modulation(member)
    if against:
        raise InputError(against[0], where=member.variant, todo=against[1])


def _against_modulation(member: Member) -> tuple[str, str] | None:
    """What stands against it, and what to do."""
    model, recipe = member.model.architecture, member.recipe
    if not issubclass(model, OwnEncoders):
        what = f"{_title(member)} has no encoder per modality under linear layers alone, as gradient modulation needs"
        return what, LATE
    if recipe.loss not in OF_CLASSES:
        return f"gradient modulation asks for the true class's probability, and {recipe.loss} has none", CLASSES
    if len(member.train_on) < 2:
        return "gradient modulation compares modalities", "train on at least two of them"
    if not 0 <= recipe.modulation.alpha < math.inf:
        return f"gradient modulation with an alpha of {recipe.modulation.alpha}", "give a number from 0"
    return None


def _against_unimodal_losses(member: Member) -> tuple[str, str] | None:
    """As for modulation."""
    model, recipe, weights = member.model.architecture, member.recipe, member.recipe.unimodal_weights
    if not issubclass(model, OwnOutputs):
        return f"{_title(member)} gives no outputs of each modality alone, as unimodal losses need", LATE
    if recipe.loss not in OF_LOGITS:
        return f"unimodal losses are of logits, and {recipe.loss} is of scores, which modalities add up to", CLASSES
    if unknown := sorted(set(weights) - set(member.train_on)):
        return f"a unimodal loss of {', '.join(unknown)}, which is not trained on", f"name {list(member.train_on)}"
    if not all(0 <= weight < math.inf for weight in weights.values()):
        return f"unimodal losses weighted {dict(weights)}", "give numbers from 0"
    return None


def _title(member: Member) -> str:
    """The name of its class; of a person's own model that of theirs."""
    model = member.model
    return model.arguments["name"] if issubclass(model.architecture, OwnModel) else model.architecture.__name__


def _normalises_samples(member: Member) -> bool:
    """Whether the model has a batch norm over one vector per sample."""
    with torch.device("meta"):
        model = member.model.architecture(**member.model.arguments)
    return any(isinstance(module, nn.BatchNorm1d) for module in model.modules())
