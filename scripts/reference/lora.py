"""PEFT LoRA adapters with B away from zero, on the tiny decoders and LLaVAs: logits, gradients and merged logits.

Run after decoder.py and llava.py: their folders are the base models.
"""

import copy
import json
import math
import tempfile
from pathlib import Path

import torch
import transformers
from common import (FIXTURES, fresh_folder, load_file, require_close, valid_rows, write_json, write_provenance, write_tensors)
from peft import LoraConfig, PeftModel, get_peft_model

SEED = 61
LM_LINEARS = r".*language_model.*\.(q_proj|k_proj|v_proj|o_proj|gate_proj|up_proj|down_proj)"

CASES = {
    "llama-qv": ("decoder/gqa", dict(target_modules=["q_proj", "v_proj"])),
    "qwen2-all-linear": ("decoder/qwen2", dict(target_modules="all-linear")),
    "llava-lm": ("llava/v1.5", dict(target_modules=LM_LINEARS)),
    # A list of suffixes matches the vision tower too; the projector is trained in full beside the adapter.
    "llava-projector": ("llava/v1.5-multi", dict(target_modules=["q_proj", "v_proj"], modules_to_save=["multi_modal_projector"])),
    "rslora": ("decoder/gqa", dict(target_modules=["q_proj", "v_proj"], use_rslora=True)),
    "dora": ("decoder/qwen2", dict(target_modules=["q_proj", "down_proj"], use_dora=True)),
    "patterns": ("decoder/gqa", dict(target_modules=["q_proj", "v_proj", "up_proj"], rank_pattern={"q_proj": 2, r"model.layers.0.mlp.up_proj": 3},
                                     alpha_pattern={r"layers\.\d+\.self_attn\.v_proj": 3})),
    "bias-all": ("decoder/qwen2", dict(target_modules=["q_proj", "up_proj"], bias="all")),
    "bias-lora-only": ("decoder/qwen2", dict(target_modules=["q_proj", "v_proj"], bias="lora_only")),
    "chosen-layers": ("decoder/gqa", dict(target_modules="all-linear", exclude_modules=["down_proj"])),
    "chosen-pattern": ("decoder/gqa", dict(target_modules=["q_proj"], layers_to_transform=[1], layers_pattern="layers")),
    # The class has a second projector layer, which the adapter holds too; here it stays the identity.
    "v1-projector": ("llava/v1-two-layers", dict(target_modules=LM_LINEARS, modules_to_save=["multi_modal_projector"])),
    "v1-two-layers": ("llava/v1-two-layers", dict(target_modules=["q_proj", "linear_2"], modules_to_save=["linear_1"])),
}


def load_base(base):
    folder = FIXTURES / base
    name = json.loads((folder / "config.json").read_text())["architectures"][0]
    return getattr(transformers, name).from_pretrained(folder, attn_implementation="eager").eval()


def trainable(model):
    return [(name, p) for name, p in sorted(model.named_parameters()) if p.requires_grad]


def randomise_adapter(model, seed):
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, p in trainable(model):
            noise = torch.randn(p.shape, generator=generator)
            whole = "modules_to_save" in name or "magnitude" in name or name.endswith("bias")
            p.copy_(p + 0.05 * noise if whole else 0.7 * noise / math.sqrt(p.shape[-1]))


def adapter_gradients(model):
    """Gradients under the names of the adapter file; see saved_names in common.py for the way."""
    clone = copy.deepcopy(model)
    with torch.no_grad():
        for (_, copied), (_, p) in zip(trainable(clone), trainable(model), strict=True):
            copied.copy_(torch.full_like(p, math.nan) if p.grad is None else p.grad)
    with tempfile.TemporaryDirectory() as folder:
        clone.save_pretrained(folder)
        values = load_file(Path(folder) / "adapter_model.safetensors")
    grads = {f"grad.{name}": t for name, t in values.items() if not t.isnan().any()}
    return grads, sorted(name for name, t in values.items() if t.isnan().any())


def write_adapter(model, folder, base):
    """The adapter as PEFT writes it, with lists in a fixed order, the base as a relative path and no model card."""
    model.save_pretrained(folder)
    (folder / "README.md").unlink(missing_ok=True)
    config = json.loads((folder / "adapter_config.json").read_text())
    if isinstance(config["target_modules"], list):
        config["target_modules"].sort()
    write_json(folder / "adapter_config.json", {**config, "base_model_name_or_path": f"../../{base}"})


def write_case(name, base, options, seed):
    folder = fresh_folder("lora", name)
    config = LoraConfig(**{"r": 4, "lora_alpha": 8, "lora_dropout": 0.0, "bias": "none", "task_type": "CAUSAL_LM", **options})
    model = get_peft_model(load_base(base), config).eval()
    randomise_adapter(model, seed)
    if name == "v1-projector":
        second = model.base_model.model.model.multi_modal_projector.modules_to_save["default"].linear_2
        with torch.no_grad():
            second.weight.copy_(torch.eye(len(second.weight)))
            second.bias.zero_()
    given = load_file(FIXTURES / base / "expected.safetensors")
    inputs = {key: given[key] for key in ("input_ids", "attention_mask", "labels", "pixel_values") if key in given}
    rows = valid_rows(inputs["attention_mask"])
    out = model(**inputs)
    out.loss.backward()
    logits = out.logits.flatten(0, 1)[rows].detach()
    assert (logits - given["logits"]).abs().max() > 0.1, "the adapter must change the logits"
    grads, unreached = adapter_gradients(model)
    write_adapter(model, folder, base)

    again = PeftModel.from_pretrained(load_base(base), folder).eval()
    with torch.no_grad():
        require_close(name, again(**inputs).logits.flatten(0, 1)[rows], logits)
        merged = again.merge_and_unload()(**inputs).logits.flatten(0, 1)[rows]
    require_close(f"{name} merged", merged, logits, 2e-5)
    write_tensors(folder / "expected.safetensors", {
        **inputs, "rows": rows, "logits": logits, "merged_logits": merged, "loss": out.loss, **grads})
    write_json(folder / "expected.json", {"base": f"../../{base}", "loss": out.loss.item(), "unreached": unreached})
    write_provenance(folder, __file__, seed, packages=("torch", "transformers", "peft"))


def write_starts(name, base, seed):
    """What fresh adapters begin with: DoRA's magnitudes, and what an update is multiplied by with and without rsLoRA."""
    folder = fresh_folder("lora", name)
    torch.manual_seed(seed)
    options = dict(r=4, lora_alpha=6, task_type="CAUSAL_LM", target_modules="all-linear", use_dora=True)
    scales = {}
    for rslora in (False, True):
        model = get_peft_model(load_base(base), LoraConfig(**options, use_rslora=rslora))
        scales["rslora" if rslora else "lora"] = model.base_model.model.model.layers[0].self_attn.q_proj.scaling["default"]
    with tempfile.TemporaryDirectory() as saved:
        model.save_pretrained(saved)
        values = load_file(Path(saved) / "adapter_model.safetensors")
    write_tensors(folder / "expected.safetensors", {key: t for key, t in values.items() if "magnitude" in key})
    write_json(folder / "expected.json", {"base": f"../../{base}", "r": 4, "alpha": 6, "scales": scales})
    write_provenance(folder, __file__, seed, packages=("torch", "transformers", "peft"))


write_starts("fresh", "decoder/qwen2", SEED + len(CASES))
for i, (name, (base, options)) in enumerate(CASES.items()):
    write_case(name, base, options, SEED + i)
