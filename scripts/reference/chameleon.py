"""Tiny Chameleons (arXiv:2405.09818): codes of images, logits, loss, every gradient and greedy tokens; and what the decoder of
its tokenizer, which transformers lacks, paints of codes, by the formulas of VQGAN (arXiv:2012.09841).

transformers hides the logits of codes in its forward pass, because it draws nothing; here `logits` and `loss` are those of the
head itself, text and codes alike, and greedy tokens are those of transformers.
"""

import json
import math

import torch
from common import (IGNORED, fresh_folder, gradients, greedy, load_file, pad_right, randomise, require_close, valid_rows,
                    write_json, write_provenance, write_tensors)
from torch.nn import functional as F
from transformers import ChameleonConfig, ChameleonForConditionalGeneration, ChameleonVQVAEConfig

SEED = 1220
TEXT = 60  # ids of words lie below
VOCAB = 104
CODES = 30

# One row = pieces of the prompt (a number of text tokens, or an image), then those of the answer.
ONE = ([4, "image", 5], [4])
SHORT = (["image", 3], [2])
WORDS = ([6], [3])
APART = ([2, "image", 3, "image", 1], [4])
ADJACENT = (["image", "image", 4], [3])
DRAWS = ([5], [1, "image", 2])


def code_name(code):
    return "IMGIMG" + "".join(chr(ord("A") + int(digit)) for digit in str(code)) + "Z"


def vocabulary():
    """Codes in no order among the ids behind the words, between the tokens around images."""
    ids = torch.randperm(CODES, generator=torch.Generator().manual_seed(SEED)).add(TEXT + 5).tolist()
    names = {code_name(code): i for code, i in enumerate(ids)}
    names |= {"<image>": TEXT, "<racm3:break>": TEXT + 1, "<eoss>": TEXT + 2, "<reserved08706>": TEXT + 3, "<pad>": TEXT + 4}
    return names


IMAGE, BEGIN, END, PAD = TEXT, TEXT + 1, TEXT + 2, TEXT + 4


def config(vq=(), **text):
    vq = {"embed_dim": 10, "num_embeddings": CODES, "latent_channels": 14, "resolution": 12, "base_channels": 32,
          "channel_multiplier": [1, 2], "num_res_blocks": 1, **dict(vq)}
    text = {"hidden_size": 24, "intermediate_size": 40, "num_hidden_layers": 3, "num_attention_heads": 4,
            "num_key_value_heads": 4, "vocab_size": VOCAB, "max_position_embeddings": 160, "bos_token_id": 1,
            "eos_token_id": None, "pad_token_id": PAD, **text}
    return ChameleonConfig(vq_config=ChameleonVQVAEConfig(**vq), vocabulary_map=vocabulary(), attn_implementation="eager", **text)


CASES = {
    "pre-norm": dict(rows=[ONE, SHORT, DRAWS], size=(11, 15), config=config()),
    "swin-norm-tied": dict(rows=[ADJACENT, ONE, WORDS, APART], size=(12, 12),
                           config=config({"channel_multiplier": [1, 1, 2], "num_res_blocks": 2}, hidden_size=36,
                                         num_attention_heads=6, num_key_value_heads=2, swin_norm=True,
                                         tie_word_embeddings=True)),
    "biased": dict(rows=[APART, DRAWS], size=(3, 5),
                   config=config({"channel_multiplier": [1], "resolution": 4}, num_key_value_heads=1, attention_bias=True, mlp_bias=True, rms_norm_eps=1e-4,
                                 rope_parameters={"rope_type": "default", "rope_theta": 500.0})),
}


def encode(model, pixels):
    """Codes, their ids and the latents; a code whose rival is as near would depend on rounding."""
    vq = model.model.vqmodel
    latents = vq.quant_conv(vq.encoder(pixels))
    rows = latents.permute(0, 2, 3, 1).flatten(0, 2).double()
    distances = torch.cdist(rows, vq.quantize.embedding.weight.double())
    near, rival = distances.topk(2, largest=False).values.unbind(1)
    if (rival - near).min() < 1e-3:
        raise SystemExit(f"a code is a near tie ({(rival - near).min():.1e}): change the seed")
    codes = vq.encode(pixels).image_tokens.view(len(pixels), -1)
    assert torch.equal(codes.flatten(), distances.argmin(1))
    return latents, codes, model.model.get_image_tokens(pixels)


def make_batch(case, model, seed):
    generator = torch.Generator().manual_seed(seed)
    draw = lambda count: torch.randint(2, TEXT, (count,), generator=generator).tolist()
    images = [sum(piece == "image" for piece in prompt + answer) for prompt, answer in case["rows"]]
    pixels = torch.rand((sum(images), 3, *case["size"]), generator=generator) * 2 - 1
    latents, codes, tokens = encode(model, pixels)
    slots = [BEGIN, *[IMAGE] * tokens.shape[1], END]
    rows, labels, prompts, at = [], [], [], 0
    for prompt, answer in case["rows"]:
        ids, targets, short = [1], [IGNORED], [1]
        for k, piece in enumerate(prompt + answer):
            asked = k < len(prompt)
            own = slots if piece == "image" else draw(piece)
            true = [BEGIN, *tokens[at].tolist(), END] if piece == "image" else own
            at += piece == "image"
            ids += own
            targets += [IGNORED] * len(own) if asked else true
            short += ([IMAGE] if piece == "image" else own) if asked else []
        rows.append(ids)
        labels.append(targets)
        prompts.append(short)
    inputs = {"input_ids": pad_right(rows, PAD), "attention_mask": pad_right([[1] * len(ids) for ids in rows], 0),
              "pixel_values": pixels, "labels": pad_right(labels, IGNORED)}
    made = {"vq.latents": latents, "vq.codes": codes, "vq.tokens": tokens}
    return inputs, made, prompts, images, slots


def all_logits(model, input_ids, attention_mask, pixel_values, labels):
    """Logits of text and codes alike, and their cross-entropy."""
    states = model.model(input_ids=input_ids, attention_mask=attention_mask, pixel_values=pixel_values).last_hidden_state
    logits = model.lm_head(states)
    return logits, torch.nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten())


def words_of(model, ids, more):
    """Logits of transformers. An answer with a slot in it could not be read again."""
    logits = model(input_ids=torch.tensor([ids]), **more).logits[0]
    if logits[-1].argmax() == IMAGE:
        raise SystemExit("a slot is the likeliest token: change the seed")
    return logits


def continuations(model, prompts, images, pixels, slots, name):
    """Twelve greedy tokens after each prompt, one prompt at a time; cached decoding must agree. Some would have been codes."""
    tokens, shown, at, codes = [], [], 0, 0
    for prompt, count in zip(prompts, images):
        own = [slots if i == IMAGE else [i] for i in prompt]
        ids = [i for piece in own for i in piece]
        asked = prompt.count(IMAGE)
        shown.append(asked)
        more = {"pixel_values": pixels[at : at + asked]} if asked else {}
        at += count
        tokens.append(greedy(lambda ids: words_of(model, ids, more), ids, 12))
        generated = model.generate(torch.tensor([ids]), max_new_tokens=12, do_sample=False, **more)
        assert generated[0, len(ids) :].tolist() == tokens[-1], f"{name}: cached decoding differs"
        free = model.lm_head(model.model(input_ids=torch.tensor([ids + tokens[-1]]), **more).last_hidden_state)
        codes += sum(i > PAD for i in free[0, len(ids) - 1 : -1].argmax(-1).tolist())
    assert codes > 0, f"{name}: no code would have come"
    return tokens, shown


def load(folder):
    model, report = ChameleonForConditionalGeneration.from_pretrained(
        folder, attn_implementation="eager", dtype=torch.float32, output_loading_info=True)
    assert not any(report[key] for key in ("missing_keys", "unexpected_keys", "mismatched_keys")), (folder.name, report)
    return model.eval()


def write_case(name, case, seed):
    folder = fresh_folder("chameleon", name)
    randomise(ChameleonForConditionalGeneration(case["config"]), seed).save_pretrained(folder)
    model = load(folder)
    with torch.no_grad():
        inputs, made, prompts, images, slots = make_batch(case, model, seed)
    logits, loss = all_logits(model, **inputs)
    loss.backward()
    grads, unreached = gradients(model)
    rows = valid_rows(inputs["attention_mask"])
    with torch.no_grad():
        tokens, shown = continuations(model, prompts, images, inputs["pixel_values"], slots, name)
        hidden = model(**{k: v for k, v in inputs.items() if k != "labels"}).logits
    words = [i for i in range(VOCAB) if i not in model.model.vocabulary_mapping.image_tokens]
    require_close(f"{name}: logits of words", hidden[..., words], logits[..., words])
    write_tensors(folder / "expected.safetensors", {
        **inputs, **made, "rows": rows, "logits": logits.flatten(0, 1)[rows], "loss": loss, **grads})
    write_json(folder / "expected.json", {
        "loss": loss.item(), "unreached": unreached, "imagesPerRow": images,
        "greedy": [{"prompt": p, "images": n, "tokens": t} for p, n, t in zip(prompts, shown, tokens)]})
    with torch.no_grad():
        again, _ = all_logits(load(folder), **inputs)
    require_close(name, again.flatten(0, 1)[rows], load_file(folder / "expected.safetensors")["logits"])
    write_provenance(folder, __file__, seed)


def decoder_shapes(vq):
    """Names and shapes below `decoder.`: a middle, then each level from the last to the first with a block more than the encoder has."""
    widths = [vq.base_channels * times for times in vq.channel_multiplier]
    shapes = {}

    def conv(name, out, given, kernel=3):
        shapes[f"{name}.weight"], shapes[f"{name}.bias"] = (out, given, kernel, kernel), (out,)

    def norm(name, width):
        shapes[f"{name}.weight"] = shapes[f"{name}.bias"] = (width,)

    def block(name, out, given):
        norm(f"{name}.norm1", given), conv(f"{name}.conv1", out, given)
        norm(f"{name}.norm2", out), conv(f"{name}.conv2", out, out)
        if out != given:
            conv(f"{name}.nin_shortcut", out, given, 1)

    width = widths[-1]
    conv("conv_in", width, vq.latent_channels)
    block("mid.block_1", width, width), block("mid.block_2", width, width), norm("mid.attn_1.norm", width)
    for name in ("q", "k", "v", "proj_out"):
        conv(f"mid.attn_1.{name}", width, width, 1)
    for level in reversed(range(len(widths))):
        for i in range(vq.num_res_blocks + 1):
            block(f"up.{level}.block.{i}", widths[level], width)
            width = widths[level]
        if level > 0:
            conv(f"up.{level}.upsample.conv", width, width)
    norm("norm_out", width), conv("conv_out", 3, width)
    return shapes


def painted(weights, z):
    """Pixels -1 to 1 of rows of the code book `[N, E, h, w]`; names as in the official file."""
    conv = lambda name, x: F.conv2d(x, weights[f"{name}.weight"], weights[f"{name}.bias"],
                                    padding=weights[f"{name}.weight"].shape[-1] // 2)
    norm = lambda name, x: F.group_norm(x, 32, weights[f"{name}.weight"], weights[f"{name}.bias"], eps=1e-6)
    swish = lambda x: x * torch.sigmoid(x)

    def block(name, x):
        h = conv(f"{name}.conv1", swish(norm(f"{name}.norm1", x)))
        h = conv(f"{name}.conv2", swish(norm(f"{name}.norm2", h)))
        return h + (conv(f"{name}.nin_shortcut", x) if f"{name}.nin_shortcut.weight" in weights else x)

    def look(name, x):
        q, k, v = (conv(f"{name}.{part}", norm(f"{name}.norm", x)).flatten(2) for part in "qkv")
        seen = torch.softmax(q.transpose(1, 2) @ k * x.shape[1] ** -0.5, 2)
        return x + conv(f"{name}.proj_out", (v @ seen.transpose(1, 2)).view(x.shape))

    x = conv("decoder.conv_in", conv("post_quant_conv", z))
    x = block("decoder.mid.block_2", look("decoder.mid.attn_1", block("decoder.mid.block_1", x)))
    levels = {int(key.split(".")[2]) for key in weights if key.startswith("decoder.up.")}
    for level in sorted(levels, reverse=True):
        blocks = {int(key.split(".")[4]) for key in weights if key.startswith(f"decoder.up.{level}.block.")}
        for i in sorted(blocks):
            x = block(f"decoder.up.{level}.block.{i}", x)
        if level > 0:
            x = conv(f"decoder.up.{level}.upsample.conv", F.interpolate(x, scale_factor=2.0, mode="nearest"))
    return conv("decoder.conv_out", swish(norm("decoder.norm_out", x)))


def write_training(folder, model, weights, seed):
    """The losses of the tokenizer and their gradients, straight through the code book: of each the norm and the first numbers.

    `released` weighs as transformers and the published code do (0.25 on what moves the codes), `paper` as van den Oord et al. do.
    Codes and what becomes of latents are those of transformers' own module; `quantization` is its loss.
    """
    vq = model.model.vqmodel
    pixels = torch.rand((3, 3, 6, 6), generator=torch.Generator().manual_seed(seed)) * 2 - 1
    with torch.no_grad():
        _, codes, _ = encode(model, pixels)
    stored = {"pixels": pixels, "codes": codes}
    for name, (commitment, codebook) in {"released": (1, 0.25), "paper": (0.25, 1)}.items():
        own = dict(vq.named_parameters())
        leaves = {**own, **{key: t.detach().clone().requires_grad_() for key, t in weights.items() if key not in own}}
        for leaf in leaves.values():
            leaf.grad = None
        latents = vq.quant_conv(vq.encoder(pixels))
        passed, official, _ = vq.quantize(latents)
        chosen = vq.quantize.embedding.weight[codes].view(3, 3, 3, -1).permute(0, 3, 1, 2)
        apart = lambda a, b: ((a - b.detach()) ** 2).mean()
        quantization = commitment * apart(latents, chosen) + codebook * apart(chosen, latents)
        if name == "released":
            require_close("quantization", quantization, official)
            quantization = official
        reconstruction = (painted(leaves, passed) - pixels).abs().mean()
        (reconstruction + quantization).backward()
        stored |= {f"{name}.loss": reconstruction + quantization, f"{name}.reconstruction": reconstruction}
        for key, leaf in leaves.items():
            stored[f"{name}.norm.model.vqmodel.{key}"] = leaf.grad.norm()
            stored[f"{name}.grad.model.vqmodel.{key}"] = leaf.grad.flatten()[:48]
    write_tensors(folder / "training.safetensors", stored)


def write_painter(name, seed):
    """The smallest case with a decoder in its file, and what it paints; gradients of vectors and of the code book alone."""
    cfg = config({"resolution": 6, "num_res_blocks": 1}, num_hidden_layers=1)
    folder = fresh_folder("chameleon", name)
    randomise(ChameleonForConditionalGeneration(cfg), seed).save_pretrained(folder)
    generator = torch.Generator().manual_seed(seed)
    tensors = load_file(folder / "model.safetensors")
    for key, shape in decoder_shapes(cfg.vq_config).items():
        noise = torch.randn(shape, generator=generator)
        gain = float("norm" in key and key.endswith("weight"))
        scale = 1.3 / math.sqrt(noise[0].numel()) if len(shape) > 1 else 0.2
        tensors[f"model.vqmodel.decoder.{key}"] = gain + scale * noise
    write_tensors(folder / "model.safetensors", tensors)
    said = json.loads((folder / "config.json").read_text())
    said["vq_config"]["image_decoder"] = True
    write_json(folder / "config.json", said)
    model, report = ChameleonForConditionalGeneration.from_pretrained(folder, output_loading_info=True)
    assert not report["missing_keys"] and all(".vqmodel.decoder." in key for key in report["unexpected_keys"])

    place = "model.vqmodel."
    weights = {key.removeprefix(place): t.clone().requires_grad_() for key, t in tensors.items() if key.startswith(place)}
    codes = torch.randint(0, CODES, (2, 9), generator=generator)
    rows = weights["quantize.embedding.weight"][codes].view(2, 3, 3, -1).permute(0, 3, 1, 2)
    pixels = painted(weights, rows)
    cotangent = torch.randn(pixels.shape, generator=generator)
    (pixels * cotangent).sum().backward()
    grads = {f"grad.{place}{key}": t.grad for key, t in weights.items()
             if t.grad is not None and (t.dim() == 1 or key.startswith("quantize"))}
    write_tensors(folder / "expected.safetensors", {"codes": codes, "pixels": pixels, "cotangent": cotangent, **grads})
    write_training(folder, model.eval(), weights, seed)
    write_provenance(folder, __file__, seed)


write_painter("painter", SEED + 90)
for number, (name, case) in enumerate(CASES.items()):
    write_case(name, case, case.get("seed", SEED) + number)
