"""The tables, the most valuable first, with their parts of the time."""

from benchmarks.gpu import agreement, compiled, parity, scores, training
from benchmarks.gpu.cells import Table

ALL = (
    Table("parity", "Parity", "The comparisons of `tests/parity` with the reference vectors.", 3, parity.cells),
    Table("epochs", "Every model", "Training of the named unit, exact float32 first.", 4, training.epoch_cells),
    Table("grids", "Grids of 40 members", "Three epochs at paper size, every member trained.", 3, training.grid_cells),
    Table(
        "published",
        "A published grid",
        "Co-learning, 40 runs of 50 epochs on a stand-in of CMU-MOSI's size.",
        3,
        training.published_cells,
    ),
    Table("members", "Growth in members", "An epoch of all members.", 3, training.member_cells),
    Table(
        "agreement",
        "Distance from float64",
        "Relative L2 distance from float64 on the CPU of a minibatch's answers and gradients, without dropout.",
        2,
        agreement.cells,
    ),
    Table("scores", "Scores in lower precision", "The quick MOSI-like grid, test set.", 1, scores.cells),
    Table("compiled", "torch.compile", "Forward and backward pass of a minibatch, float32.", 1, compiled.cells),
)
BY_NAME = {table.name: table for table in ALL}
