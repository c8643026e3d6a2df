"""Many members of one architecture trained as one stacked program (DESIGN, section 5).

Members advance step by step together, but share nothing except the calls: each has its weights, optimiser, sample
order, dropout numbers, schedule, early stop and best epoch, and gets the result that the plain loop gives it. They may
differ in everything that changes no shape; `stack_key` says what must be equal.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.func import functional_call, vmap

from lib.data.batches import Examples
from lib.models.recurrent import stackable
from lib.training.device_graph import Captured
from lib.training.fleet_noise import DropoutSites, given_noise
from lib.training.loop import autocast, evaluate, minibatches, update
from lib.training.recipe import Member
from lib.training.run import Checkpoint, Outcome, Run
from lib.training.stack import Stack
from lib.training.strategies import ModalityDropout
from lib.training.streams import Streams

WORTH_COMPACTING = 0.75
"""On a GPU, where a smaller stack must be recorded anew, finished members leave when at most this share is left."""

USABLE = 0.5
"""Share of the free memory of a GPU for a fleet: recorded steps keep theirs to themselves, training and validation."""


def stack_key(member: Member) -> str:
    """Members with equal keys can train in one fleet: the same shapes, minibatches and arithmetic."""
    recipe = member.recipe
    arguments = {name: value for name, value in member.model.arguments.items() if "dropout" not in name}
    return repr((member.model.name, arguments, recipe.batch_size, recipe.drop_last, recipe.precision))


def train_fleet(
    members: Sequence[Member],
    splits: Mapping[str, Examples],
    streams: Sequence[Streams],
    *,
    checkpoints: Sequence[Checkpoint] | None = None,
    finished: Callable[[Member, Outcome], None] = lambda member, outcome: None,
    after_epoch: Callable[[Sequence[Run]], None] = lambda runs: None,
) -> list[Outcome]:
    """Train all members; `finished(member, outcome)` is called for each as soon as it has stopped.

    `splits` hold all modalities. Raises ValueError if there is less than one minibatch or if members cannot be
    stacked; an error in a step ends the whole fleet.
    """
    if len({stack_key(member) for member in members}) > 1:
        raise ValueError("members of different architectures or minibatches cannot be stacked")
    if any(member.recipe.by_modality for member in members):
        raise ValueError("members whose training asks for each modality's own outputs cannot be stacked")
    runs = []
    for i, (member, source) in enumerate(zip(members, streams, strict=True)):
        with source.session():
            runs.append(Run(member, splits["train"], source, checkpoints[i] if checkpoints else None))
    outcomes, fleet = [run.outcome for run in runs], Fleet(runs, splits)
    del runs  # a run that has stopped must not keep the stack that it was part of
    while True:
        for run in fleet.retire():
            finished(run.member, run.outcome)
        if not fleet.training:
            return outcomes
        fleet.train_epoch()
        after_epoch([fleet.runs[k] for k in fleet.training])


def members_that_fit(member: Member, splits: Mapping[str, Examples], streams: Streams) -> int:
    """How many such members the free memory of the GPU holds, from what one of them takes for a step."""
    device = splits["train"].targets.device
    with streams.session():
        run = Run(member, splits["train"], streams)
    before = torch.cuda.memory_allocated(device)
    torch.cuda.reset_peak_memory_stats(device)
    fleet = Fleet([run], splits)
    fleet.train_epoch()
    each = torch.cuda.max_memory_allocated(device) - before
    del run, fleet
    torch.cuda.empty_cache()
    return max(1, int(USABLE * torch.cuda.mem_get_info(device)[0] / each))


class Fleet:
    """The runs in the stack, in its order; `training` are the positions of those that have not stopped."""

    def __init__(self, runs: Sequence[Run], splits: Mapping[str, Examples]):
        self.splits, self.device = splits, splits["train"].targets.device
        if self.device.type == "cuda":
            for run in runs:
                _make_capturable(run.optimiser, self.device)
        self._stack(runs)

    def _stack(self, runs: Sequence[Run]) -> None:
        self.runs, self.training = list(runs), list(range(len(runs)))
        self.stack = Stack([run.model for run in runs])
        self.steps: dict[int, Step] = {}
        self.validation = Captured(lambda: self.outputs("valid"), self.device)

    @property
    def engine(self) -> str:
        """How the steps are executed, in words."""
        replayed = any(step.program.state == "replayed" for step in self.steps.values())
        return f"fleet on {self.device.type}{', CUDA graph' if replayed else ''}"

    def train_epoch(self) -> None:
        """One pass over the training samples, then the validation samples, for all that are still training."""
        rows = minibatches(len(self.splits["train"]), self.runs[0].recipe)
        orders = np.zeros((len(self.runs), len(self.splits["train"])), dtype=np.int64)
        for k in self.training:
            orders[k] = self.runs[k].start_epoch()
        generators = {k: s.noise_generator(self.device) for k in self.training if (s := self.runs[k].streams).resumable}
        orders, drops = torch.from_numpy(orders).to(self.device), self._drops(rows)
        losses = [
            self._step(part.stop - part.start)(orders[:, part], {m: x[i] for m, x in drops.items()}, generators)
            for i, part in enumerate(rows)
        ]
        losses, outputs = torch.stack(losses).cpu(), self.validation()
        sizes = torch.tensor([part.stop - part.start for part in rows])
        for k in self.training:
            train_loss = self.runs[k].objective.epoch_loss(losses[:, k], sizes, self.splits["train"])
            self.runs[k].end_epoch(train_loss, outputs[k], self.splits["valid"].targets)

    def retire(self) -> list[Run]:
        """The runs that have just stopped, with their outputs; they leave the stack when that is worth it."""
        now = [k for k in self.training if self.runs[k].finished]
        if tested := [k for k in now if self.runs[k].end()]:
            outputs = {name: self.outputs(name) for name in ("valid", "test")}
            for k in tested:
                self.runs[k].outcome.outputs = {name: found[k].clone() for name, found in outputs.items()}
        runs = [self.runs[k] for k in now]
        for run in runs:
            run.outcome.engine = self.engine + run.step_words
        self.training = [k for k in self.training if k not in now]
        share = 1.0 if self.device.type == "cpu" else WORTH_COMPACTING
        if now and 0 < len(self.training) <= share * len(self.runs):
            self._stack([self.runs[k] for k in self.training])
        return runs

    @torch.no_grad()
    def outputs(self, name: str) -> Float[Tensor, "member sample ..."]:
        """Every member's outputs for a held-out split, each from the modalities that it is evaluated on.

        A CPU gains nothing from stacking one large batch, so there each model is evaluated as the plain loop does.
        """
        if self.device.type == "cpu":
            split = self.splits[name]
            return torch.stack(
                [evaluate(run.model, split.only(run.member.evaluate_on), run.recipe) for run in self.runs]
            )
        return self.stacked_outputs(name)

    @torch.no_grad()
    def stacked_outputs(self, name: str) -> Float[Tensor, "member sample ..."]:
        """`outputs`, all members at once."""
        fed = [run.member.evaluate_on for run in self.runs]
        self.stack.skeleton.eval()
        if len(set(fed)) == 1:
            return self.forward(self.splits[name].only(fed[0]).inputs, shared=True)
        inputs = {}
        for m, x in self.splits[name].inputs.items():
            withheld = torch.tensor([m not in names for names in fed]).to(x.device, non_blocking=True)
            inputs[m] = x.expand(len(fed), *x.shape).masked_fill(_as_wide(withheld, x.ndim + 1), 0.0)
        return self.forward(inputs)

    def forward(
        self, inputs: Mapping[str, Tensor], sites: DropoutSites | None = None, *, shared: bool = False
    ) -> Float[Tensor, "member sample ..."]:
        """All members on inputs `(member, ...)`, or on the same inputs if `shared`."""
        skeleton = self.stack.skeleton

        def one(parameters, buffers, inputs, probabilities, noise):
            with given_noise(skeleton, probabilities, noise):
                return functional_call(skeleton, (parameters, buffers), kwargs=inputs)

        drawn = (sites.probabilities, sites.noise) if sites else ({}, [])
        with stackable():
            together = vmap(one, in_dims=(0, 0, None if shared else 0, 0, 0))
            return together(self.stack.parameters, self.stack.buffers, dict(inputs), *drawn)

    def _step(self, size: int) -> "Step":
        if size not in self.steps:
            self.steps[size] = Step(self, size)
        return self.steps[size]

    def _drops(self, rows: Sequence[slice]) -> dict[str, Bool[Tensor, "step member sample"]]:
        """Per minibatch what is zeroed: what the member is not fed, and what its modality dropout takes away.

        A shorter last minibatch uses the first columns.
        """
        modalities, width = tuple(self.splits["train"].inputs), rows[0].stop - rows[0].start
        found = {m: np.zeros((len(rows), len(self.runs), width), dtype=bool) for m in modalities}
        for k in self.training:
            member, streams = self.runs[k].member, self.runs[k].streams
            strategy = ModalityDropout(member.modality_dropout)
            for i, part in enumerate(rows):
                size = part.stop - part.start
                for m, drop in strategy.drops(modalities, size, streams).items():
                    found[m][i, k, :size] = drop | (m not in member.train_on)
        return {m: torch.from_numpy(drop).to(self.device) for m, drop in found.items()}


class Step:
    """One minibatch of every member: gather, forward, backward, update. Inputs are copied into fixed tensors."""

    def __init__(self, fleet: Fleet, size: int):
        self.fleet = fleet
        train, members = fleet.splits["train"], len(fleet.runs)
        self.sites = DropoutSites([run.model for run in fleet.runs], train.take(slice(0, size)))
        if self.sites.calls and not all(run.streams.resumable for run in fleet.runs):
            raise ValueError("a replayed random stream cannot serve element dropout in a fleet")
        self.index = torch.zeros(members, size, dtype=torch.int64, device=fleet.device)
        self.drop = {m: torch.zeros(members, size, dtype=torch.bool, device=fleet.device) for m in train.inputs}
        self.program = Captured(self._run, fleet.device)

    def __call__(
        self, index: Tensor, drop: Mapping[str, Tensor], generators: Mapping[int, torch.Generator]
    ) -> Float[Tensor, "member"]:
        """Take the minibatches at `index` (member, sample); returns the losses before the update."""
        self.index.copy_(index)
        for m, rows in drop.items():
            self.drop[m].copy_(rows[:, : index.shape[1]])
        self.sites.draw(generators)
        return self.program()

    def _run(self) -> Tensor:
        fleet, train = self.fleet, self.fleet.splits["train"]
        inputs = {m: self._gathered(m, x) for m, x in train.inputs.items()}
        fleet.stack.skeleton.train()
        with autocast(fleet.runs[0].recipe, fleet.device):
            outputs = fleet.forward(inputs, self.sites)
            each = zip(fleet.runs, outputs.unbind(), train.targets[self.index].unbind(), strict=True)
            losses = torch.stack([run.objective.loss(output, Examples({}, target)) for run, output, target in each])
        gradients = fleet.stack.gradients(losses)
        for k in fleet.training:
            run = fleet.runs[k]
            for name, parameter in run.model.named_parameters():
                parameter.grad = None if gradients[name] is None else gradients[name][k]
            update(run.model, run.optimiser, run.recipe)
        return losses.detach()

    def _gathered(self, modality: str, x: Tensor) -> Float[Tensor, "member sample ..."]:
        drop = self.drop[modality]
        batch = x.index_select(0, self.index.flatten()).unflatten(0, self.index.shape)
        if x.device.type == "cuda" or drop.any():
            batch.masked_fill_(_as_wide(drop, batch.ndim), 0.0)
        return batch


def _as_wide(mask: Tensor, dimensions: int) -> Tensor:
    return mask.reshape(*mask.shape, *[1] * (dimensions - mask.ndim))


def _make_capturable(optimiser: torch.optim.Optimizer, device: torch.device) -> None:
    """A recorded step cannot read numbers from the host, so the learning rate becomes a tensor."""
    for group in optimiser.param_groups:
        group["lr"] = torch.as_tensor(group["lr"], dtype=torch.float32, device=device)
        group["capturable"] = True
