"""Batches, splits and whole training runs against the SPCL reference."""

import copy
import random
from collections.abc import Sequence

import numpy as np
import torch
from sklearn.metrics import accuracy_score, f1_score
from torch import nn
from torch.nn import functional as F

from lib.data.batches import Conversations
from lib.data.dialogues.conversation_batches import (
    Dialogue,
    conversation_split,
    dev_split,
    iemocap_speakers,
    meld_speakers,
)
from lib.training.self_paced import SelfPaced
from tests.parity.closeness import check
from tests.parity.reference import Vectors, golden
from tests.parity.spcl_models import loaded, our_name, reference_names, unused


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


def loaded_batches(vectors: Vectors) -> dict[str, object]:
    """Splits, orders and the batches of one epoch of both corpora, by the file's keys."""
    config, found = vectors.config, {}
    for corpus, shuffles in (("iemocap", True), ("meld", False)):
        raw = {name: vectors.under(f"{corpus}/raw/{name}") for name in vectors.names(f"{corpus}/raw")}
        dialogues = {name: dialogue(name, arrays, config["dims"]) for name, arrays in raw.items()}
        stream = random.Random(config["split_seed"])
        stored = [str(name) for name in vectors[f"{corpus}/raw_trainVid"]]
        train, dev = dev_split(stored, stream if shuffles else None)
        splits = {"train": train, "dev": dev, "test": [str(name) for name in vectors[f"{corpus}/raw_testVid"]]}
        mine = {f"{part}/order": order for part, order in splits.items()}
        mine |= {f"{part}/uid": uids(corpus, order, dialogues) for part, order in splits.items()}

        order, orders = list(range(len(train))), []
        for _ in vectors[f"{corpus}/train/order_after_each_shuffle"]:
            order = shuffled(order, stream)
            orders.append([train[row] for row in order])
        mine["train/order_after_each_shuffle"] = orders
        batches = batch_rows(order, config["batch_size"])
        mine["num_batches"] = len(batches)
        conversations = Conversations.of(conversation_split([dialogues[name] for name in train]))
        for number, rows in enumerate(batches):
            batch = conversations.take(np.array(rows))
            arrays = {"length": batch.lengths, "speaker_tensor": batch.speakers, "label_tensor": batch.targets}
            arrays |= batch.features | {"uid": np.array(mine["train/uid"])[rows]}
            mine |= {f"batch{number}/{name}": value for name, value in arrays.items()}
        found |= {f"{corpus}/{name}": value for name, value in mine.items()}
    return found


def check_dataloader(vectors: Vectors) -> None:
    """Every order and every batch; features are copied, so they differ by the file's own noise at most."""
    keys = [key for key in vectors.keys("iemocap", "meld") if not key.split("/")[1].startswith("raw")]
    check(vectors, loaded_batches, keys, unit=None, group=str)


@golden("spcl", "dataloader")
def test_dataloader(vectors):
    check_dataloader(vectors)


def uids(corpus: str, order: list[str], dialogues: dict[str, Dialogue]) -> list[int]:
    """The reference's numbers of the dialogues: utterances before it in its split (IEMOCAP), or its index (MELD)."""
    lengths = [len(dialogues[name]) for name in order]
    return list(np.cumsum([0, *lengths[:-1]])) if corpus == "iemocap" else list(range(len(order)))


class Run:
    """The reference's training function in its own order of calls, on our parts, in float64."""

    def __init__(self, vectors: Vectors):
        self.config = vectors.config
        self.model = loaded(vectors)
        self.splits = {}
        for part in ("train", "dev", "test"):
            arrays = [vectors.under(f"in/{part}/{i}") for i in vectors.names(f"in/{part}")]
            rows = [dialogue(str(i), x, self.config["dims"]) for i, x in enumerate(arrays)]
            self.splits[part] = Conversations.of(conversation_split(rows), dtype=torch.float64)
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

    def outputs(self) -> tuple[dict[str, object], dict[str, torch.Tensor]]:
        """Steps, evaluations and scores by the file's keys; the best state by our names."""
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
        found = {f"step_{name}": values for name, values in self.steps.items()} | {
            "eval_which": [part for part, *_ in self.evaluations],
            "eval_f1_acc_loss": [numbers for _, *numbers in self.evaluations],
            "best_dev_f1": best_dev,
            "best_test_f1": best_test,
            "final_threshold": self.strategy.threshold,
        }
        return {f"out/{name}": value for name, value in found.items()}, best_state


KEY_BIAS = ".self_attn.in_proj_bias"


def without_key_rows(key: str, weights: np.ndarray | torch.Tensor) -> np.ndarray:
    """A parameter without an attention's key bias.

    A key bias moves all scores of a query alike, so no output depends on it: its gradient is zero by construction,
    and what rounding leaves of it Adam turns into full steps in any direction.
    """
    weights = np.asarray(weights)
    third = len(weights) // 3 if key.endswith(KEY_BIAS) else 0
    return np.delete(weights, slice(third, 2 * third), 0)


def stored_weights(vectors: Vectors) -> dict[str, np.ndarray]:
    """The best weights of a run, but for key biases, which must have stayed within Adam's reach."""
    steps, found = len(vectors["out/step_loss"]), {}
    reach = vectors.config["learning_rate"] * steps * (1 + 1e-5)
    for name, weights in vectors.under("out/best_w").items():
        assert np.abs(weights - vectors[f"w/{name}"]).max() <= reach, f"{name} moved further than Adam can"
        found[f"out/best_w/{name}"] = without_key_rows(name, weights)
    return found


def our_weights(vectors: Vectors, best: dict[str, torch.Tensor]) -> dict[str, np.ndarray]:
    """Ours under the file's keys; the reference leaves what it never uses as it was."""
    names = reference_names(vectors)
    found = {names[ours]: value for ours, value in best.items()}
    found |= {name: value for name, value in vectors.under("w").items() if unused(name, vectors.config)}
    return {f"out/best_w/{name}": without_key_rows(name, value) for name, value in found.items()}


def whole_run(vectors: Vectors) -> dict[str, object]:
    found, best = Run(vectors).outputs()
    return found | our_weights(vectors, best)


def check_whole_run(vectors: Vectors) -> None:
    """Every step, evaluation and score of the file, and the weights it chose."""
    stored = {key: vectors[key] for key in vectors.keys("out")} | stored_weights(vectors)
    check(vectors, whole_run, stored, group=str)


@golden("spcl", "train_trace")
def test_whole_run(vectors):
    check_whole_run(vectors)


def final_evaluation(vectors: Vectors) -> dict[str, object]:
    run = Run(vectors)
    best = {name: torch.from_numpy(np.array(x)).double() for name, x in vectors.under("out/best_w").items()}
    run.model.load_state_dict({our_name(n, run.config): w for n, w in best.items() if not unused(n, run.config)})
    run.evaluate("test")
    return {"final": run.evaluations[0][1:]}


@golden("spcl", "train_trace")
def test_stored_best_weights_give_the_stored_final_score(vectors):
    check(vectors, final_evaluation, {"final": vectors["out/eval_f1_acc_loss"][-1]})
