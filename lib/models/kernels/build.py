"""Builds the compiled loops: `./run_all.sh kernels`. Needs a C++ compiler; a quarter of a minute.

The compiler is called with our flags and a bare environment, so that CXX, CFLAGS, CPATH or TORCH_EXTENSIONS_DIR of the
user's have no part in what comes out. The library is tried against the Python loops before it gets its name, and gets
it in one step: of two that build at once, both are right.
"""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from unittest.mock import patch

import torch

from lib.errors import InputError
from lib.models import kernels
from lib.models.gated_memory import _GatedMemory
from lib.models.lstm_steps import _LSTMSteps

COMPILERS = ("c++", "g++", "clang++")


INSTEAD = "or go on with the loops in Python, as before"


def main() -> int:
    """Build unless it is done. Raises what `build` does."""
    print("compiled loops:", "already there" if kernels.built() else f"built in {build().parent}")
    return 0


def build() -> Path:
    """The library, built, tried and put in its place.

    Raises InputError without a compiler, or if what it makes cannot be loaded or gives other bits; OSError where
    nothing can be written.
    """
    compiler = next(filter(None, map(shutil.which, COMPILERS)), None)
    if compiler is None:
        raise InputError("no C++ compiler", where="PATH", todo=f"install one of {', '.join(COMPILERS)}, {INSTEAD}")
    place = kernels.folder()
    place.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place, prefix=".building-") as scratch:
        made = Path(scratch) / "loops.so"
        _compile(compiler, made)
        try:
            loops = kernels.load(made)
        except (OSError, RuntimeError) as error:
            raise _unusable(compiler, f"its library cannot be loaded: {str(error).splitlines()[0]}") from None
        if not same_bits(loops):
            raise _unusable(compiler, "its loops give other bits than Python's")
        target = place / kernels.file_name(made.read_bytes())
        made.replace(target)
    kernels.built.cache_clear()
    return target


def _compile(compiler: str, target: Path) -> None:
    root = Path(torch.__file__).parent
    headers = [root / "include", root / "include" / "torch" / "csrc" / "api" / "include"]
    command = [compiler, *kernels.FLAGS, *(part for path in headers for part in ("-isystem", path)), kernels.SOURCE]
    command += ["-o", target, f"-L{root / 'lib'}", "-lc10", "-ltorch_cpu", "-ltorch"]
    bare = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    done = subprocess.run(command, env=bare, capture_output=True, text=True)
    if done.returncode:
        said = next((line for line in done.stderr.splitlines() if "error" in line), f"exit code {done.returncode}")
        raise _unusable(compiler, said)


def _unusable(compiler: str, why: str) -> InputError:
    return InputError(why, where=compiler, todo=f"try another compiler of {', '.join(COMPILERS)}, {INSTEAD}")


def same_bits(loops: object) -> bool:
    """Whether outputs and gradients of both loops are those of Python, to the bit, on this machine."""
    return all(_of(case, loops) == _of(case, None) for case in (_lstm, _memory))


def _of(case, loops: object) -> list[bytes]:
    with patch.object(kernels, "built", lambda: loops):
        return [tensor.detach().numpy().tobytes() for tensor in case()]


def _lstm() -> list[torch.Tensor]:
    shapes = ((2, 5, 7, 3), (2, 44, 3), (2, 44, 11), (2, 44), (2, 7, 11), (2, 7, 11))
    return _through(_LSTMSteps, shapes, outputs=2)


def _memory() -> list[torch.Tensor]:
    shapes = ((2, 5, 7, 9), (2, 5, 7, 24), (2, 5, 7, 24), (2, 24, 9), (2, 9, 13), (2, 9), (2, 9, 11), (2, 9))
    return _through(_GatedMemory, shapes, outputs=1)


def _through(function: type, shapes: tuple, outputs: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    given = [torch.randn(shape, generator=generator).requires_grad_() for shape in shapes]
    found = function.apply(*given)[:outputs]
    sum((out * out).sum() for out in found).backward()
    return [*found, *(t.grad for t in given if t.grad is not None)]
