"""A model that a person has written, in a file of their own anywhere, as one of the models here.

    class Mean(nn.Module):
        def __init__(self, widths: dict[str, int], outputs: int, hidden: int = 16): ...

        def forward(self, **modalities):  # "text", "audio", "video": (batch, steps, width)
            ...  # returns (batch, outputs)

`lib.training.own_model` tries whether it keeps to that, before anything is trained.
"""

import hashlib
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import ModuleType

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lib.errors import InputError
from lib.models.by_modality import OwnEncoders, OwnOutputs
from lib.models.dropout import Dropout

WORKSPACE = Path(__file__).resolve().parents[2]
COINS = 62
"""Bits of a seed."""


@cache
def architecture(file: str, sha256: str, name: str) -> type[nn.Module]:
    """Run the file, relative to the workspace or absolute, and return its class. Once per process and content.

    Raises InputError, one line, for a file that is gone or does not have this SHA-256, code that fails, and a name that
    is not that of an `nn.Module`.
    """
    path = WORKSPACE / file
    try:
        text = path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", where=file) from None
    if hashlib.sha256(text).hexdigest() != sha256:
        raise InputError("was changed since the training was asked for", where=file, todo="run again")
    module = ModuleType(f"own_model_{sha256[:16]}")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module  # dataclasses and annotations look their module up
    try:
        exec(compile(text, str(path), "exec"), module.__dict__)
    except (Exception, SystemExit) as error:
        del sys.modules[module.__name__]
        raise InputError(f"running it ends in {in_words(error)}", where=file) from None
    found = getattr(module, name, None)
    if not (isinstance(found, type) and issubclass(found, nn.Module)):
        raise InputError(f"{name} is no torch.nn.Module", where=file)
    return found


def in_words(error: BaseException) -> str:
    """The kind of an error and the first line that it says."""
    line = next(iter(str(error).splitlines()), "")
    return f"{type(error).__name__}: {line}" if line else type(error).__name__


class OwnModel(nn.Module):
    """The class `name` of `file`, made by `Class(widths, outputs, **options)`.

    `code` is SHA-256 by path, of the file and of the library files that it runs: as an argument it is part of what
    identifies a training, and the file must have its own. `widths` are the feature widths by modality.

    What the model draws in training, for example for `nn.Dropout`, comes from torch's global stream, which is seeded
    here for each minibatch from the run's own (`lib.models.dropout`): so the bits do not depend on what else the
    process has drawn, and an interrupted training goes on with those it would have had.
    """

    stackable = False  # nobody knows whether its code can be batched over models

    def __init__(
        self,
        file: str,
        name: str,
        code: Mapping[str, str],
        widths: Mapping[str, int],
        outputs: int,
        options: Mapping[str, object],
    ):
        super().__init__()
        self.source = (file, code[file], name)
        made = architecture(*self.source)
        with torch.device("cpu"):  # also where all others are built without memory: not every constructor bears that
            self.model = made(dict(widths), outputs, **options)
        self.coins = Dropout(0.5)

    def __reduce__(self) -> tuple:
        """For a process that has not run the file: it does so before anything refers to a class in it by its name."""
        return _blank, (type(self), self.source), self.__dict__

    def forward(self, **inputs: Float[Tensor, "batch steps width"]) -> Float[Tensor, "batch outputs"]:
        return self._asked(self.model, inputs)

    def _asked(self, method: Callable, inputs: Mapping[str, Tensor]):
        if not self.training:
            return method(**inputs)
        with self._seeded(next(iter(inputs.values())).device):
            return method(**inputs)

    @contextmanager
    def _seeded(self, device: torch.device) -> Iterator[None]:
        """Within the block torch's global streams are seeded by so many tosses of the run's coins."""
        tosses = self.coins(torch.ones(COINS, device=device)) > 0
        seed = sum(1 << bit for bit, heads in enumerate(tosses.tolist()) if heads)
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            torch.manual_seed(seed)
            yield


def _blank(wrapper: type[OwnModel], source: tuple[str, str, str]) -> OwnModel:
    architecture(*source)
    return wrapper.__new__(wrapper)


class OwnModelOfTerms(OwnModel):
    """One that also says what each modality adds to its outputs: `lib.models.by_modality.OwnOutputs`."""

    def by_modality(
        self, **inputs: Float[Tensor, "batch steps width"]
    ) -> tuple[Float[Tensor, "batch outputs"], dict[str, Float[Tensor, "batch outputs"]]]:
        return self._asked(self.model.by_modality, inputs)


class OwnModelOfEncoders(OwnModelOfTerms):
    """One with an encoder per modality before linear layers alone: `lib.models.by_modality.OwnEncoders`."""

    def encoder_parameters(self) -> dict[str, list[nn.Parameter]]:
        return self.model.encoder_parameters()


def wrapper(made: type[nn.Module]) -> type[OwnModel]:
    """Which of these a person's class becomes: strategies ask a class what it has methods for."""
    if issubclass(made, OwnEncoders):
        return OwnModelOfEncoders
    return OwnModelOfTerms if issubclass(made, OwnOutputs) else OwnModel
