"""The comparisons of `tests/parity` with the reference vectors, computed on the device."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from pathlib import Path
from unittest.mock import patch

import torch
from torch import Tensor

from benchmarks.gpu.cells import Cell, Row, Setting
from benchmarks.gpu.families import EXACT, arithmetic

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests" / "parity" / "golden"
DTYPES = (torch.float64, torch.float32)
CHECKS = {
    ("colearning", ("bieflstm", "mfn", "eflstm")): ("test_colearning_models", "check_module", DTYPES),
    ("emotion_embeddings", ("eea", "ef", "lf", "eflf", "ts", "transformer", "mult")): (
        "test_emotion_embeddings_models",
        "check_model",
        DTYPES,
    ),
    ("lmf", ("lmf", "tfn", "opt")): ("test_low_rank_fusion_models", "check_model", DTYPES),
    ("mme2e", ("mme2e",)): ("test_mme2e_models", "check_dense_model", None),
    ("mme2e", ("lf_rnn", "lf_transformer")): ("test_mme2e_models", "check_baseline", None),
    ("mme2e", ("sparse",)): ("test_mme2e_models", "check_sparse_model", ("gathered", "masked")),
    ("spcl", ("late_fusion", "mmgcn", "mm_dfn", "dialogue_gcn", "biddin")): (
        "test_spcl_backbones",
        "check_backbone",
        None,
    ),
}
"""By topic and kinds of files: module of `tests/parity`, its function, and what that is called with beside the file.

Those with None compute in float64 and know no other type; `agreement` compares these families in float32.
"""


def cells(setting: Setting) -> list[Cell]:
    """One per file and type; in the quick mode one of every kind, of small widths."""
    reference, found, seen = import_module("tests.parity.reference"), [], set()
    paths = sorted(GOLDEN.rglob("*.npz"))
    for path in sorted(paths, key=lambda path: "fullwidth" in path.stem) if setting.quick else paths:
        topic, kind = reference.kind_of(path) or ("", "")
        for (its_topic, kinds), (module, name, options) in CHECKS.items():
            if topic != its_topic or kind not in kinds or (setting.quick and (topic, kind) in seen):
                continue
            seen.add((topic, kind))
            for option in options or (torch.float64,):
                words = str(option).removeprefix("torch.")
                key = {
                    "vectors": f"{topic}/{path.stem}",
                    "computed in": words if options != ("gathered", "masked") else f"float64, {words}",
                }
                extra = (option,) if options else ()
                found.append(Cell(key, partial(compare, path, module, name, extra, setting.device)))
    return found


def compare(path: Path, module: str, name: str, extra: tuple[object, ...], device: str) -> Row:
    """Whether every stored number is met within what rounding does; if not, the first that is not, and by how much."""
    reference = import_module("tests.parity.reference")
    check: Callable[..., None] = getattr(import_module(f"tests.parity.{module}"), name)
    with on_device(device):
        try:
            check(reference.load_vectors(path), *extra)
        except AssertionError as error:
            return {"within rounding": "no", "what is off": " ".join(str(error).split())[:200]}
    return {"within rounding": "yes", "what is off": ""}


@contextmanager
def on_device(device: str) -> Iterator[None]:
    """Within the block the vectors' tensors, and what is made without naming a device, lie there; exact product."""
    vectors = import_module("tests.parity.reference").Vectors
    usual = vectors.tensor

    def tensor(self: object, key: str, dtype: torch.dtype | None = None) -> Tensor:
        return usual(self, key, dtype).to(device)

    with patch.object(vectors, "tensor", tensor), torch.device(device), arithmetic(EXACT):
        yield
