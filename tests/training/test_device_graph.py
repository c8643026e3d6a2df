"""Recording a step and falling back to calling it, without a GPU: the recorder is stood in for."""

import pytest
import torch

from lib.training import device_graph
from lib.training.device_graph import WARM_UP, Captured

CUDA = torch.device("cuda")


class Recording:
    def __init__(self, program):
        self.program, self.replays = program, 0
        self.output = torch.zeros(())

    def replay(self):
        self.replays += 1
        self.output.copy_(self.program())


@pytest.fixture
def counter(monkeypatch):
    """A program that counts its calls."""
    monkeypatch.setattr(device_graph, "aside", lambda program: program())
    calls = torch.zeros(())
    return lambda: calls.add_(1).clone()


def test_on_a_cpu_the_program_is_called(counter, monkeypatch):
    monkeypatch.setattr(device_graph, "record", lambda program: pytest.fail("recorded on a CPU"))
    program = Captured(counter, torch.device("cpu"))
    assert [program().item() for _ in range(WARM_UP + 3)] == list(range(1, WARM_UP + 4))
    assert program.state == "called"


def test_after_warming_up_the_recording_is_replayed_and_no_call_is_lost(counter, monkeypatch):
    recordings = []

    def record(program):
        recordings.append(Recording(program))
        return recordings[-1], recordings[-1].output

    monkeypatch.setattr(device_graph, "record", record)
    program = Captured(counter, CUDA)
    found = [program() for _ in range(WARM_UP + 3)]
    assert [value.item() for value in found] == list(range(1, WARM_UP + 4))
    assert program.state == "replayed"
    assert [r.replays for r in recordings] == [3]


def test_a_failed_recording_is_tried_once_and_then_the_program_is_called(counter, monkeypatch):
    attempts = []

    def record(program):
        attempts.append(program)
        raise RuntimeError("operation not permitted when stream is capturing\nmore")

    monkeypatch.setattr(device_graph, "record", record)
    program = Captured(counter, CUDA)
    found = [program().item() for _ in range(WARM_UP)]
    with pytest.warns(
        UserWarning, match=r"no CUDA graph, calls one by one: operation not permitted when .* capturing$"
    ):
        found.append(program().item())
    found += [program().item() for _ in range(2)]
    assert found == list(range(1, WARM_UP + 4))
    assert program.state == "called"
    assert len(attempts) == 1
