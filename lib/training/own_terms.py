"""The trial of a person's own model that says what each modality adds to its outputs, as some strategies ask."""

from collections.abc import Mapping

import torch
from torch import Tensor

from lib.absence import absent_like
from lib.errors import InputError
from lib.models.own import OwnModelOfEncoders, OwnModelOfTerms, in_words

NEAR = 1e-4
"""How far outputs may lie apart that are summed in another order."""
TERMS = "by_modality returns what forward does, and by modality its terms of the same shape, which add up to it"
ENCODERS = "give by modality the parameters of its encoder, and none of the layers above it"


def refuse_wrong_terms(model: OwnModelOfTerms, inputs: Mapping[str, Tensor], where: str) -> None:
    """In evaluation mode. Raises InputError for terms that are not those of `lib.models.by_modality`, and for
    parameters of an encoder that belong to another modality, or to none."""
    total, own = _asked(model, inputs, where)
    if not _near(total, model(**inputs)):
        raise InputError("by_modality gives other outputs than forward", where=where, todo=TERMS)
    if not _near(total, sum(own.values())):
        raise InputError("the terms of by_modality do not add up to its outputs", where=where, todo=TERMS)
    for m, term in own.items():
        alone = {name: x if name == m else absent_like(x) for name, x in inputs.items()}
        if not _near(term, _asked(model, alone, where)[1][m]):
            what = f"the term of {m} changes with the other modalities"
            raise InputError(what, where=where, todo="it must read that modality alone")
    if isinstance(model, OwnModelOfEncoders):
        _refuse_other_parameters(model, own, where)


def _asked(model: OwnModelOfTerms, inputs: Mapping[str, Tensor], where: str) -> tuple[Tensor, Mapping[str, Tensor]]:
    try:
        total, own = model.by_modality(**inputs)
        shapes = {m: tuple(term.shape) for m, term in own.items()}
    except Exception as error:  # a person's own code: whatever it raises means the same here
        called = f"by_modality({', '.join(inputs)}) fails: {in_words(error)}"
        raise InputError(called, where=where, todo=TERMS) from None
    if shapes != dict.fromkeys(inputs, tuple(total.shape)):
        what = f"by_modality gives terms {shapes} beside outputs {tuple(total.shape)}"
        raise InputError(what, where=where, todo=TERMS)
    return total, own


def _near(one: Tensor, other: Tensor) -> bool:
    return one.shape == other.shape and torch.allclose(one, other, rtol=NEAR, atol=NEAR)


def _refuse_other_parameters(model: OwnModelOfEncoders, own: Mapping[str, Tensor], where: str) -> None:
    try:
        encoders = {m: list(parameters) for m, parameters in model.encoder_parameters().items()}
    except Exception as error:  # as above
        raise InputError(f"encoder_parameters() fails: {in_words(error)}", where=where, todo=ENCODERS) from None
    if set(encoders) != set(own):
        what = f"encoder_parameters names {', '.join(encoders) or 'nothing'}, expected {', '.join(own)}"
        raise InputError(what, where=where, todo=ENCODERS)
    trained = {id(parameter) for parameter in model.parameters() if parameter.requires_grad}
    for m, parameters in encoders.items():
        if not parameters or not all(id(parameter) in trained for parameter in parameters):
            what = f"encoder_parameters gives of {m} none, or such as are not trained parameters of the model"
            raise InputError(what, where=where, todo=ENCODERS)
        elsewhere = [term.sum() for name, term in own.items() if name != m]
        reached = torch.autograd.grad(elsewhere, parameters, allow_unused=True, retain_graph=True) if elsewhere else ()
        if any(gradient is not None and gradient.any() for gradient in reached):
            what = f"parameters of {m} in encoder_parameters change the terms of other modalities"
            raise InputError(what, where=where, todo=ENCODERS)
