"""Where every random choice of a run comes from.

`SeededStreams` derives an independent generator from `(seed, purpose, epoch)`, so a run's choices depend neither on
the runs beside it nor on interruptions. `ReplayStreams` consumes the three global-style generators (Python, NumPy,
torch) in the order of the published code, run after run (spec colearning, section 6 and quirk 10).
"""

import hashlib
import json
import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

from lib.models.dropout import dropout_noise, generator_noise


def derived_seed(seed: int, *purpose: object) -> int:
    """A 63-bit seed for one purpose; equal inputs give equal seeds on every platform."""
    text = "/".join(str(part) for part in (seed, *purpose))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


class SeededStreams:
    """Independent streams for one run."""

    resumable = True

    def __init__(self, seed: int):
        self.seed = seed
        self._modality = np.random.default_rng(0)

    @contextmanager
    def session(self) -> Iterator[None]:
        """Surrounds one training run; leaves the global generators as they were."""
        with torch.random.fork_rng(devices=[]):
            yield

    def permutation(self, n: int, epoch: int | None = None) -> np.ndarray:
        """The order of the `n` training samples: once per run, or once per epoch."""
        purpose = ("order",) if epoch is None else ("order", epoch)
        return np.random.default_rng(derived_seed(self.seed, *purpose)).permutation(n)

    @contextmanager
    def initial_weights(self) -> Iterator[None]:
        """Within the block, torch's initialisers draw this run's initial weights (on the CPU, for any device)."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derived_seed(self.seed, "initial weights"))
            yield

    def start_epoch(self, epoch: int) -> None:
        """Choices of an epoch do not depend on how the epochs before it were run."""
        self._modality = np.random.default_rng(derived_seed(self.seed, "modality dropout", epoch))
        self._epoch = epoch
        self._noise_seed, self._noise_state = derived_seed(self.seed, "element dropout", epoch), None

    @contextmanager
    def element_dropout(self, device: torch.device) -> Iterator[None]:
        """Within the block, element dropout draws this epoch's noise."""
        self._noise = self.noise_generator(device)
        with dropout_noise(generator_noise(self._noise)):
            yield

    def position(self) -> dict[str, str | torch.Tensor]:
        """Where the choices of the epoch stand, within `element_dropout`."""
        return {"modality": json.dumps(self._modality.bit_generator.state), "noise": self._noise.get_state()}

    def continue_from(self, position: dict[str, str | torch.Tensor]) -> None:
        """Go on from `position()`, after `start_epoch` with the same epoch."""
        self._modality.bit_generator.state = json.loads(position["modality"])
        self._noise_state = position["noise"]

    def noise_generator(self, device: torch.device) -> torch.Generator:
        """The source of this epoch's element dropout, at its beginning or where it was interrupted."""
        generator = torch.Generator(device).manual_seed(self._noise_seed)
        return generator if self._noise_state is None else generator.set_state(self._noise_state)

    def gradient_noise(self, batch: int, device: torch.device) -> torch.Generator:
        """The source of noise for the gradients of this minibatch of the epoch."""
        return torch.Generator(device).manual_seed(derived_seed(self.seed, "gradient noise", self._epoch, batch))

    def uniform(self, size: int | None = None) -> float | np.ndarray:
        """Uniform draws in [0, 1) for modality dropout."""
        return self._modality.uniform(size=size)


class ReplayStreams:
    """The reference's streams: one seeding, then one training call after another without reseeding."""

    resumable = False

    def __init__(self, seed: int):
        self._python = random.Random(seed)
        self._numpy = np.random.RandomState(seed)
        self._torch = torch.Generator().manual_seed(seed).get_state()

    @contextmanager
    def session(self) -> Iterator[None]:
        """Surrounds one training run; the torch stream continues where the run before it ended."""
        with torch.random.fork_rng(devices=[]):
            torch.set_rng_state(self._torch)
            yield
            self._torch = torch.get_rng_state()

    def permutation(self, n: int, epoch: int | None = None) -> np.ndarray:
        return self._numpy.permutation(n)

    @contextmanager
    def initial_weights(self) -> Iterator[None]:
        yield
        self._python.randint(0, 100000)  # the reference's file-name suffix, drawn after construction

    def start_epoch(self, epoch: int) -> None:
        """Nothing: the streams run on."""

    @contextmanager
    def element_dropout(self, device: torch.device) -> Iterator[None]:
        yield  # torch's global stream, as in the reference

    def gradient_noise(self, batch: int, device: torch.device) -> None:
        """None stands for torch's global stream."""

    def uniform(self, size: int | None = None) -> float | np.ndarray:
        if size is None:
            return self._python.uniform(0, 1)
        return np.array([self._python.uniform(0, 1) for _ in range(size)])


Streams = SeededStreams | ReplayStreams
