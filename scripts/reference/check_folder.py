"""Loads a folder in transformers (or PEFT) and compares it with numbers from elsewhere.

    check_folder.py FOLDER EXPECTED [--base FOLDER] [--tolerance 1e-4]
    check_folder.py FOLDER EXPECTED --processor [--tolerance 0.02]

Weights: EXPECTED is a .safetensors or .json file with `input_ids` [B, T] and `logits`, and if needed `attention_mask`,
`decoder_input_ids`, `pixel_values` and `rows`. Logits are [B, T, V], or [K, V] for the K flat rows that `rows` names (without `rows`: the
unmasked ones). Keys missing from the folder or unknown to transformers are a failure. PEFT folders take their base from
--base, else from adapter_config.json, read relative to the folder.

Processor: EXPECTED is {"cases": [{"messages": [...], "addGenerationPrompt": true, "images": ["a.png"], "prompt": "...",
"input_ids": [...], "pixel_values": [...]}]}; paths are relative to EXPECTED; `prompt`, `input_ids` and `pixel_values` are
compared where given. A case may hold `text` in place of `messages`.

Prints one JSON object; exits with 1 when a difference is above the tolerance and with 2 when something cannot be loaded.
"""

import argparse
import json
import sys
from pathlib import Path

import torch
import transformers
from common import load_file, valid_rows

ALLOWED_MISSING = ("position_ids", "inv_freq")


def read_expected(path):
    if path.suffix == ".safetensors":
        return load_file(path)
    return {key: torch.tensor(value) for key, value in json.loads(path.read_text()).items()}


def load_weights(folder):
    """The class that config.json names, in float32, and the faults of loading."""
    config = json.loads((folder / "config.json").read_text())
    cls = getattr(transformers, config["architectures"][0])
    model, report = cls.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager", output_loading_info=True)
    missing = [key for key in report["missing_keys"] if not key.endswith(ALLOWED_MISSING)]
    faults = {"missing": sorted(missing), "unexpected": sorted(report["unexpected_keys"]), "mismatched": sorted(map(str, report["mismatched_keys"]))}
    return model.eval(), {key: value for key, value in faults.items() if value}


def load_model(folder, base):
    if not (folder / "adapter_config.json").exists():
        return load_weights(folder)
    from peft import PeftModel, get_peft_model_state_dict

    base = base or folder / json.loads((folder / "adapter_config.json").read_text())["base_model_name_or_path"]
    model, faults = load_weights(base)
    adapted = PeftModel.from_pretrained(model, folder).eval()
    stored, known = load_file(folder / "adapter_model.safetensors"), get_peft_model_state_dict(adapted)
    if known.keys() != stored.keys():
        faults |= {"missing": sorted(known.keys() - stored.keys()), "unexpected": sorted(stored.keys() - known.keys())}
    return adapted, faults


def check_weights(folder, expected, base):
    model, faults = load_model(folder, base)
    inputs = {key: expected[key] for key in ("input_ids", "attention_mask", "decoder_input_ids", "pixel_values") if key in expected}
    with torch.no_grad():
        logits = model(**inputs).logits
    if expected["logits"].dim() == 2:
        mask = expected.get("attention_mask", torch.ones_like(expected["input_ids"]))
        logits = logits.flatten(0, 1)[expected.get("rows", valid_rows(mask))]
    if logits.shape != expected["logits"].shape:
        faults["shape"] = {"transformers": list(logits.shape), "expected": list(expected["logits"].shape)}
        return {"faults": faults}
    shown = logits > torch.finfo(logits.dtype).min  # Chameleon's class hides the logits of codes
    difference = (logits - expected["logits"].float())[shown].abs().max().item()
    return {"class": type(model).__name__, "maxAbsDifference": difference, "faults": faults}


def check_processor(folder, expected_path):
    from PIL import Image

    processor = transformers.AutoProcessor.from_pretrained(folder)
    worst, faults = 0.0, {}
    for index, case in enumerate(json.loads(expected_path.read_text())["cases"]):
        text = case.get("text")
        if text is None:
            text = processor.apply_chat_template(case["messages"], add_generation_prompt=case.get("addGenerationPrompt", False), tokenize=False)
        images = [Image.open(expected_path.parent / path).convert("RGB") for path in case.get("images", [])]
        got = processor(text=text, **({"images": images} if images else {}), return_tensors="pt")
        if "prompt" in case and case["prompt"] != text:
            faults[f"cases[{index}].prompt"] = {"transformers": text, "expected": case["prompt"]}
        if "input_ids" in case and case["input_ids"] != got["input_ids"][0].tolist():
            faults[f"cases[{index}].input_ids"] = {"transformers": got["input_ids"][0].tolist(), "expected": case["input_ids"]}
        if "pixel_values" in case:
            pixels = torch.tensor(case["pixel_values"])
            if pixels.shape == got["pixel_values"].shape:
                worst = max(worst, (pixels - got["pixel_values"]).abs().max().item())
            else:
                faults[f"cases[{index}].pixel_values"] = {"transformers": list(got["pixel_values"].shape), "expected": list(pixels.shape)}
    return {"class": type(processor).__name__, "maxAbsDifference": worst, "faults": faults}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("expected", type=Path)
    parser.add_argument("--base", type=Path)
    parser.add_argument("--processor", action="store_true")
    parser.add_argument("--tolerance", type=float)
    args = parser.parse_args()
    tolerance = args.tolerance if args.tolerance is not None else (0.02 if args.processor else 1e-4)
    try:
        if args.processor:
            result = check_processor(args.folder, args.expected)
        else:
            result = check_weights(args.folder, read_expected(args.expected), args.base)
    except Exception as error:  # whatever transformers raises is the finding
        print(json.dumps({"folder": str(args.folder), "ok": False, "error": f"{type(error).__name__}: {error}"}))
        return 2
    ok = not result["faults"] and result["maxAbsDifference"] <= tolerance
    print(json.dumps({"folder": str(args.folder), "ok": ok, "tolerance": tolerance, **result}))
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
