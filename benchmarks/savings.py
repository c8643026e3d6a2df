"""Work that is left out without changing results, each against the full computation in the same process."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from benchmarks.conversations import corpus, lengths, parameters
from benchmarks.fusion import CASES, TINY
from benchmarks.plain_dialogue_rnn import PlainDialogueRNN
from benchmarks.speed import Row
from benchmarks.timing import alternate, processor_duration, threads, times_faster
from lib.models.dialogue_rnn import DialogueRNN
from lib.models.dropout import dropout_noise, generator_noise
from lib.models.handcrafted_baselines import LFRNN
from lib.models.recurrent import LSTM
from lib.papers.self_paced_balance import study as self_paced
from lib.training.adam import Adam

WIDTHS = {"text": 300, "audio": 144, "video": 35}
"""Of IEMOCAP's hand-crafted features (spec end_to_end, 5.7), and so of LF-RNN's networks."""


class WholeOutput(LFRNN):
    """LF-RNN that reads the last step of a text output computed in full."""

    def _vector(self, modality: str, x: Tensor, lengths: Tensor | None) -> Tensor:
        if modality != "text":
            return super()._vector(modality, x, lengths)
        return self.rnns["t"](x)[0][:, -1]


def pairs(before: Callable[[], object], now: Callable[[], object], rounds: int) -> Row:
    """Processor milliseconds of each and the ratio of every pair, the order changing from pair to pair."""
    found = alternate({"before": before, "now": now}, rounds, clock=processor_duration)
    ratios = times_faster(found["before"], found["now"])
    return {
        "pairs": rounds,
        "before_ms": 1e3 * found["before"].median,
        "now_ms": 1e3 * found["now"].median,
        "times faster": ratios["times faster"],
        "least": ratios["low"],
        "most": ratios["high"],
    }


def _training_step(model: nn.Module, features: dict[str, Tensor]) -> Callable[[], None]:
    def step() -> None:
        model.zero_grad()
        model(**features).square().sum().backward()

    return step


def _recurrent(quick: bool) -> Iterator[Row]:
    """Forward and backward of a minibatch, all modalities and text alone."""
    widths = {m: w // 20 for m, w in WIDTHS.items()} if quick else WIDTHS
    time_steps, batch = (3, 2) if quick else (50, 32)
    for modalities in (tuple(widths), ("text",)):
        torch.manual_seed(0)
        models = [kind({m: widths[m] for m in modalities}) for kind in (WholeOutput, LFRNN)]
        models[1].load_state_dict(models[0].state_dict())
        features = {m: torch.randn(batch, time_steps, widths[m]) for m in modalities}
        torch.testing.assert_close(models[0](**features), models[1](**features))
        yield (
            {"saving": "one reverse step of LSTM", "of": f"LF-RNN step, {', '.join(modalities)}"}
            | pairs(*(_training_step(model, features) for model in models), rounds=3 if quick else 15)
        )


def _adam(quick: bool) -> Iterator[Row]:
    """Twenty updates from fixed gradients, of two models whose updates are small."""
    models = {name: case.model for name, case in (TINY if quick else CASES).items() if name == "LMF"}
    built = {name: spec.build for name, spec in models.items()} | {"two-layer LSTM": lambda: LSTM(40, 32, 2)}
    for name, build in built.items():
        optimisers = []
        for kind in (torch.optim.Adam, Adam):
            torch.manual_seed(0)
            model = build()
            for parameter in model.parameters():
                parameter.grad = torch.randn_like(parameter)
            optimisers.append(kind(model.parameters(), fused=True))

        def updates(optimiser: torch.optim.Optimizer) -> Callable[[], None]:
            return lambda: [optimiser.step() for _ in range(2 if quick else 20)] and None

        count = len(optimisers[0].param_groups[0]["params"])
        yield (
            {"saving": "Adam's lists kept", "of": f"20 updates, {name}, {count} parameters"}
            | pairs(*map(updates, optimisers), rounds=3 if quick else 30)
        )


def _conversation(quick: bool) -> Iterator[Row]:
    """Forward and backward of a minibatch of dialogues, with the dropout that training draws."""
    p = parameters(quick)
    whole = corpus([n // 10 + 1 for n in lengths(4)] if quick else lengths(16), p.widths)
    batch = whole.batches("train").take(slice(None))
    spec = self_paced.member(p, whole, 12, "biddin", "atv", spcl=False).model
    calls = []
    for kind in (PlainDialogueRNN, DialogueRNN):
        torch.manual_seed(0)
        model = spec.build()
        model.recurrence.__class__ = kind  # with the same weights

        def step(model: nn.Module = model) -> float:
            model.zero_grad()
            with dropout_noise(generator_noise(torch.Generator().manual_seed(0))):
                output = model(**batch.inputs)[0].square().sum()
            output.backward()
            return output.item()

        calls.append(step)
    torch.testing.assert_close(*(torch.tensor(call()) for call in calls))
    size = f"{len(batch)} dialogues, {len(batch.targets)} utterances"
    yield {"saving": "written-out recurrence", "of": f"BiDDIN step, {size}"} | pairs(*calls, rounds=3 if quick else 15)


def savings(quick: bool) -> Iterator[Row]:
    """What each saving is worth, on one thread."""
    with threads(1):
        yield from _recurrent(quick)
        yield from _conversation(quick)
        yield from _adam(quick)
