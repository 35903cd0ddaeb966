"""Reads the event files of a run with TensorBoard itself and compares them with the run's own logs.

    check_tensorboard.py RUN

Every scalar of metrics.jsonl has to be in TensorBoard at its step, once, with its float32 value, and nothing else of the
same names; the answers of samples.jsonl and the recipe have to be texts. Steps count through all stages.

Prints one JSON object; exits with 1 when something differs and with 2 when a file cannot be read.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy
from tensorboard.backend.event_processing import event_accumulator as ea
from tensorboard.util import tensor_util

TRACKED = ("loss", "lr", "grad_norm", "held_out_loss")


def rows_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def expected_scalars(rows):
    """Tag to {step: value}; a stage begins where the one before it ended."""
    offsets, ends = {}, {}
    for row in rows:
        offsets.setdefault(row["stage"], sum(ends.values()))
        ends[row["stage"]] = row["step"]
    found = {}
    for row in rows:
        for name in TRACKED:
            if name in row:
                found.setdefault(f"{row['stage']}/{name}", {})[offsets[row["stage"]] + row["step"]] = row[name]
    return found


def check(run):
    events = ea.EventAccumulator(str(run / "tensorboard"), size_guidance={ea.SCALARS: 0, ea.TENSORS: 0})
    events.Reload()
    faults = []
    for tag, values in expected_scalars(rows_of(run / "metrics.jsonl")).items():
        got = [(event.step, event.value) for event in events.Scalars(tag)] if tag in events.Tags()["scalars"] else []
        want = [(step, float(numpy.float32(value))) for step, value in values.items()]
        if got != want:
            faults.append({"tag": tag, "tensorboard": got[:5], "expected": want[:5], "counts": [len(got), len(want)]})
    texts = {tag: [read_text(event) for event in events.Tensors(tag)] for tag in events.Tags()["tensors"]}
    if len(texts.get("recipe", [])) != 1 or not texts["recipe"][0].startswith("    system: "):
        faults.append({"tag": "recipe", "tensorboard": texts.get("recipe")})
    for row in rows_of(run / "samples.jsonl"):
        said = [text for text in texts.get(f"{row['stage']}/samples", []) if f"**{row['row']}**" in text]
        if not any((row["answer"].splitlines() or [""])[0] in text for text in said):
            faults.append({"tag": f"{row['stage']}/samples", "row": row["row"], "step": row["step"]})
    return {"scalars": {tag: len(events.Scalars(tag)) for tag in events.Tags()["scalars"]}, "texts": {tag: len(all) for tag, all in texts.items()}, "faults": faults}


def read_text(event):
    [text] = tensor_util.make_ndarray(event.tensor_proto)
    return text.decode()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    args = parser.parse_args()
    try:
        result = check(args.run)
    except Exception as error:  # whatever TensorBoard raises is the finding
        print(json.dumps({"run": str(args.run), "ok": False, "error": f"{type(error).__name__}: {error}"}))
        return 2
    print(json.dumps({"run": str(args.run), "ok": not result["faults"], **result}))
    return 1 if result["faults"] else 0


if __name__ == "__main__":
    sys.exit(main())
