"""The page of the results: tables and a plot from the csv files of `benchmarks/results`."""

import json
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd

from lib.files import atomic_path, write_text

SECTIONS = {
    "epochs": (
        "An epoch of each model",
        "The direct implementation of the specification (`benchmarks/direct.py`) against the plain loop, training and "
        "validation; one thread on the CPU. A dropped modality of an early-fusion model costs nothing, hence the two "
        "variants.",
    ),
    "eea": (
        "An epoch of emotion embeddings",
        "EEA at its README's IEMOCAP setting (2717 samples of 20 steps, two bidirectional layers, minibatches of 64): "
        "torch's LSTM over the whole sequence, whose last step is read, against the plain loop, which leaves out what "
        "the last step does not need. Training and validation, one thread; the losses of an epoch without dropout are "
        "compared before anything is timed.",
    ),
    "fusion": (
        "An epoch of low-rank fusion and of tensor fusion",
        "1,284 samples, training alone, one thread. The loop keeps freed memory (`lib/training/allocator.py`); the two "
        "columns after it separate that from the rest. What bounds both: torch's own LSTM in LMF, the products of "
        "a first layer with 11.3 million weights in TFN; see the profile below.",
    ),
    "grid": (
        "A grid of 40 members",
        "From nothing to the last record. `trained` members were trained and their seconds multiplied up to the grid. "
        "The share is the grid's floating-point operations per second over the summed one-thread matrix-product rate "
        "of the cores used.",
    ),
    "members": (
        "Cost against the number of members",
        "An epoch of all members as one fleet, and one after another by the plain loop; one thread on the CPU, freed "
        "memory kept, as in a sweep. The direct implementation's time for one member stands in the first table.",
    ),
    "sizes": (
        "Eight members against width, minibatch and sequence length",
        "`stacked by the rule` is what `lib/training/engine.py` does with them on a CPU.",
    ),
    "search": (
        "A random search",
        "Draws from LMF's published search space on a stand-in of MOSI's size, dearest first, one per worker process. "
        "`busy` is the workers' processor time over cores and seconds.",
    ),
    "overhead": (
        "What the workflow costs",
        "`run_all.sh` on one quick notebook run in a copy of the workspace, the notebook's cells inside it, and the "
        "training of the same grid alone.",
    ),
    "startup": (
        "Until something trains",
        "Each in a new process, from an existing environment. Workers are forked from one prepared process "
        "(`lib/training/workers.py`), which the first call of a process has to wait for; a notebook's gets ready "
        "beside its first cells.",
    ),
    "memory": (
        "Peak memory",
        "Of a process that trains one epoch: resident on the CPU, allocated on the GPU.",
    ),
    "limit": (
        "Distance to the machine's limit",
        "Operations of an epoch's matrix products with nothing dropped, over its time, against a large product "
        "measured in the same process. The last row is that product on all cores at once, against the sum of one "
        "thread each.",
    ),
    "profile": (
        "Where the time goes",
        "The ten costliest operations of an epoch, by their own time.",
    ),
    "precision": (
        "bfloat16 products",
        "`precision: bfloat16` of a recipe, off by default: the factors of the forward pass's products are rounded. "
        "An epoch of the plain loop, one thread on the CPU.",
    ),
    "precision_scores": (
        "bfloat16 products: effect on the scores",
        "The quick MOSI-like grid, test set, mean over the seeds; gains over the unimodal variant.",
    ),
    "conversations": (
        "Conversation backbones with SPCL",
        "Two of the seven minibatches of an epoch at IEMOCAP's scale and the published sizes, trained by the direct "
        "implementation of the specification (`benchmarks/conversation_direct.py`) and by the plain loop; one thread "
        "on the CPU. Before that both answer the first minibatch without dropout, from the same weights: `largest "
        "difference` is that of logits and loss.",
    ),
    "conversation_memory": (
        "Memory of a large minibatch of dialogues",
        "Peak resident memory of a process that trains 64 dialogues of 110 utterances at once, published sizes.",
    ),
    "end_to_end": (
        "A step of the end-to-end model, dense and sparse",
        "Two utterances of 10 faces, 12 spectrogram pieces and 100 tokens at the paper's widths with ALBERT-base from "
        "random weights; forward, backward and update, one thread on the CPU. `gathered` computes at the selected "
        "sites only, `masked` everywhere. Beside the time stand shares of the dense model's operations in a forward "
        "pass: nominal multiply-adds as the paper's sparse library counts them, and what torch's counter sees. The "
        "reference's own pair is 2.80 s dense and 2.53 s sparse at 0.7.",
    ),
    "savings": (
        "Work left out",
        "The full computation and ours as alternating pairs in one process, one thread on the CPU: processor time, "
        "the median of each, and the ratios of the pairs (median, least, most). The LSTM of a minibatch of 32 "
        "sequences of 50 steps, forward and backward; torch's fused Adam against the same kernel with kept lists.",
    ),
    "transformers": (
        "Transformers that are read in one row",
        "A training step of the direct implementation (`benchmarks/direct_transformers.py`) whose last layer computes "
        "every row, of the same for the row that is read, and of `lib/models`; one thread on the CPU, the processor's "
        "time, medians over the rounds, ratios within a round. The logits without dropout are compared before that. "
        "Memory is the peak of a process for each. Published widths and minibatches; ALBERT has two utterances of 100 "
        "tokens, LF-Transformer sequences of 20 words and up to 100 steps of audio and video.",
    ),
}


def write(results: Path, page: Path) -> None:
    """Write the page and, beside it, the plot. A table that has not been measured is said to be missing."""
    machine = json.loads((results / "machine.json").read_text(encoding="utf-8"))
    lines = [
        "# Benchmarks",
        "",
        f"Written by `./run_all.sh bench` from `benchmarks/results/*.csv`{_mode(machine)}. Durations are compared in "
        "one process, alternating; a number is the median of the rounds. Where no GPU was present, its rows say "
        '"not measured".',
        "",
        *(f"* {name}: {'none' if value is None else value}" for name, value in machine.items() if name != "mode"),
    ]
    for name, (title, words) in SECTIONS.items():
        path = results / f"{name}.csv"
        lines += ["", f"## {title}", "", words, ""]
        lines += [_markdown(pd.read_csv(path)) if path.exists() else "Not measured."]
        if name == "members" and path.exists():
            _plot(pd.read_csv(path), page.with_suffix(".svg"))
            lines += ["", f"![seconds of an epoch against members]({page.with_suffix('.svg').name})"]
    write_text(page, "\n".join(lines) + "\n")


def _mode(machine: dict[str, object]) -> str:
    return " in its quick mode, which only shows that everything runs" if machine["mode"] == "quick" else ""


def _markdown(table: pd.DataFrame) -> str:
    rows = [list(table.columns), ["---"] * len(table.columns)]
    rows += [[_cell(value) for value in row] for row in table.itertuples(index=False)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _cell(value: object) -> str:
    if isinstance(value, str) and not _number(value):
        return value
    number = float(value)
    if number != number:
        return ""
    return f"{number:.0f}" if number == round(number) and abs(number) < 1e15 else f"{number:.3g}"


def _number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _plot(table: pd.DataFrame, path: Path) -> None:
    """Seconds against members, both axes logarithmic; one colour per model and device."""
    measured = table.assign(fleet_s=pd.to_numeric(table["fleet_s"], errors="coerce")).dropna(subset="fleet_s")
    figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
    for i, ((model, device), rows) in enumerate(measured.groupby(["model", "device"], sort=False)):
        axes.plot(rows["members"], rows["fleet_s"], "o-", color=f"C{i}", label=f"{model}, {device}: fleet")
        axes.plot(rows["members"], rows["loop_s"], "s--", color=f"C{i}", label=f"{model}, {device}: one after another")
    axes.set(xscale="log", yscale="log", xlabel="members", ylabel="seconds of an epoch", title="Cost against members")
    axes.set_xticks(sorted(set(measured["members"])), sorted(set(measured["members"])))
    axes.minorticks_off()
    axes.grid(which="major", alpha=0.3)
    axes.legend()
    with atomic_path(path) as target, plt.rc_context({"svg.hashsalt": "benchmarks"}):
        figure.savefig(target, format="svg", metadata={"Date": None})
    plt.close(figure)
