"""A modality that is not there: zeros that are stored once.

Dropped and withheld modalities are zeros of the full shape (spec colearning, sections 3 and 4.3). As one expanded
number they need no memory, and a model that knows them can leave out the work on them: products with zeros.
"""

import torch
from torch import Tensor


def absent_like(x: Tensor) -> Tensor:
    """Zeros of the shape of `x`; not to be written to."""
    return x.new_zeros(()).expand(x.shape)


def is_absent(x: Tensor) -> bool:
    """Whether `x` was made by `absent_like`. Always False on a GPU, where reading the number would stall it."""
    return x.device.type == "cpu" and not any(x.stride()) and x.numel() > 1 and not torch.any(x[(0,) * x.ndim])
