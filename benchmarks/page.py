"""The page of the results: tables and a plot from the csv files of `benchmarks/results`."""

import json
from pathlib import Path

import pandas as pd

from benchmarks import figures, summary
from benchmarks.gpu.page import gpu_section
from lib.files import write_text

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
    "compiled": (
        "Loops in C++",
        "An epoch with Python's loops over time against the same with those that `./run_all.sh kernels` builds, whose "
        "results have the same bits; one thread, processor seconds. `times_faster` is the median over alternating "
        "pairs, beside it the least and the most favourable pair.",
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
        "beside its first cells. The parts of the run follow each other and add up to it.",
    ),
    "memory": (
        "Peak memory",
        "Of a process that trains one epoch: resident on the CPU, allocated on the GPU.",
    ),
    "peaks": (
        "Peak memory beside a direct implementation",
        "Of a process that trains an epoch at the published sizes, of the transformers a step, of the conversation "
        "backbones a minibatch of 16 dialogues; `more` is what came after everything was prepared.",
    ),
    "own_corpora": (
        "Importing a corpus of one's own",
        "`run_all.sh data import` of random pickles at CMU-MOSEI's size in the layouts of MMSA and MulT, float32. The "
        "file's arrays are all in memory; what is checked and written beside them is a few rows at a time.",
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
    "growth": (
        "Growth",
        "An epoch at widths of about 16, a process for each model and axis: CPU seconds, the least of at most five, "
        "and peak memory above what the process held before, data included. Sequences: four minibatches of 16 samples "
        "(of 4 where steps attend to each other; MME2E a step on two utterances of as many tokens, faces and pieces); "
        "samples of 20 steps or dialogues of ten utterances in minibatches of 16; two dialogues at once. An exponent "
        "is the slope between logarithms over all sizes, `at the end` that of the last two, where fixed costs weigh "
        "least; a rise of memory below 1 MiB takes part in none. `of its mathematics`: 1, or 2 where steps or "
        "utterances attend to each other. The reference's EF transformer attends over the minibatch.",
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
    "torch_compile": (
        "torch.compile",
        "Forward and backward pass of a minibatch without dropout by the model as it is and by `torch.compile` of it, "
        "alternating, one thread on the CPU, published sizes. `compiling_s` is the first call, with nothing compiled "
        "before and one thread; a process for each model, ended when all of it takes longer than the table says. No "
        "training is compiled.",
    ),
}


ELSEWHERE = ("machine", "kills", "scale_gathering", "scale_jobs", "scale_members")
"""Files beside the tables that this page shows in another way, or another page does."""


def write(results: Path, page: Path) -> None:
    """Write the page, and behind it that of all tables. What has not been measured is said to be missing."""
    tables = page.with_name(f"{page.stem}_tables.md")
    machine = json.loads((results / "machine.json").read_text(encoding="utf-8"))
    summary.write(results, page, tables, _mode(machine))
    lines = [
        "# Tables of the benchmarks",
        "",
        f"Behind [the summary]({page.name}); written by `./run_all.sh bench` from `benchmarks/results/*.csv`"
        f"{_mode(machine)}. Durations are compared in one process, alternating; a number is the median of the rounds. "
        'Where no GPU was present, its rows say "not measured".',
    ]
    machines = _machines(results / "machine.csv")
    further = {p.stem: (p.stem, "") for p in sorted(results.glob("*.csv"))}
    shown = SECTIONS | {name: told for name, told in further.items() if name not in SECTIONS and name not in ELSEWHERE}
    for name, (title, words) in shown.items():
        path = results / f"{name}.csv"
        lines += ["", f"## {title}", "", words, ""]
        if not path.exists():
            lines += ["Not measured."]
            continue
        lines += [machines.get(name, "Measured before the machine was noted by table."), ""]
        lines += [_markdown(pd.read_csv(path))]
        if name == "members":
            plot = figures.members(pd.read_csv(path), page.with_name(f"{page.stem}_members.svg"))
            lines += ["", f"![seconds of an epoch against members]({plot.name})"]
    lines += gpu_section(results)
    write_text(tables, "\n".join(lines) + "\n")


def _machines(path: Path) -> dict[str, str]:
    """What each table was measured on, in words, since tables are measured at different times."""
    rows = pd.read_csv(path).astype(object).to_dict("records") if path.exists() else []
    return {
        row["table"]: f"Measured on {row['date']}{' in the quick mode' if row['mode'] == 'quick' else ''}: "
        f"{row['processor']}, {row['vector instructions']}, {row['cores']} cores, load average before "
        f"{row['load average before']}, torch {row['torch']}."
        for row in rows
    }


def _mode(machine: dict[str, object]) -> str:
    return ", in its quick mode, which only shows that everything runs" if machine["mode"] == "quick" else ""


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
