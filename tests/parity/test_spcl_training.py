"""Batches, splits and whole training runs against the SPCL reference."""

import copy
import random
from collections.abc import Sequence

import numpy as np
import torch
from sklearn.metrics import accuracy_score, f1_score
from torch import nn
from torch.nn import functional as F

from lib.data.conversation_batches import (
    Conversations,
    Dialogue,
    conversation_split,
    dev_split,
    iemocap_speakers,
    meld_speakers,
)
from lib.training.self_paced import SelfPaced
from tests.parity.reference import Vectors, golden
from tests.parity.spcl_models import loaded, our_name, unused

TOLERANCE = 1e-5


def dialogue(name: str, arrays: dict[str, np.ndarray], modalities) -> Dialogue:
    letters = arrays["speakers"].dtype.kind == "U"
    speakers = (iemocap_speakers if letters else meld_speakers)(arrays["speakers"])
    return Dialogue(name, speakers, arrays["labels"], {m: arrays[m] for m in modalities})


def shuffled(order: list[int], stream: random.Random) -> list[int]:
    """The reference's order of the next training epoch; each shuffles the one before it."""
    order = list(order)
    stream.shuffle(order)
    return order


def batch_rows(order: Sequence[int], batch_size: int) -> list[list[int]]:
    """Consecutive slices; the last may be short and is kept."""
    return [list(order[start : start + batch_size]) for start in range(0, len(order), batch_size)]


def same(actual, expected, name: str) -> None:
    np.testing.assert_array_equal(np.asarray(actual), expected, err_msg=name)


def close(actual, expected, name: str) -> None:
    np.testing.assert_allclose(actual, expected, rtol=TOLERANCE, atol=TOLERANCE, err_msg=name)


@golden("spcl", "dataloader")
def test_dataloader(vectors):
    config = vectors.config
    for corpus, shuffles in (("iemocap", True), ("meld", False)):
        raw = {name: vectors.under(f"{corpus}/raw/{name}") for name in vectors.names(f"{corpus}/raw")}
        dialogues = {name: dialogue(name, arrays, config["dims"]) for name, arrays in raw.items()}
        stream = random.Random(config["split_seed"])
        stored = [str(name) for name in vectors[f"{corpus}/raw_trainVid"]]
        train, dev = dev_split(stored, stream if shuffles else None)
        splits = {"train": train, "dev": dev, "test": [str(name) for name in vectors[f"{corpus}/raw_testVid"]]}
        found = {f"{part}/order": order for part, order in splits.items()}
        found |= {f"{part}/uid": uids(corpus, order, dialogues) for part, order in splits.items()}

        order, orders = list(range(len(train))), []
        for _ in vectors[f"{corpus}/train/order_after_each_shuffle"]:
            order = shuffled(order, stream)
            orders.append([train[row] for row in order])
        found["train/order_after_each_shuffle"] = orders
        batches = batch_rows(order, config["batch_size"])
        found["num_batches"] = len(batches)
        conversations = Conversations.of(conversation_split([dialogues[name] for name in train]))
        for number, rows in enumerate(batches):
            batch = conversations.take(np.array(rows))
            arrays = {"length": batch.lengths, "speaker_tensor": batch.speakers, "label_tensor": batch.targets}
            arrays |= batch.features | {"uid": np.array(found["train/uid"])[rows]}
            found |= {f"batch{number}/{name}": value for name, value in arrays.items()}

        expected = {k: v for k, v in vectors.under(corpus).items() if not k.startswith("raw")}
        assert set(found) == set(expected)
        for name, value in expected.items():
            same(found[name], value, f"{corpus}/{name}")


def uids(corpus: str, order: list[str], dialogues: dict[str, Dialogue]) -> list[int]:
    """The reference's numbers of the dialogues: utterances before it in its split (IEMOCAP), or its index (MELD)."""
    lengths = [len(dialogues[name]) for name in order]
    return list(np.cumsum([0, *lengths[:-1]])) if corpus == "iemocap" else list(range(len(order)))


class Run:
    """The reference's training function in its own order of calls, on our parts."""

    def __init__(self, vectors: Vectors):
        self.config = vectors.config
        self.model = loaded(vectors)
        self.splits = {}
        for part in ("train", "dev", "test"):
            arrays = [vectors.under(f"in/{part}/{i}") for i in vectors.names(f"in/{part}")]
            rows = [dialogue(str(i), x, self.config["dims"]) for i, x in enumerate(arrays)]
            self.splits[part] = Conversations.of(conversation_split(rows))
        self.strategy = SelfPaced(self.config["cl_threshold"], self.config["cl_growth"], enabled=self.config["use_cl"])
        self.steps = {name: [] for name in ("loss", "take", "n", "threshold", "dialogues")}
        self.evaluations = []

    def forward(self, batch: Conversations):
        return self.model(**batch.inputs)

    def train_epoch(self, order: list[int], optimiser: torch.optim.Optimizer) -> None:
        size = self.config["batch_size"]
        self.model.train()
        for rows in batch_rows(order, size):
            batch = self.splits["train"].take(np.array(rows))
            joint, logits = self.forward(batch)
            loss = self.strategy.loss(joint, logits, batch.targets, batch.lengths)
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(self.model.parameters(), self.config["grad_norm_max"])
            optimiser.step()
            self.steps["loss"].append(loss.item())
            self.steps["take"].append(int(self.strategy.latest.selected.sum()))
            self.steps["n"].append(len(batch.targets))
            self.steps["threshold"].append(self.strategy.threshold)
            self.steps["dialogues"].append(rows + [-1] * (size - len(rows)))

    @torch.no_grad()
    def evaluate(self, part: str) -> float:
        self.model.eval()
        predictions, labels, losses = [], [], []
        for rows in batch_rows(range(len(self.splits[part])), self.config["batch_size"]):
            batch = self.splits[part].take(np.array(rows))
            joint, _ = self.forward(batch)
            predictions += joint.argmax(1).tolist()
            labels += batch.targets.tolist()
            losses.append(F.cross_entropy(joint, batch.targets).item())
        f1 = f1_score(labels, predictions, average="weighted")
        self.evaluations.append((part, f1, accuracy_score(labels, predictions), np.mean(losses)))
        return f1

    def outputs(self) -> dict:
        config, model = self.config, self.model
        assert config["optimizer"] == "adam"
        optimiser = torch.optim.Adam(
            model.parameters(), lr=config["learning_rate"], weight_decay=config["weight_decay"]
        )
        stream, order = random.Random(config["python_random_seed"]), list(range(len(self.splits["train"])))
        best_dev, best_test, best_state, waited = None, None, None, 0
        for _ in range(config["epochs"]):
            order = shuffled(order, stream)
            self.train_epoch(order, optimiser)
            dev = self.evaluate("dev")
            self.strategy.end_epoch()
            if best_dev is None or dev > best_dev:
                best_dev, best_test, waited = dev, self.evaluate("test"), 0
                best_state = copy.deepcopy(model.state_dict())
            else:
                waited += 1
            if waited == config["early_stopping"]:
                break
        model.load_state_dict(best_state)
        self.evaluate("test")
        return {
            **{f"step_{name}": values for name, values in self.steps.items()},
            "eval_which": [part for part, *_ in self.evaluations],
            "eval_f1_acc_loss": [numbers for _, *numbers in self.evaluations],
            "best_dev_f1": best_dev,
            "best_test_f1": best_test,
            "final_threshold": self.strategy.threshold,
            **{f"best_w/{name}": value for name, value in best_state.items()},
        }


KEY_BIAS = ".self_attn.in_proj_bias"


def key_rows(name: str, weights: np.ndarray) -> slice:
    """Where an attention's key bias stands in a parameter; empty for all others.

    A key bias moves all scores of a query alike, so no output depends on it: its gradient is rounding noise, which
    Adam turns into full steps in directions that depend on the order of additions.
    """
    third = len(weights) // 3 if name.endswith(KEY_BIAS) else 0
    return slice(third, 2 * third)


@golden("spcl", "train_trace")
def test_whole_run(vectors):
    run = Run(vectors)
    found, expected = run.outputs(), vectors.under("out")
    longest = run.config["learning_rate"] * len(expected["step_loss"])  # Adam moves a weight by at most its rate
    for name in [name for name in expected if name.startswith("best_w/")]:
        weights, parameter = expected.pop(name), name.removeprefix("best_w/")
        if unused(parameter, run.config):
            same(vectors[f"w/{parameter}"], weights, name)
            continue
        ours = found.pop(f"best_w/{our_name(parameter, run.config)}").numpy()
        rows = key_rows(name, weights)
        assert np.abs(ours[rows] - vectors[f"w/{parameter}"][rows]).max(initial=0.0) <= longest
        close(np.delete(ours, rows, 0), np.delete(weights, rows, 0), name)
    assert set(found) == set(expected)
    for name, value in expected.items():
        (close if value.dtype.kind == "f" else same)(found[name], value, name)


@golden("spcl", "train_trace")
def test_stored_best_weights_give_the_stored_final_score(vectors):
    run = Run(vectors)
    best = {name: torch.from_numpy(value) for name, value in vectors.under("out/best_w").items()}
    run.model.load_state_dict({our_name(n, run.config): w for n, w in best.items() if not unused(n, run.config)})
    run.evaluate("test")
    close(run.evaluations[0][1:], vectors["out/eval_f1_acc_loss"][-1], "final evaluation")
