"""Writes test/fixtures/weights: files made by the Python libraries that tessera's readers must understand.

    python scripts/reference/weights.py

Needs torch, transformers 5, peft and safetensors.
"""

import json
import shutil
import tempfile
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from safetensors import safe_open
from safetensors.torch import save_file
from transformers import (
    CLIPConfig,
    CLIPModel,
    CLIPTextConfig,
    CLIPVisionConfig,
    CLIPVisionModel,
    LlamaConfig,
    LlamaForCausalLM,
    LlavaConfig,
    LlavaForConditionalGeneration,
)

out = Path(__file__).parents[2] / "test" / "fixtures" / "weights"
out.mkdir(parents=True, exist_ok=True)
torch.manual_seed(0)

text = LlamaConfig(
    hidden_size=4,
    intermediate_size=8,
    num_hidden_layers=1,
    num_attention_heads=2,
    num_key_value_heads=1,
    vocab_size=8,
    tie_word_embeddings=False,
)
vision = CLIPVisionConfig(
    hidden_size=4, intermediate_size=8, num_hidden_layers=1, num_attention_heads=2, image_size=4, patch_size=2
)
clip_text = CLIPTextConfig(
    hidden_size=4,
    intermediate_size=8,
    num_hidden_layers=1,
    num_attention_heads=2,
    vocab_size=8,
    max_position_embeddings=4,
    bos_token_id=6,
    eos_token_id=7,
)


def llava():
    return LlavaForConditionalGeneration(LlavaConfig(vision_config=vision, text_config=text, image_token_index=7))


def saved_shapes(model):
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        with safe_open(f"{folder}/model.safetensors", "pt") as f:
            return {key: f.get_slice(key).get_shape() for key in f.keys()}


def write_json(name, value):
    (out / name).write_text(json.dumps(value, indent=1) + "\n")


# Every element type, with numbers that show rounding, subnormals and the ends of the ranges.
reals = [0.0, -0.0, 1.0, -1.5, 1 / 3, 65504.0, 6e-8, 6.103515625e-05]
tensors = {
    "f32": torch.tensor(reals, dtype=torch.float32).reshape(2, 4),
    "f16": torch.tensor(reals, dtype=torch.float16),
    "bf16": torch.tensor(reals, dtype=torch.bfloat16),
    "f64": torch.tensor(reals, dtype=torch.float64),
    "i64": torch.tensor([-(2**40), 2**40]),
    "i32": torch.tensor([[-7], [8]], dtype=torch.int32),
    "u8": torch.tensor([0, 255, 3], dtype=torch.uint8),
    "i8": torch.tensor([-128, 127], dtype=torch.int8),
    "bool": torch.tensor([True, False]),
    "i16": torch.tensor([5], dtype=torch.int16),
    "scalar": torch.tensor(2.5),
    "empty": torch.zeros(0, 3),
}
save_file(tensors, out / "types.safetensors", metadata={"format": "pt", "note": "grüße"})
write_json("types.json", {k: {"shape": list(v.shape), "values": v.flatten().tolist()} for k, v in tensors.items()})

model = llava()
write_json(
    "names.json",
    {
        "llava-hub": saved_shapes(model),
        "llava-runtime": {k: list(v.shape) for k, v in model.state_dict().items()},
        "llama": saved_shapes(LlamaForCausalLM(text)),
        "clip": saved_shapes(
            CLIPModel(CLIPConfig(text_config=clip_text.to_dict(), vision_config=vision.to_dict(), projection_dim=2))
        ),
        "clip-vision": saved_shapes(CLIPVisionModel(vision)),
    },
)

adapter = out / "adapter"
shutil.rmtree(adapter, ignore_errors=True)
lora = LoraConfig(
    r=2,
    lora_alpha=4,
    lora_dropout=0.05,
    target_modules=["q_proj", "down_proj"],
    modules_to_save=["multi_modal_projector"],
    task_type="CAUSAL_LM",
    init_lora_weights=False,
)
get_peft_model(model, lora).save_pretrained(adapter)
(adapter / "README.md").unlink()
