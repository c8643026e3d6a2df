"""Which rows of a transformer's result are read, so that its last layer computes no others.

A *row* is the state of one position. In the layers before the last every row is needed, as keys and values of the
next one; the last layer still takes its keys and values from every row, but its queries, output projection,
feed-forward part and norms from the rows that are read. What is read is the same up to rounding, and so are the
gradients. In training the last layer draws its dropout for the read rows alone: another part of the random stream
than a layer that computes all rows.
"""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn

EVERY = slice(None)
FIRST = slice(0, 1)
LAST = slice(-1, None)


def through(
    layers: Sequence[nn.Module] | nn.ModuleList, x: Float[Tensor, "batch time width"], rows: slice, *context: object
) -> Float[Tensor, "batch rows width"]:
    """The rows `rows` of `x` after all layers, each called as `layer(x, *context, rows)`."""
    layers = list(layers)
    for layer in layers[:-1]:
        x = layer(x, *context, EVERY)
    return layers[-1](x, *context, rows) if layers else x[..., rows, :]
