"""Tiny CLIP: the vision tower alone (hidden states, pooled row, gradients) and both towers with the contrastive loss."""

import torch
from common import (fresh_folder, gradients, load_file, pad_right, randomise, require_close, write_json,
                    write_provenance, write_tensors)
from transformers import CLIPConfig, CLIPModel, CLIPTextConfig, CLIPVisionConfig, CLIPVisionModel

SEED = 21
VISION = dict(hidden_size=24, intermediate_size=40, num_attention_heads=3, image_size=28, patch_size=7)
END = 59

# name: (configuration, picture height and width)
VISION_CASES = {
    "vision-quick-gelu": (dict(num_hidden_layers=3), (28, 28)),
    "vision-gelu": (dict(num_hidden_layers=2, hidden_act="gelu", layer_norm_eps=1e-4), (28, 28)),
    "vision-nonsquare": (dict(num_hidden_layers=2), (28, 42)),
}


def vision_case(name, options, size, seed):
    folder = fresh_folder("clip", name)
    model = randomise(CLIPVisionModel(CLIPVisionConfig(**VISION, **options, attn_implementation="eager")), seed)
    generator = torch.Generator().manual_seed(seed)
    pixels = torch.randn((2, 3, *size), generator=generator)
    run = lambda m: m(pixels, output_hidden_states=True, interpolate_pos_encoding=size != (28, 28))
    out = run(model)
    cotangents = {f"cotangent.{key}": torch.randn(out[key].shape, generator=generator) for key in ("last_hidden_state", "pooler_output")}
    loss = sum((out[key.removeprefix("cotangent.")] * c).sum() for key, c in cotangents.items())
    loss.backward()
    grads, unreached = gradients(model)
    assert not unreached
    model.save_pretrained(folder)
    states = {f"hidden_states.{i}": h for i, h in enumerate(out.hidden_states)}
    write_tensors(folder / "expected.safetensors", {
        "pixel_values": pixels, **states, "pooler_output": out.pooler_output, **cotangents, **grads})

    reloaded = CLIPVisionModel.from_pretrained(folder, attn_implementation="eager").eval()
    again, expected = run(reloaded), load_file(folder / "expected.safetensors")
    for i, state in enumerate(again.hidden_states):
        require_close(name, state, expected[f"hidden_states.{i}"])
    require_close(name, again.last_hidden_state, expected[f"hidden_states.{options['num_hidden_layers']}"])
    require_close(name, again.pooler_output, expected["pooler_output"])
    write_provenance(folder, __file__, seed, interpolate_pos_encoding=size != (28, 28))


def contrastive_case(name, seed):
    folder = fresh_folder("clip", name)
    text = CLIPTextConfig(hidden_size=24, intermediate_size=40, num_hidden_layers=2, num_attention_heads=3, vocab_size=60,
                          max_position_embeddings=12, bos_token_id=1, eos_token_id=END, pad_token_id=0, projection_dim=16)
    vision = CLIPVisionConfig(**VISION, num_hidden_layers=2, projection_dim=16)
    config = CLIPConfig(text_config=text.to_dict(), vision_config=vision.to_dict(), projection_dim=16, attn_implementation="eager")
    model = randomise(CLIPModel(config), seed)
    generator = torch.Generator().manual_seed(seed)
    rows = [[1, *torch.randint(2, END, (n,), generator=generator).tolist(), END] for n in (6, 3, 8)]
    inputs = {"input_ids": pad_right(rows, 0), "attention_mask": pad_right([[1] * len(row) for row in rows], 0),
              "pixel_values": torch.randn((3, 3, 28, 28), generator=generator)}
    out = model(**inputs, return_loss=True)
    out.loss.backward()
    grads, unreached = gradients(model)
    assert not unreached
    model.save_pretrained(folder)
    features = {"text_features": model.get_text_features(inputs["input_ids"], inputs["attention_mask"]).pooler_output,
                "image_features": model.get_image_features(inputs["pixel_values"]).pooler_output}
    write_tensors(folder / "expected.safetensors", {
        **inputs, **features, "text_embeds": out.text_embeds, "image_embeds": out.image_embeds,
        "text_last_hidden_state": out.text_model_output.last_hidden_state,
        "logits_per_image": out.logits_per_image, "loss": out.loss, **grads})

    reloaded = CLIPModel.from_pretrained(folder, attn_implementation="eager").eval()
    again, expected = reloaded(**inputs, return_loss=True), load_file(folder / "expected.safetensors")
    require_close(name, again.logits_per_image, expected["logits_per_image"])
    require_close(name, again.loss, expected["loss"])
    # Padding sits after the end token under a causal mask, so the mask does not change the pooled row.
    require_close(name, reloaded.get_text_features(inputs["input_ids"]).pooler_output, expected["text_features"])
    write_json(folder / "expected.json", {"loss": out.loss.item()})
    write_provenance(folder, __file__, seed)


for i, (name, (options, size)) in enumerate(VISION_CASES.items()):
    vision_case(name, options, size, SEED + i)
contrastive_case("contrastive", SEED + len(VISION_CASES))
