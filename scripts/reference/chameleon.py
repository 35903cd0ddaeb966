"""Tiny Chameleons (arXiv:2405.09818): codes of images, logits, loss, every gradient and greedy tokens.

transformers hides the logits of codes in its forward pass, because it draws nothing; here `logits` and `loss` are those of the
head itself, text and codes alike, and greedy tokens are those of transformers.
"""

import torch
from common import (IGNORED, fresh_folder, gradients, greedy, load_file, pad_right, randomise, require_close, valid_rows,
                    write_json, write_provenance, write_tensors)
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


for number, (name, case) in enumerate(CASES.items()):
    write_case(name, case, case.get("seed", SEED) + number)
