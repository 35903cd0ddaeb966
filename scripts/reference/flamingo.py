"""Tiny Flamingos: the layers of OpenFlamingo (arXiv:2308.01390) around decoders of transformers, with logits, loss, every
gradient and greedy tokens, for rows with none to three pictures. Also what an official file holds: the trained parts alone."""

import torch
from common import (IGNORED, fresh_folder, greedy, load_file, pad_right, randomise, require_close, valid_rows, write_json,
                    write_provenance, write_tensors)
from torch import nn
from torch.nn import functional as F
from transformers import (CLIPVisionConfig, CLIPVisionModel, LlamaConfig, LlamaForCausalLM, MptConfig, MptForCausalLM,
                          OPTConfig, OPTForCausalLM)

SEED = 900
VOCAB, END, IMAGE, PAD = 64, 61, 62, 63  # text ids lie below END
SIZE, PATCH = 28, 7
LATENTS, DEPTH, HEADS, HEAD = 5, 2, 3, 6

VISION = dict(hidden_size=24, intermediate_size=40, num_hidden_layers=3, num_attention_heads=3, image_size=SIZE,
              patch_size=PATCH, projection_dim=16)


def feed_forward(width):
    return nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 4 * width, bias=False), nn.GELU(),
                         nn.Linear(4 * width, width, bias=False))


def attend(query, key, value, mask=None):
    """Softmax attention of `[.., T, HEADS * HEAD]`; a mask is true where a query may look."""
    apart = lambda x: x.unflatten(-1, (HEADS, HEAD)).transpose(-3, -2)
    scores = apart(query) @ apart(key).transpose(-1, -2) / HEAD**0.5
    if mask is not None:
        scores = scores.masked_fill(~mask[:, None], -torch.finfo(scores.dtype).max)
    return (scores.softmax(-1) @ apart(value)).transpose(-3, -2).flatten(-2)


class LatentAttention(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm_media, self.norm_latents = nn.LayerNorm(width), nn.LayerNorm(width)
        self.to_q = nn.Linear(width, HEADS * HEAD, bias=False)
        self.to_kv = nn.Linear(width, 2 * HEADS * HEAD, bias=False)
        self.to_out = nn.Linear(HEADS * HEAD, width, bias=False)

    def forward(self, features, latents):
        own = self.norm_latents(latents)
        key, value = self.to_kv(torch.cat([self.norm_media(features), own], -2)).chunk(2, -1)
        return self.to_out(attend(self.to_q(own), key, value))


class Resampler(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.latents = nn.Parameter(torch.zeros(LATENTS, width))
        self.layers = nn.ModuleList(nn.ModuleList([LatentAttention(width), feed_forward(width)]) for _ in range(DEPTH))
        self.norm = nn.LayerNorm(width)

    def forward(self, features):
        x = self.latents.expand(len(features), -1, -1)
        for look, inner in self.layers:
            x = x + look(features, x)
            x = x + inner(x)
        return self.norm(x)


class TextAttention(nn.Module):
    def __init__(self, width, media_width):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.to_q = nn.Linear(width, HEADS * HEAD, bias=False)
        self.to_kv = nn.Linear(media_width, 2 * HEADS * HEAD, bias=False)
        self.to_out = nn.Linear(HEADS * HEAD, width, bias=False)

    def forward(self, x, media, latest):
        """`media [B, M, R, Dv]`; token t sees the image number `latest[b, t]`, and nothing where that is 0."""
        key, value = self.to_kv(media.flatten(1, 2)).chunk(2, -1)
        numbers = torch.arange(1, media.shape[1] + 1).repeat_interleave(media.shape[2])
        out = attend(self.to_q(self.norm(x)), key, value, latest[..., None] == numbers)
        return self.to_out(out * (latest > 0)[..., None])


class GatedLayer(nn.Module):
    def __init__(self, width, media_width):
        super().__init__()
        self.attn, self.ff = TextAttention(width, media_width), feed_forward(width)
        self.attn_gate, self.ff_gate = nn.Parameter(torch.zeros(1)), nn.Parameter(torch.zeros(1))

    def forward(self, x, media, latest):
        if media is not None:
            x = x + torch.tanh(self.attn_gate) * self.attn(x, media, latest)
        return x + torch.tanh(self.ff_gate) * self.ff(x)


class Flamingo(nn.Module):
    """`blocks` is the path of the decoder's blocks, whose inputs pass a gated layer in front of every n-th."""

    def __init__(self, lang, blocks, every, width, vision):
        super().__init__()
        self.blocks = blocks
        self.vision_tower = CLIPVisionModel(CLIPVisionConfig(**VISION, attn_implementation="eager"))
        self.perceiver = Resampler(vision["hidden_size"])
        self.lang_encoder = lang
        decoder = lang.get_submodule(blocks)
        self.gated = nn.ModuleDict({str(i): GatedLayer(width, vision["hidden_size"])
                                    for i in range(len(decoder)) if (i + 1) % every == 0})
        self.seen = (None, None)
        for i, gated in self.gated.items():
            # Blocks get the states first, by place or by name.
            def before(_, args, kwargs, gated=gated):
                if args:
                    return (gated(args[0], *self.seen), *args[1:]), kwargs
                return args, {**kwargs, "hidden_states": gated(kwargs["hidden_states"], *self.seen)}
            decoder[int(i)].register_forward_pre_hook(before, with_kwargs=True)

    def look(self, ids, pixels, images):
        """Latents of each row's images in a grid, zero where it has fewer than the most."""
        latest = (ids == IMAGE).cumsum(-1)
        if sum(images) == 0:
            self.seen = (None, None)
            return
        features = self.vision_tower(pixels, output_hidden_states=True).hidden_states[-1][:, 1:]
        rows = self.perceiver(features).split(images)
        most = max(images)
        self.seen = (torch.stack([F.pad(row, (0, 0, 0, 0, 0, most - len(row))) for row in rows]), latest)

    def forward(self, input_ids, attention_mask, pixel_values, images, labels=None):
        self.look(input_ids, pixel_values, images)
        return self.lang_encoder(input_ids=input_ids, attention_mask=attention_mask, labels=labels)

    def named(self, value_of):
        """Values under OpenFlamingo's names: blocks and gated layers within the wrapper of each block."""
        out = {}
        for name, p in self.named_parameters():
            if name.startswith("gated."):
                _, i, rest = name.split(".", 2)
                name = f"lang_encoder.{self.blocks}.{i}.gated_cross_attn_layer.{rest}"
            elif name.startswith(f"lang_encoder.{self.blocks}."):
                i, rest = name.removeprefix(f"lang_encoder.{self.blocks}.").split(".", 1)
                name = f"lang_encoder.{self.blocks}.{i}.decoder_layer.{rest}"
            name = name.replace("vision_tower.vision_model.", "vision_tower.")
            out[name] = value_of(p)
        return out


def randomised(model, seed):
    model.config = model.lang_encoder.config
    randomise(model, seed)
    generator = torch.Generator().manual_seed(seed + 1)
    with torch.no_grad():
        for name, p in model.named_parameters():
            if name.endswith("_gate"):
                p.copy_(0.6 + 0.3 * torch.rand(1, generator=generator))
            elif name.endswith(("ff.0.weight", ".1.0.weight")):
                p.add_(1.0)
            elif name == "perceiver.latents":
                p.copy_(torch.randn(p.shape, generator=generator))
    return model


# One row = pieces of the prompt (a number of text tokens, or a picture), then the length of the answer.
ROWS = [([3, "image", 4, "image", 2], 5), ([5], 4), (["image", 3], 3), ([2, "image", "image", 3, "image", 2], 4)]


def make_batch(rows, seed):
    generator = torch.Generator().manual_seed(seed)
    draw = lambda count: torch.randint(2, END, (count,), generator=generator).tolist()
    prompts = [[1] + [i for piece in pieces for i in ([IMAGE] if piece == "image" else draw(piece))] for pieces, _ in rows]
    answers = [draw(count - 1) + [END] for _, count in rows]
    images = [prompt.count(IMAGE) for prompt in prompts]
    full = [p + a for p, a in zip(prompts, answers)]
    return prompts, images, {
        "input_ids": pad_right(full, PAD),
        "attention_mask": pad_right([[1] * len(ids) for ids in full], 0),
        "labels": pad_right([[IGNORED] * len(p) + a for p, a in zip(prompts, answers)], IGNORED),
        "pixel_values": torch.randn((sum(images), 3, SIZE, SIZE), generator=generator),
    }


def write_case(name, lang, text, blocks, width, every, seed, rows=ROWS):
    folder = fresh_folder("flamingo", name)
    model = randomised(Flamingo(lang, blocks, every, width, VISION), seed)
    prompts, images, inputs = make_batch(rows, seed)
    out = model(**inputs, images=images)
    out.loss.backward()
    grads = {f"grad.{n}": g for n, g in model.named(lambda p: p.grad).items() if g is not None}
    unreached = [n for n, g in model.named(lambda p: p.grad).items() if g is None]
    write_tensors(folder / "model.safetensors", model.named(lambda p: p))
    write_json(folder / "config.json", {
        "architectures": ["Flamingo"], "model_type": "flamingo",
        "vision_config": {**VISION, "model_type": "clip_vision_model"}, "text_config": text.to_dict(),
        "cross_attn_every_n_layers": every, "media_token_id": IMAGE, "eoc_token_id": END,
        "perceiver_config": {"num_latents": LATENTS, "depth": DEPTH, "heads": HEADS, "dim_head": HEAD},
        "cross_attn_config": {"heads": HEADS, "dim_head": HEAD},
        "tie_word_embeddings": bool(text.tie_word_embeddings)})
    kept = valid_rows(inputs["attention_mask"])
    logits = out.logits.flatten(0, 1)[kept]
    write_tensors(folder / "expected.safetensors", {**inputs, "rows": kept, "logits": logits, "loss": out.loss, **grads})

    tokens, at = [], 0
    with torch.no_grad():
        require_close(name, model(**inputs, images=images).logits.flatten(0, 1)[kept], logits)
        for prompt, count in zip(prompts, images):
            pixels = inputs["pixel_values"][at : at + count]
            at += count
            logits_of = lambda ids: model(torch.tensor([ids]), torch.ones(1, len(ids)), pixels, [count]).logits[0]
            tokens.append(greedy(logits_of, prompt, 12))
    write_json(folder / "expected.json", {
        "loss": out.loss.item(), "unreached": unreached, "imagesPerRow": images,
        "greedy": [{"prompt": p, "images": n, "tokens": t} for p, n, t in zip(prompts, images, tokens)]})
    write_provenance(folder, __file__, seed)
    return model, folder


SHAPE = dict(vocab_size=VOCAB, bos_token_id=1, eos_token_id=None, pad_token_id=PAD)


def llama(**more):
    return LlamaConfig(**SHAPE, hidden_size=32, intermediate_size=40, num_hidden_layers=4, num_attention_heads=4,
                       num_key_value_heads=2, max_position_embeddings=64, attn_implementation="eager", **more)


LLAMA = llama()
OPT = OPTConfig(**SHAPE, hidden_size=24, ffn_dim=36, num_hidden_layers=2, num_attention_heads=4,
                max_position_embeddings=64, dropout=0.0, attn_implementation="eager")

model, folder = write_case("llama", LlamaForCausalLM(LLAMA), LLAMA, "model.layers", 32, 2, SEED)
MPT = MptConfig(vocab_size=VOCAB, d_model=24, n_heads=3, n_layers=2, max_seq_len=64, bos_token_id=1, pad_token_id=PAD,
                attn_implementation="eager")
write_case("mpt", MptForCausalLM(MPT), MPT, "transformer.blocks", 24, 1, SEED + 20)
write_case("opt", OPTForCausalLM(OPT), OPT, "model.decoder.layers", 24, 1, SEED + 11)


def write_official(model):
    """The first case as a user of OpenFlamingo has it: the trained parts in one file, the frozen ones as they were before."""
    official = fresh_folder("flamingo", "official")
    named = model.named(lambda p: p)
    trained = {n: t for n, t in named.items() if n.startswith("perceiver.") or "gated_cross_attn_layer" in n or "embed" in n}
    trained = {n: t for n, t in trained.items() if "vision_tower" not in n}
    write_tensors(official / "model.safetensors", trained)
    write_json(official / "config.json", {
        "model_type": "flamingo", "lang_encoder_path": "language", "clip_vision_encoder_path": "vision",
        "cross_attn_every_n_layers": 2, "media_token_id": IMAGE, "eoc_token_id": END, "vocab_size": VOCAB,
        "perceiver_config": {"num_latents": LATENTS, "depth": DEPTH, "heads": HEADS, "dim_head": HEAD},
        "cross_attn_config": {"heads": HEADS, "dim_head": HEAD}})
    # Before its tokens were added, the language model had fewer rows.
    lang = LlamaForCausalLM(LLAMA)
    lang.load_state_dict(model.lang_encoder.state_dict())
    lang.resize_token_embeddings(END)
    lang.save_pretrained(official / "language")
    model.vision_tower.save_pretrained(official / "vision")
    for where in (official, official / "language", official / "vision"):
        write_provenance(where, __file__, SEED)


write_official(model)
