"""What cannot be trained, whatever the numbers: found before the first epoch of a grid, in words for its reader."""

from collections.abc import Sequence

import torch
from torch import nn

from lib.data.arrays.label_columns import refuse_absent
from lib.data.batches import Batched
from lib.errors import InputError
from lib.training.recipe import Member

TODO = "its positive weight would be infinite: leave it out (`left_out`), or give samples that show it"


def refuse_untrainable(members: Sequence[Member], corpus: Batched) -> None:
    """Raise InputError for members that no training can begin with.

    A corpus of less than one minibatch where the rest is dropped; a last minibatch of one sample for a model whose
    batch norm needs two; an emotion that no training sample shows, whose positive weight would be infinite.
    """
    train = corpus.splits["train"]
    n, where = len(train), f"{corpus.source.name}, train split"
    seen = set()
    for member in members:
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


def _normalises_samples(member: Member) -> bool:
    """Whether the model has a batch norm over one vector per sample."""
    with torch.device("meta"):
        model = member.model.architecture(**member.model.arguments)
    return any(isinstance(module, nn.BatchNorm1d) for module in model.modules())
