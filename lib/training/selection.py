"""Which epoch to keep, and when to stop, from one validation loss per epoch."""

import math
from typing import Literal

Ties = Literal["later", "earlier"]


class Selection:
    """The epoch with the lowest validation loss so far.

    Of equal losses the `ties` one is kept: `later` in the co-learning scripts (spec colearning, section 6),
    `earlier` in the LMF scripts, where only a strictly smaller loss is an improvement (spec low_rank_fusion,
    section 6). Training stops after `patience` epochs in a row without an improvement (None: never). A NaN is no
    improvement; with `abandon_on_nan` it also stops the run, and nothing of it is to be evaluated or reported. Epochs
    count from 0; `best_epoch` is -1 before the first improvement.
    """

    def __init__(self, patience: int | None = None, *, ties: Ties = "earlier", abandon_on_nan: bool = False):
        self.patience, self.ties, self.abandon_on_nan = patience, ties, abandon_on_nan
        self.epochs = 0
        self.best_epoch = -1
        self.best_value = math.inf
        self.abandoned = False

    @property
    def stop(self) -> bool:
        if self.abandoned:
            return True
        return self.patience is not None and self.epochs - 1 - self.best_epoch >= self.patience

    def update(self, value: float) -> bool:
        """Take this epoch's validation loss (or a NaN training loss); whether it is the best so far."""
        improved = value < self.best_value or (self.ties == "later" and value == self.best_value < math.inf)
        if improved:
            self.best_epoch, self.best_value = self.epochs, value
        self.abandoned |= self.abandon_on_nan and math.isnan(value)
        self.epochs += 1
        return improved

    def state(self) -> dict[str, float | bool]:
        """Plain values for a checkpoint."""
        return {name: getattr(self, name) for name in ("epochs", "best_epoch", "best_value", "abandoned")}

    def restore(self, state: dict[str, float | bool]) -> None:
        """Go on from `state()`."""
        for name, value in state.items():
            setattr(self, name, value)
