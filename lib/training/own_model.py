"""A model that a person brings, `path/to/file.py:Class`, tried before anything is trained (`docs/own_model.md`)."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from lib.absence import absent_like
from lib.errors import InputError
from lib.model_file import ModelFile
from lib.models.dropout import dropout_noise, generator_noise
from lib.models.own import OwnModel, OwnModelOfTerms, architecture, in_words, wrapper
from lib.training.own_terms import refuse_wrong_terms
from lib.training.recipe import ModelSpec

BATCH = 4
"""Utterances of the trial."""
STEPS = 6
"""Of a modality whose number is not given."""
NEAR = 1e-3
"""What the other utterances of a batch may change in an output: products are summed in other blocks."""
Inputs = dict[str, Tensor]


def model_spec(
    given: str,
    widths: Mapping[str, int],
    outputs: int,
    *,
    steps: Mapping[str, int] | None = None,
    options: Mapping[str, object] | None = None,
) -> ModelSpec:
    """What a `Member` names the model `given` by, once it has stood the trial; running its file is part of that.

    `widths` and `steps` are those of the corpus by modality, `outputs` the width of its task. The SHA-256 of the file,
    and of the library files that it imports, stand in the arguments, so a changed file is another training. Raises
    InputError, one line, for a model that is not what `docs/own_model.md` says.
    """
    file = ModelFile.named(given)
    arguments = {
        "file": file.file,
        "name": file.name,
        "code": file.code(),
        "widths": {m: int(width) for m, width in widths.items()},
        "outputs": int(outputs),
        "options": dict(options or {}),
    }
    made = architecture(file.file, arguments["code"][file.file], file.name)
    spec = ModelSpec(f"own:{wrapper(made).__name__}", arguments)
    _try(spec, {m: (steps or {}).get(m, STEPS) for m in widths}, str(file))
    return spec


def _try(spec: ModelSpec, steps: Mapping[str, int], where: str) -> None:
    """Raises InputError for the first thing that a training could not bear, or would make a wrong result of."""
    model = _made(spec, where)
    _refuse_untrainable_parameters(model, where)
    _refuse_other_weights(model, _made(spec, where), where)
    drawn = torch.Generator().manual_seed(0)
    inputs = {m: torch.randn(BATCH, steps[m], width, generator=drawn) for m, width in spec.arguments["widths"].items()}
    for x in inputs.values():
        x[0, : x.shape[1] // 2] = 0  # an utterance with padding in front
    wanted = (BATCH, spec.arguments["outputs"])
    with torch.no_grad():
        _refuse_changing(model.eval(), inputs, wanted, where)
    if isinstance(model, OwnModelOfTerms):
        refuse_wrong_terms(model, inputs, where)
    _refuse_gradients(model.train(), inputs, wanted, where)


def _made(spec: ModelSpec, where: str) -> nn.Module:
    """The model with the initial weights of a fixed seed. Raises InputError for a constructor that cannot be called as
    it has to be."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        try:
            return spec.build()
        except InputError:
            raise
        except Exception as error:  # a person's own code: whatever it raises means the same here
            what = f"its constructor fails with widths, outputs and the options given: {in_words(error)}"
            raise InputError(what, where=where, todo="write __init__(self, widths, outputs, ...)") from None


def _refuse_untrainable_parameters(model: OwnModel, where: str) -> None:
    if lazy := [name for name, each in model.model.named_parameters() if is_lazy(each)]:
        raise InputError(f"{lazy[0]} has no size before the first input", where=where, todo="make it with `widths`")
    if not any(each.requires_grad for each in model.parameters()):
        raise InputError("has no parameters to train", where=where)


def _refuse_other_weights(model: nn.Module, again: nn.Module, where: str) -> None:
    """Raises InputError for initial weights that one seed does not give twice."""
    weights, others = model.state_dict(), again.state_dict()
    if differing := [name for name in weights if not torch.equal(weights[name], others[name])]:
        what = f"one seed gives other initial weights each time ({differing[0].removeprefix('model.')})"
        raise InputError(what, where=where, todo="draw them by torch, and by nothing else")


def _refuse_changing(model: nn.Module, inputs: Inputs, wanted: tuple[int, int], where: str) -> None:
    """In evaluation mode. Raises InputError for another shape, NaN, also without a modality, inputs that are changed,
    and answers that depend on chance or on the other utterances."""
    copies = {m: x.clone() for m, x in inputs.items()}
    first = _outputs(model, inputs, wanted, where)
    if changed := [m for m, x in inputs.items() if not torch.equal(x, copies[m])]:
        raise InputError(f"changes its input {changed[0]} in place", where=where, todo="work on a new tensor")
    if not torch.equal(first, _outputs(model, inputs, wanted, where)):
        raise InputError("other answers each time in evaluation mode", where=where, todo="draw only in training")
    for modality in inputs:
        absent = inputs | {modality: absent_like(inputs[modality])}
        _outputs(model, absent, wanted, where, f" where {modality} is absent, that is all zeros")
    for row in (0, BATCH - 1):
        one = {m: x[row : row + 1] for m, x in inputs.items()}
        alone = _outputs(model, one, (1, wanted[1]), where, " for a batch of one")
        if not torch.allclose(alone, first[row : row + 1], rtol=NEAR, atol=NEAR):
            todo = "is the first dimension the batch everywhere (batch_first=True of recurrent layers)?"
            raise InputError("an utterance's answer depends on the others in its batch", where=where, todo=todo)


def _refuse_gradients(model: nn.Module, inputs: Inputs, wanted: tuple[int, int], where: str) -> None:
    """In training mode. Raises InputError for draws from elsewhere than torch, and parameters without a gradient."""
    weights = torch.randn(wanted, generator=torch.Generator().manual_seed(1))  # a plain sum of a softmax never changes

    def outputs() -> Tensor:
        with dropout_noise(generator_noise(torch.Generator().manual_seed(2))):
            return _outputs(model, inputs, wanted, where, " in training mode")

    first = outputs()
    if not torch.equal(first, outputs()):  # statistics of batch norm change in between, and are not in them
        what = "one seed gives other outputs each time in training mode"
        raise InputError(what, where=where, todo="draw by torch, and by nothing else")
    if not first.requires_grad:
        raise InputError("its outputs have no gradient", where=where, todo="leave out detach() and no_grad()")
    (first * weights).sum().backward()
    found = {name: each.grad for name, each in model.model.named_parameters() if each.requires_grad}
    if unreached := [name for name, gradient in found.items() if gradient is None]:
        todo = "use it in forward, or leave it out"
        raise InputError(f"no gradient reaches {unreached[0]}", where=where, todo=todo)
    if strange := [name for name, gradient in found.items() if not gradient.isfinite().all()]:
        raise InputError(f"the gradient of {strange[0]} is not finite", where=where)
    if not any(gradient.any() for gradient in found.values()):
        raise InputError("every gradient is zero", where=where, todo="return what its last layer says")


def _outputs(model: nn.Module, inputs: Inputs, wanted: tuple[int, int], where: str, when: str = "") -> Tensor:
    """Raises InputError for a forward that fails, no tensor of the width of the task, and NaN."""
    try:
        found = model(**inputs)
    except Exception as error:  # as in the constructor
        called = f"forward({', '.join(inputs)}){when} fails: {in_words(error)}"
        raise InputError(called, where=where, todo="its arguments are the corpus' modalities, by name") from None
    if not isinstance(found, Tensor):
        raise InputError(f"forward returns a {type(found).__name__}, expected one tensor", where=where)
    if found.shape != wanted or not found.is_floating_point():
        shape = f"{str(found.dtype).removeprefix('torch.')} {tuple(found.shape)}"
        raise InputError(f"forward returns {shape}{when}, expected float {wanted} (batch, outputs)", where=where)
    if not math.isfinite(found.detach().abs().sum().item()):
        raise InputError(f"forward returns NaN or infinity{when}", where=where)
    return found
