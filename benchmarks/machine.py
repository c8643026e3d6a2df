"""What the numbers were measured on, and how fast it multiplies matrices."""

import os
import platform
import statistics
from concurrent.futures import ThreadPoolExecutor

import torch
from joblib import cpu_count

from benchmarks.timing import duration, threads
from lib.reporting.manifest import device_name, processor

SIZE = 1024


def description() -> dict[str, object]:
    """Enough to compare two machines; no name of the machine itself."""
    return {
        "processor": processor(),
        "cores": cores(),
        "GPU": device_name("cuda") if torch.cuda.is_available() else None,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "torch": torch.__version__,
        "vector instructions": torch.backends.cpu.get_cpu_capability(),
        "load average before": round(os.getloadavg()[0], 2),
    }


def cores() -> int:
    """Cores that this process may use."""
    return cpu_count()


def matmul_rate(device: str, dtype: torch.dtype = torch.float32, rounds: int = 5) -> float:
    """Floating-point operations per second of a large product with one thread, or on a GPU; the median round."""
    size = SIZE if device == "cpu" else 8 * SIZE
    a, b = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
    with threads(1):
        a @ b
        return 2 * size**3 / statistics.median(duration(lambda: a @ b) for _ in range(rounds))


def joint_matmul_rate(workers: int, rounds: int = 5) -> float:
    """The same for `workers` one-thread products side by side, summed: what the cores do when all are busy."""
    with ThreadPoolExecutor(workers) as pool:
        return sum(pool.map(lambda _: matmul_rate("cpu", rounds=rounds), range(workers)))
