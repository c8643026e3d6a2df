"""The tables, the most valuable first, with their parts of the time."""

from benchmarks.gpu import agreement, compiled, parity, scores, training
from benchmarks.gpu.cells import Table

ALL = (
    Table("parity", "Parity", "The comparisons of `tests/parity` with the reference vectors.", 3, parity.cells),
    Table(
        "epochs",
        "Every model",
        "Training of the named unit. `float32` is torch's default, where cuDNN's convolutions and recurrent layers "
        "multiply in TF32 and nothing else does; `tf32` allows it in all products; `bfloat16` is that `precision` of a "
        "recipe.",
        4,
        training.epoch_cells,
    ),
    Table("grids", "Grids of 40 members", "Three epochs at paper size, every member trained.", 3, training.grid_cells),
    Table(
        "published",
        "A published grid",
        "Co-learning, 40 runs of 50 epochs on a stand-in of CMU-MOSI's size.",
        3,
        training.published_cells,
    ),
    Table(
        "members",
        "Growth in members",
        "An epoch of all members. Every training that can be stacked runs as a fleet on a GPU, one alone as a fleet of "
        "one: its whole step is replayed as a CUDA graph (`lib/training/device_graph.py`). The plain loop has none.",
        3,
        training.member_cells,
    ),
    Table(
        "agreement",
        "Distance from float64",
        "Relative L2 distance from float64 on the CPU of a minibatch's answers and gradients, without dropout. "
        "`exact float32` has no TF32 at all, as the parity above.",
        2,
        agreement.cells,
    ),
    Table("scores", "Scores in lower precision", "The quick MOSI-like grid, test set.", 1, scores.cells),
    Table("compiled", "torch.compile", "Forward and backward pass of a minibatch, float32.", 1, compiled.cells),
)
BY_NAME = {table.name: table for table in ALL}
