"""Peak memory of preprocessing and of an epoch does not depend on how much data there is, only on how many names."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SMALL, LARGE = 60, 460
PER_UTTERANCE = 0.02
"""MiB that ids, texts, labels and hashes may take; the decoded sound alone has 0.125."""


def measured(utterances: int, folder: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "tests.data.memory_at_scale", str(utterances), str(folder)]
    root = Path(__file__).resolve().parents[3]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True, timeout=600)
    return json.loads(done.stdout)


@pytest.mark.slow
def test_peak_memory_does_not_grow_with_the_data(tmp_path):
    small, large = measured(SMALL, tmp_path / "small"), measured(LARGE, tmp_path / "large")
    assert large["audio"] - small["audio"] > 0.12 * (LARGE - SMALL)
    for stage in ("prepared", "epoch"):
        grown = (large[stage] - large["start"]) - (small[stage] - small["start"])
        assert grown < PER_UTTERANCE * (LARGE - SMALL) + 4, f"{stage}: {small} to {large}"
