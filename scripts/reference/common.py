"""What the reference programs share: where fixtures go, how they are written, random weights, gradients by file name."""

import copy
import json
import math
import os
import shutil
import tempfile
from importlib.metadata import version
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
from safetensors.torch import load_file, save_file
from transformers.utils import logging

logging.set_verbosity_error()
logging.disable_progress_bar()
torch.set_num_threads(1)  # one thread, one summation order: rerunning gives the same bytes

FIXTURES = Path(__file__).resolve().parents[2] / "test" / "fixtures"
IGNORED = -100


def fresh_folder(*parts):
    """An empty folder under test/fixtures."""
    folder = FIXTURES.joinpath(*parts)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def write_json(path, value):
    path.write_text(json.dumps(value, indent=2) + "\n")


def write_tensors(path, tensors):
    save_file({name: t.detach().contiguous().clone() for name, t in sorted(tensors.items())}, path)


def write_provenance(folder, script, seed, dtype="float32", packages=("torch", "transformers"), **more):
    versions = {name: version(name) for name in (*packages, "safetensors")}
    write_json(
        folder / "provenance.json",
        {"script": f"scripts/reference/{Path(script).name}", "versions": versions, "dtype": dtype, "seed": seed, **more},
    )


def randomise(model, seed):
    """Replaces the weights by larger ones than the usual initialisation, so that every term of the model can be seen.

    Gains lie around 1, biases around 0, matrices keep the variance of their input. Logits then differ by about 1, and
    a mistake in a norm, a bias or a position is far above rounding.
    """
    generator = torch.Generator().manual_seed(seed)
    tied = getattr(model.config, "tie_word_embeddings", False)  # then the embedding is also the matrix of the head
    with torch.no_grad():
        for name, p in sorted(model.named_parameters()):
            noise = torch.randn(p.shape, generator=generator)
            if name.endswith("logit_scale"):
                p.fill_(math.log(10.0))
            elif "norm" in name:
                p.copy_((1.0 if name.endswith("weight") else 0.0) + 0.2 * noise)
            elif p.dim() == 1:
                p.copy_(0.2 * noise)
            elif "embed" in name and "patch" not in name and not tied:
                p.copy_(0.7 * noise)
            else:
                p.copy_(1.3 * noise / math.sqrt(p[0].numel()))  # over the fan-in
    return model.eval()


def saved_names(model, value_of):
    """Maps the names of the weight file to `value_of(parameter)`; None drops the name.

    The file's names differ from the run-time names, and transformers alone knows how, so a copy of the model that holds
    these values in place of its weights is saved and read back.
    """
    clone = copy.deepcopy(model)
    with torch.no_grad():
        for copied, p in zip(clone.parameters(), model.parameters(), strict=True):
            value = value_of(p)
            copied.copy_(torch.full_like(p, math.nan) if value is None else value)
    with tempfile.TemporaryDirectory() as folder:
        clone.save_pretrained(folder)
        values = load_file(Path(folder) / "model.safetensors")
    kept = {name: t for name, t in values.items() if not t.isnan().any()}
    return kept, sorted(values.keys() - kept.keys())


def gradients(model):
    """Gradients under the names of the weight file, prefixed `grad.`, and the names of parameters the loss does not reach."""
    grads, unreached = saved_names(model, lambda p: p.grad)
    return {f"grad.{name}": t for name, t in grads.items()}, unreached


def valid_rows(attention_mask):
    """Indices of unpadded rows in the flattened [B*T] grid."""
    return attention_mask.flatten().nonzero().flatten()


def pad_right(rows, value):
    width = max(len(row) for row in rows)
    return torch.tensor([row + [value] * (width - len(row)) for row in rows])


def greedy(logits_of, prompt, count):
    """Greedy continuation without a cache. Refuses a choice so close that rounding could change it."""
    ids = list(prompt)
    for _ in range(count):
        best, second = logits_of(ids)[-1].topk(2).values.tolist()
        if best - second < 1e-3:
            raise SystemExit(f"greedy choice {len(ids) - len(prompt)} is a near tie ({best - second:.1e}): change the seed")
        ids.append(int(logits_of(ids)[-1].argmax()))
    return ids[len(prompt) :]


def require_close(what, got, expected, tolerance=1e-5):
    """Self-check of a fixture: recomputed numbers equal the written ones."""
    difference = (got.double() - expected.double()).abs().max().item()
    if not difference <= tolerance:
        raise SystemExit(f"{what}: recomputed value differs by {difference:.3e}")
