"""Tiny LLaVA: folders in every key layout in use, with logits, loss, gradients and greedy tokens."""

import re

import torch
from common import (IGNORED, fresh_folder, gradients, greedy, load_file, pad_right, randomise, require_close, saved_names,
                    valid_rows, write_json, write_provenance, write_tensors)
from torch import nn
from transformers import (CLIPVisionConfig, CLIPVisionModel, Gemma2Config, LlamaConfig, LlavaConfig,
                          LlavaForConditionalGeneration, OPTConfig, Qwen3Config)

SEED = 410
VOCAB, IMAGE, PAD = 72, 70, 71  # text ids lie below IMAGE
V1_IMAGE = -200
SIZE, PATCH = 28, 7

# One row = pieces of the prompt (a number of text tokens, or a picture), then the length of the answer.
ONE = ([4, "image", 5], 4)
SHORT = (["image", 3], 2)
TEXT = ([6], 3)
ADJACENT = (["image", "image", 4], 3)
APART = ([2, "image", 3, "image", 1], 4)

# Renaming of the names written by save_pretrained, for folders written by older programs
HUB_2023 = [(r"^vision_tower\.(?!vision_model)", "vision_tower.vision_model.")]
RUN_TIME = [(r"^language_model\.model\.", "model.language_model."), (r"^language_model\.lm_head", "lm_head"),
            (r"^vision_tower\.", "model.vision_tower.vision_model."), (r"^multi_modal_projector", "model.multi_modal_projector")]


def config(text=(), vision=(), of=LlamaConfig, **options):
    text = {"hidden_size": 24, "intermediate_size": 40, "num_hidden_layers": 3, "num_attention_heads": 4,
            "num_key_value_heads": 4, "vocab_size": VOCAB, "max_position_embeddings": 128, "bos_token_id": 1,
            "eos_token_id": None, "pad_token_id": PAD, "rms_norm_eps": 1e-5, **dict(text)}
    vision = {"hidden_size": 24, "intermediate_size": 40, "num_hidden_layers": 4, "num_attention_heads": 3,
              "image_size": SIZE, "patch_size": PATCH, "projection_dim": 16, **dict(vision)}
    return LlavaConfig(text_config=of(**text), vision_config=CLIPVisionConfig(**vision),
                       image_token_index=IMAGE, image_seq_length=(SIZE // PATCH) ** 2, attn_implementation="eager", **options)


GQA = {"num_key_value_heads": 2}
CASES = {
    "v1.5": dict(rows=[ONE, SHORT], config=config({"hidden_size": 32}, {"hidden_size": 32, "intermediate_size": 48, "num_attention_heads": 4})),
    "v1.5-gqa": dict(rows=[ONE, SHORT], config=config({"hidden_size": 36, "num_attention_heads": 6, "num_key_value_heads": 2,
                     "tie_word_embeddings": True}, tie_word_embeddings=True), save={"max_shard_size": "60KB"}),
    "v1.5-multi": dict(rows=[ADJACENT, ONE, TEXT, APART], config=config(GQA), rename=HUB_2023),
    "v1.5-nonsquare": dict(rows=[ONE, APART], config=config(GQA, {"hidden_act": "gelu"}), size=(28, 42), rename=RUN_TIME),
    "v1.5-bf16": dict(rows=[ONE, TEXT], config=config(GQA), dtype=torch.bfloat16, gradients=False),
}


def make_rows(rows, generator):
    """Rows as (prompt, answer) with one id for each picture, and the number of pictures of each."""
    draw = lambda count: torch.randint(2, IMAGE, (count,), generator=generator).tolist()
    made = []
    for pieces, answer in rows:
        prompt = [1]
        for piece in pieces:
            prompt += [IMAGE] if piece == "image" else draw(piece)
        made.append((prompt, draw(answer)))
    return made, [prompt.count(IMAGE) for prompt, _ in made]


def expand(ids, image_tokens):
    return [copy for i in ids for copy in [i] * (image_tokens if i == IMAGE else 1)]


def make_batch(case, seed):
    generator = torch.Generator().manual_seed(seed)
    height, width = case.get("size", (SIZE, SIZE))
    image_tokens = (height // PATCH) * (width // PATCH)
    rows, images = make_rows(case["rows"], generator)
    prompts = [expand(prompt, image_tokens) for prompt, _ in rows]
    full = [prompt + answer for prompt, (_, answer) in zip(prompts, rows)]
    inputs = {
        "input_ids": pad_right(full, PAD),
        "attention_mask": pad_right([[1] * len(ids) for ids in full], 0),
        "pixel_values": torch.randn((sum(images), 3, height, width), generator=generator),
        "labels": pad_right([[IGNORED] * len(p) + answer for p, (_, answer) in zip(prompts, rows)], IGNORED),
    }
    return inputs, [prompt for prompt, _ in rows], prompts, images


def run(model, inputs):
    """A forward pass; pictures of another size than the tower was made for go through interpolated positions."""
    pixels = inputs.get("pixel_values")
    if pixels is None or tuple(pixels.shape[-2:]) == (SIZE, SIZE):
        return model(**inputs)
    features = model.model.get_image_features(pixels, interpolate_pos_encoding=True)
    return model(**{k: v for k, v in inputs.items() if k != "pixel_values"}, mm_encoder_outputs={"image": features})


def continuations(model, prompts, images, pixels, name):
    """Twelve greedy tokens after each prompt, one prompt at a time; cached decoding must agree where it can be called."""
    tokens, at = [], 0
    for prompt, count in zip(prompts, images):
        own = {"pixel_values": pixels[at : at + count]} if count else {}
        at += count
        tokens.append(greedy(lambda ids: run(model, {"input_ids": torch.tensor([ids]), **own}).logits[0], prompt, 12))
        if tuple(pixels.shape[-2:]) == (SIZE, SIZE):
            generated = model.generate(torch.tensor([prompt]), max_new_tokens=12, do_sample=False, **own)
            assert generated[0, len(prompt) :].tolist() == tokens[-1], f"{name}: cached decoding differs"
    return tokens


def rename(tensors, rules, prefix=""):
    def new_name(name):
        for pattern, replacement in rules:
            name = re.sub(pattern, replacement, name)
        return name

    return {prefix + new_name(name.removeprefix(prefix)): t for name, t in tensors.items()}


def write_hub_config(folder, cfg):
    """A config.json as the files of 2023 have it: defaults left out, `rope_theta` and `torch_dtype` instead of newer fields."""
    text, vision = cfg.text_config, cfg.vision_config
    keep = lambda c, names: {name: getattr(c, name) for name in names}
    write_json(folder / "config.json", {
        "architectures": ["LlavaForConditionalGeneration"],
        "ignore_index": IGNORED, "image_token_index": IMAGE, "model_type": "llava", "projector_hidden_act": "gelu",
        "text_config": {
            "architectures": ["LlamaForCausalLM"], "model_type": "llama", "torch_dtype": "float32",
            **keep(text, ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
                          "num_key_value_heads", "max_position_embeddings", "rms_norm_eps", "vocab_size",
                          "eos_token_id", "pad_token_id"))},
        "torch_dtype": "float32", "transformers_version": "4.36.0",
        "vision_config": {
            "model_type": "clip_vision_model", "vocab_size": 32000,
            **keep(vision, ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
                            "image_size", "patch_size", "projection_dim"))},
        "vision_feature_layer": -2, "vision_feature_select_strategy": "default", "vocab_size": VOCAB})


def write_expected(folder, model, inputs, grads, unreached, prompts, images, tokens, note):
    out = run(model, inputs)
    rows = valid_rows(inputs["attention_mask"])
    write_tensors(folder / "expected.safetensors", {
        **inputs, "rows": rows, "logits": out.logits.flatten(0, 1)[rows], "loss": out.loss, **grads})
    write_json(folder / "expected.json", {
        "loss": out.loss.item(), "unreached": unreached, "imagesPerRow": images, **note,
        "greedy": [{"prompt": p, "images": n, "tokens": t} for p, n, t in zip(prompts, images, tokens)]})


def check_reloaded(folder, reloaded, inputs):
    expected = load_file(folder / "expected.safetensors")
    with torch.no_grad():
        logits = run(reloaded, inputs).logits.flatten(0, 1)[expected["rows"]]
    require_close(folder.name, logits, expected["logits"])


def load(folder):
    model, report = LlavaForConditionalGeneration.from_pretrained(
        folder, attn_implementation="eager", dtype=torch.float32, output_loading_info=True)
    assert not any(report[key] for key in ("missing_keys", "unexpected_keys", "mismatched_keys")), (folder.name, report)
    return model.eval()


def write_case(name, case, seed):
    folder = fresh_folder("llava", name)
    model = randomise(LlavaForConditionalGeneration(case["config"]), seed)
    if "edit" in case:
        case["edit"](model)
    if "dtype" in case:
        model.to(case["dtype"])
    model.save_pretrained(folder, **case.get("save", {}))
    rules = case.get("rename", [])
    if rules:
        weights, _ = saved_names(model, lambda p: p)
        write_tensors(folder / "model.safetensors", rename(weights, rules))
    if rules is HUB_2023:
        write_hub_config(folder, case["config"])
    model = load(folder)

    inputs, prompts, expanded, images = make_batch(case, seed)
    run(model, inputs).loss.backward()
    grads, unreached = gradients(model)
    grads, unreached = rename(grads, rules, "grad."), list(rename(dict.fromkeys(unreached), rules))
    if "save" not in case:
        file_names = load_file(folder / "model.safetensors").keys()
        assert {n.removeprefix("grad.") for n in grads} | set(unreached) == set(file_names), f"{name}: gradient names"
    if not case.get("gradients", True):
        grads, unreached = {}, []
    with torch.no_grad():
        tokens = continuations(model, expanded, images, inputs["pixel_values"], name)
        write_expected(folder, model, inputs, grads, unreached, prompts, images, tokens, {})
    check_reloaded(folder, load(folder), inputs)
    write_provenance(folder, __file__, seed, dtype=f"weights {case.get('dtype', torch.float32)}, computed in float32".replace("torch.", ""))


V1_NAMES = [(r"^model\.language_model\.", "model."), (r"^model\.multi_modal_projector\.", "model.mm_projector."),
            (r"^model\.vision_tower\.", "model.vision_tower.vision_tower.vision_model.")]
V1_TOWER = "model.vision_tower.vision_tower."


def linear_llava(cfg):
    """LLaVA v1: the class of 1.5 with its projector replaced by one linear layer."""
    model = LlavaForConditionalGeneration(cfg)
    model.model.multi_modal_projector = nn.Linear(cfg.vision_config.hidden_size, cfg.text_config.hidden_size)
    return model.eval()


def v1_config(cfg):
    text = cfg.text_config.to_dict()
    names = ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads", "vocab_size",
             "max_position_embeddings", "rms_norm_eps", "hidden_act", "initializer_range", "bos_token_id", "eos_token_id",
             "pad_token_id", "tie_word_embeddings", "use_cache")
    return {
        "architectures": ["LlavaLlamaForCausalLM"], "model_type": "llava_llama", "torch_dtype": "float32",
        **{name: text[name] for name in names},
        "rope_theta": 10000.0, "mm_hidden_size": cfg.vision_config.hidden_size, "mm_projector_type": "linear",
        "mm_vision_select_feature": "patch", "mm_vision_select_layer": -2, "mm_vision_tower": "../v1-clip",
        "mm_use_im_start_end": False, "mm_use_im_patch_token": False, "image_aspect_ratio": "pad",
        "freeze_mm_mlp_adapter": False, "tune_mm_mlp_adapter": False, "use_mm_proj": True}


def write_v1(seed):
    """The layout of the original code: decoder and projector in one folder, the CLIP tower in a folder beside it."""
    folder, tower = fresh_folder("llava", "v1"), fresh_folder("llava", "v1-clip")
    cfg = config(GQA)
    model = randomise(linear_llava(cfg), seed)
    weights = rename(model.state_dict(), V1_NAMES)
    own = {k: t for k, t in weights.items() if not k.startswith(V1_TOWER)}
    vision = {k.removeprefix(V1_TOWER): t for k, t in weights.items() if k.startswith(V1_TOWER)}
    write_tensors(folder / "model.safetensors", own)
    write_json(folder / "config.json", v1_config(cfg))
    write_json(folder / "generation_config.json", {"bos_token_id": 1, "pad_token_id": PAD, "transformers_version": "4.31.0"})
    cfg.vision_config.architectures = ["CLIPVisionModel"]
    cfg.vision_config.save_pretrained(tower)
    write_tensors(tower / "model.safetensors", vision)
    write_json(tower / "preprocessor_config.json", {
        "image_processor_type": "CLIPImageProcessor", "do_resize": True, "size": {"shortest_edge": SIZE}, "resample": 3,
        "do_center_crop": True, "crop_size": {"height": SIZE, "width": SIZE}, "do_rescale": True, "rescale_factor": 1 / 255,
        "do_normalize": True, "image_mean": [0.48145466, 0.4578275, 0.40821073], "image_std": [0.26862954, 0.26130258, 0.27577711],
        "do_convert_rgb": True})

    case = {"rows": [ONE, SHORT, TEXT]}
    inputs, prompts, expanded, images = make_batch(case, seed)
    run(model, inputs).loss.backward()
    grads = {f"grad.{name}": p.grad for name, p in model.named_parameters() if p.grad is not None}
    unreached = [name for name, p in model.named_parameters() if p.grad is None]
    grads, unreached = rename(grads, V1_NAMES, "grad."), list(rename(dict.fromkeys(unreached), V1_NAMES))
    as_v1 = lambda ids: [V1_IMAGE if i == IMAGE else i for i in ids]
    with torch.no_grad():
        tokens = continuations(model, expanded, images, inputs["pixel_values"], "v1")
        write_expected(folder, model, inputs, grads, unreached, [as_v1(p) for p in prompts], images, tokens,
                       {"imageToken": V1_IMAGE})
    again = linear_llava(cfg)
    loaded_tower = CLIPVisionModel.from_pretrained(tower, attn_implementation="eager")
    again.model.vision_tower.load_state_dict(loaded_tower.state_dict())
    report = again.load_state_dict({re.sub(r"^model\.(?!mm_projector)", "model.language_model.", k).replace("mm_projector", "multi_modal_projector"): t
                                    for k, t in load_file(folder / "model.safetensors").items()}, strict=False)
    assert not report.unexpected_keys and all("vision_tower" in k for k in report.missing_keys), report
    check_reloaded(folder, again, inputs)

    # The original code has no image token in its vocabulary: the slots hold -200 in the files.
    written = load_file(folder / "expected.safetensors")
    written["input_ids"][written["input_ids"] == IMAGE] = V1_IMAGE
    write_tensors(folder / "expected.safetensors", written)
    for where in (folder, tower):
        write_provenance(where, __file__, seed)


for i, (name, case) in enumerate(CASES.items()):
    write_case(name, case, SEED + i)
write_v1(SEED + len(CASES))


def one_layer(model):
    """LLaVA v1 as this class can hold it: the second layer of its projector hands on what it is given."""
    second = model.model.multi_modal_projector.linear_2
    with torch.no_grad():
        second.weight.copy_(torch.eye(len(second.weight)))
        second.bias.zero_()


write_case("v1-two-layers", dict(rows=[ONE, SHORT], config=config(GQA, projector_hidden_act="linear"), edit=one_layer), SEED + len(CASES) + 3)

OPT = OPTConfig(hidden_size=24, ffn_dim=40, num_hidden_layers=2, num_attention_heads=4, vocab_size=VOCAB, dropout=0.0,
                max_position_embeddings=128, bos_token_id=1, eos_token_id=None, pad_token_id=PAD,
                tie_word_embeddings=False)
OTHERS = {
    "v1.5-qwen3": config({**GQA, "head_dim": 10}, of=Qwen3Config),
    # transformers leaves the final soft cap of Gemma 2, 30 in its configuration, out of a LLaVA.
    "v1.5-gemma2": config({**GQA, "head_dim": 10, "sliding_window": 12, "query_pre_attn_scalar": 7}, of=Gemma2Config),
    "v1.5-opt": config({}, of=lambda **_: OPT),
}
for i, (name, cfg) in enumerate(OTHERS.items()):
    write_case(name, dict(rows=[ONE, SHORT], config=cfg), SEED + 20 + i)
