"""Dropout whose noise can be given from outside.

A model that trains beside others must get the same masks as when it trains alone, and a run that was interrupted
the same masks as one that was not. So the uniform numbers behind a mask come from a source that the training loop
chooses: a generator of this member, or numbers drawn beforehand.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

NoiseSource = Callable[[Tensor], Tensor]
"""Takes the activations and returns uniform numbers in [0, 1) of the same shape and device."""

_noise: ContextVar[NoiseSource | None] = ContextVar("dropout_noise", default=None)


@contextmanager
def dropout_noise(source: NoiseSource) -> Iterator[None]:
    """Within the block, every `Dropout` takes its uniform numbers from `source`, in the order of the calls."""
    token = _noise.set(source)
    try:
        yield
    finally:
        _noise.reset(token)


def generator_noise(generator: torch.Generator) -> NoiseSource:
    """A source that draws from one generator (which must live on the activations' device)."""
    return lambda x: torch.rand(x.shape, generator=generator, device=x.device, dtype=torch.float32)


class Dropout(nn.Module):
    """Zero each element with probability `p` in training mode and scale the others by `1 / (1 - p)`.

    Without a surrounding `dropout_noise` it is `torch.nn.Dropout`, global random stream included: the replay of a
    published run depends on that. `p` may be replaced by a 0-d tensor, so that members of a fleet can differ in it.
    """

    def __init__(self, p: float = 0.5):
        super().__init__()
        if not 0.0 <= p < 1.0:
            raise ValueError(f"dropout probability {p} is outside [0, 1)")
        self.p = p

    def forward(self, x: Tensor, as_factors: bool = False) -> Tensor:
        """`x` with dropout, or what it would be multiplied by."""
        if not self.training:
            return torch.ones_like(x) if as_factors else x
        source = _noise.get()
        if source is None:
            return F.dropout(torch.ones_like(x) if as_factors else x, self.p, training=True)
        if self._nothing_dropped:
            return torch.ones_like(x) if as_factors else x
        kept = source(x) >= self.p
        return (kept.to(x.dtype) if as_factors else x * kept) / (1.0 - self.p)

    def factors(self, x: Tensor) -> Tensor | None:
        """What `forward` would multiply `x` by, 0 or `1 / (1 - p)`, from the same numbers; None for nothing."""
        if not self.training:
            return None
        factors = self(x, as_factors=True)  # called in any case: a fleet counts the calls beforehand
        return None if self._nothing_dropped else factors

    @property
    def _nothing_dropped(self) -> bool:
        return isinstance(self.p, float | int) and self.p == 0

    def extra_repr(self) -> str:
        return f"p={self.p}"
