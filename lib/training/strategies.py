"""What papers add to a plain training loop."""

from collections.abc import Iterable, Mapping

import numpy as np
import torch
from torch import Tensor

from lib.absence import absent_like
from lib.training.recipe import ModalityDropoutSpec
from lib.training.streams import Streams


def dropped(draw: float | np.ndarray, rate: float) -> bool | np.ndarray:
    """Whether a draw drops a modality: the comparison is inclusive (spec colearning, section 3)."""
    return draw <= rate


class ModalityDropout:
    """Replace whole modalities by zeros in training minibatches, without rescaling the others.

    `draw="minibatch"` is the published method: one number per minibatch serves all modalities, so equal rates drop
    them together and unequal rates give nested events. `"sample"` draws per sample, `"modality"` per minibatch and
    modality. A number is drawn even when all rates are 0, as in the reference. None drops and draws nothing.
    """

    def __init__(self, spec: ModalityDropoutSpec | None):
        self.spec = spec

    def on_batch(self, inputs: Mapping[str, Tensor], streams: Streams) -> dict[str, Tensor]:
        """New inputs for this minibatch; the given tensors are not written to."""
        if self.spec is None:
            return dict(inputs)
        drops = self.drops(inputs, len(next(iter(inputs.values()))), streams)
        return {m: _zeroed(x, drops[m]) for m, x in inputs.items()}

    def drops(self, modalities: Iterable[str], n: int, streams: Streams) -> dict[str, bool | np.ndarray]:
        """What a minibatch of `n` samples loses: by modality one answer, or with `draw="sample"` one per sample."""
        if self.spec is None:
            return dict.fromkeys(modalities, False)
        if self.spec.draw == "modality":
            draws = {m: streams.uniform() for m in modalities}
        else:
            draws = dict.fromkeys(modalities, streams.uniform(n if self.spec.draw == "sample" else None))
        return {m: dropped(draw, self.spec.rates.get(m, 0.0)) for m, draw in draws.items()}


def _zeroed(x: Tensor, drop: bool | np.ndarray) -> Tensor:
    if isinstance(drop, np.ndarray):
        rows = torch.from_numpy(drop).to(x.device).reshape(-1, *[1] * (x.ndim - 1))
        return x.masked_fill(rows, 0.0)
    return absent_like(x) if drop else x
