"""Tiny LLaMA-Adapter: LLaMA in Meta's form with zero-init attention, and the image branch of the paper.

There is no class of transformers for it: the formulas stand here, computed in float64 on float32 weights. With its gates shut
the model is held against `LlamaForCausalLM`; texts padded on the left and on the right, and decoding with a cache, against
one text at a time.
"""

import math

import torch
from common import (IGNORED, fresh_folder, greedy, load_file, pad_right, require_close, valid_rows, write_json,
                    write_provenance, write_tensors)
from torch import nn
from torch.nn import functional as F
from transformers import CLIPVisionConfig, CLIPVisionModel, LlamaConfig, LlamaForCausalLM

SEED = 1600
VOCAB, PAD = 72, 71
SIZE, PATCH = 28, 7

TEXT = {"model_type": "llama", "hidden_size": 32, "intermediate_size": 40, "num_hidden_layers": 3, "num_attention_heads": 4,
        "num_key_value_heads": 4, "vocab_size": VOCAB, "max_position_embeddings": 64, "rms_norm_eps": 1e-5,
        "bos_token_id": 1, "eos_token_id": None, "pad_token_id": PAD, "tie_word_embeddings": False}
VISION = {"model_type": "clip_vision_model", "hidden_size": 24, "intermediate_size": 40, "num_hidden_layers": 4,
          "num_attention_heads": 3, "image_size": SIZE, "patch_size": PATCH, "projection_dim": 16}

# A row: tokens of the prompt, tokens of the answer, images.
ROWS = [(6, 4, 1), (9, 3, 0), (4, 5, 1)]
CASES = {
    "original": dict(text=TEXT, vision=VISION, adapter={"adapter_len": 5, "adapter_layer": 2}, layout="original"),
    "gqa": dict(text={**TEXT, "hidden_size": 36, "num_attention_heads": 6, "num_key_value_heads": 2, "rope_theta": 500.0},
                vision=VISION, adapter={"adapter_len": 3, "adapter_layer": 3, "vision_feature_layers": [1, 3],
                                        "projection_hidden_size": 10}, layout="hub"),
    "text-original": dict(text={**TEXT, "num_hidden_layers": 2}, vision=None,
                          adapter={"adapter_len": 4, "adapter_layer": 1}, layout="original"),
}


class Norm(nn.Module):
    def __init__(self, width, eps):
        super().__init__()
        self.weight, self.eps = nn.Parameter(torch.ones(width)), eps

    def forward(self, x):
        return self.weight * x * (x.pow(2).mean(-1, keepdim=True) + self.eps).rsqrt()


def rotate(x, positions, theta):
    """Turns numbers 2i and 2i + 1 of every head as one complex number; x [B, T, H, d], positions [B, T]."""
    half = x.shape[-1] // 2
    angles = positions[..., None] * theta ** (-torch.arange(half, dtype=x.dtype) / half)
    turned = torch.view_as_complex(x.unflatten(-1, (half, 2)).contiguous()) * torch.polar(torch.ones_like(angles), angles)[:, :, None]
    return torch.view_as_real(turned).flatten(-2)


class Attention(nn.Module):
    def __init__(self, c, adapted):
        super().__init__()
        self.heads, self.kv, self.size = c["num_attention_heads"], c["num_key_value_heads"], c["hidden_size"] // c["num_attention_heads"]
        self.theta, width = c.get("rope_theta", 10000.0), c["hidden_size"]
        make = lambda inward, outward: nn.Linear(inward, outward, bias=False)
        self.wq, self.wk = make(width, self.heads * self.size), make(width, self.kv * self.size)
        self.wv, self.wo = make(width, self.kv * self.size), make(self.heads * self.size, width)
        if adapted:
            self.gate = nn.Parameter(torch.zeros(1, self.heads, 1, 1))

    def split(self, x, heads):
        return x.unflatten(-1, (heads, self.size))

    def spread(self, x):
        """Every key head for the query heads it serves: [B, S, kv, d] to [B, H, S, d]."""
        return x.repeat_interleave(self.heads // self.kv, 2).transpose(1, 2)

    def forward(self, x, positions, hidden, prompts, cache):
        q = rotate(self.split(self.wq(x), self.heads), positions, self.theta).transpose(1, 2)
        k, v = rotate(self.split(self.wk(x), self.kv), positions, self.theta), self.split(self.wv(x), self.kv)
        if cache is not None:
            if self in cache:
                k, v = torch.cat([cache[self][0], k], 1), torch.cat([cache[self][1], v], 1)
            cache[self] = k, v
        k, v = self.spread(k), self.spread(v)
        weights = F.softmax(q @ k.transpose(2, 3) / math.sqrt(self.size) + hidden, -1)
        if prompts is not None:
            k_p, v_p = self.spread(self.split(self.wk(prompts), self.kv)), self.spread(self.split(self.wv(prompts), self.kv))
            prompt_weights = self.gate.tanh() * F.softmax(q @ k_p.transpose(2, 3) / math.sqrt(self.size), -1)
            weights, v = torch.cat([prompt_weights, weights], -1), torch.cat([v_p, v], 2)
        return self.wo((weights @ v).transpose(1, 2).flatten(2))


class FeedForward(nn.Module):
    def __init__(self, c):
        super().__init__()
        width, inner = c["hidden_size"], c["intermediate_size"]
        self.w1, self.w2, self.w3 = (nn.Linear(*s, bias=False) for s in ((width, inner), (inner, width), (width, inner)))

    def forward(self, x):
        return self.w2(F.silu(self.w1(x)) * self.w3(x))


class Block(nn.Module):
    def __init__(self, c, adapted):
        super().__init__()
        self.attention, self.feed_forward = Attention(c, adapted), FeedForward(c)
        self.attention_norm, self.ffn_norm = (Norm(c["hidden_size"], c["rms_norm_eps"]) for _ in range(2))

    def forward(self, x, *rest):
        h = x + self.attention(self.attention_norm(x), *rest)
        return h + self.feed_forward(self.ffn_norm(h))


class Projection(nn.Module):
    def __init__(self, inward, inner, width):
        super().__init__()
        self.linear_1, self.linear_2 = nn.Linear(inward, inner), nn.Linear(inner, width)

    def forward(self, x):
        return self.linear_2(F.gelu(self.linear_1(x)))


class Model(nn.Module):
    def __init__(self, text, vision, adapter):
        super().__init__()
        self.k, self.l = adapter["adapter_len"], adapter["adapter_layer"]
        depth, width = text["num_hidden_layers"], text["hidden_size"]
        self.tok_embeddings = nn.Embedding(VOCAB, width)
        self.layers = nn.ModuleList(Block(text, i >= depth - self.l) for i in range(depth))
        self.norm, self.output = Norm(width, text["rms_norm_eps"]), nn.Linear(width, VOCAB, bias=False)
        self.adapter_query = nn.Embedding(self.k * self.l, width)
        if vision:
            config = CLIPVisionConfig(**vision)
            config._attn_implementation = "eager"
            self.vision_tower = CLIPVisionModel(config)
            self.levels = adapter.get("vision_feature_layers", [1, 2, 3, 4])
            self.image_projection = Projection(len(self.levels) * vision["hidden_size"], adapter.get("projection_hidden_size", 128), width)

    def picture(self, pixels):
        """One vector for each image, from the class token after several blocks."""
        tower = getattr(self.vision_tower, "vision_model", self.vision_tower)
        states = self.vision_tower(pixels, output_hidden_states=True).hidden_states
        return self.image_projection(torch.cat([tower.post_layernorm(states[i][:, 0]) for i in self.levels], -1))

    def forward(self, ids, mask=None, pixels=None, owners=(), cache=None, shut=False):
        """Logits [B, T, V]; `owners` are the rows of the images, `mask` is 0 at padding, wherever it stands."""
        b, t = ids.shape
        mask = torch.ones_like(ids) if mask is None else mask
        past = 0 if not cache else next(iter(cache.values()))[0].shape[1]
        positions = past + (mask.cumsum(1) - 1).clamp(min=0)
        later = torch.ones(t, past + t, dtype=torch.bool).triu(past + 1)
        unseen = later | (F.pad(mask, (past, 0), value=1)[:, None, None, :] == 0)
        hidden = torch.zeros(unseen.shape, dtype=self.norm.weight.dtype).masked_fill(unseen, torch.finfo(torch.float64).min / 2)
        added = torch.zeros(b, 1, self.norm.weight.numel(), dtype=self.norm.weight.dtype)
        if len(owners):
            added = added.index_put((torch.tensor(owners), torch.zeros(len(owners), dtype=torch.long)), self.picture(pixels))
        table = self.adapter_query.weight.unflatten(0, (self.l, 1, self.k))
        x = self.tok_embeddings(ids)
        for i, layer in enumerate(self.layers):
            j = i - (len(self.layers) - self.l)
            x = layer(x, positions.to(x.dtype), hidden, None if j < 0 or shut else table[j] + added, cache)
        return self.output(self.norm(x))


def randomise(model, seed):
    """Gains around 1, biases around 0, open gates, matrices that keep the variance of their input."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, p in sorted(model.named_parameters()):
            noise = torch.randn(p.shape, generator=generator)
            if "norm" in name or "layrnorm" in name:
                p.copy_((1.0 if name.endswith("weight") else 0.0) + 0.2 * noise)
            elif name.endswith("gate"):
                p.copy_(0.8 * noise)
            elif p.dim() == 1:
                p.copy_(0.2 * noise)
            elif "embed" in name and "patch" not in name or name == "adapter_query.weight":
                p.copy_(0.7 * noise)
            else:
                p.copy_(1.3 * noise / math.sqrt(p[0].numel()))
    return model.double().eval()


def halves(name, tensor, size):
    """Rows of query and key matrices as transformers has them: number i of a head turns with i + d/2."""
    if ".self_attn.q_proj." not in name and ".self_attn.k_proj." not in name:
        return tensor
    return tensor.unflatten(0, (-1, size // 2, 2)).transpose(1, 2).flatten(0, 2)


META = {"attention.wq": "self_attn.q_proj", "attention.wk": "self_attn.k_proj", "attention.wv": "self_attn.v_proj",
        "attention.wo": "self_attn.o_proj", "feed_forward.w1": "mlp.gate_proj", "feed_forward.w2": "mlp.down_proj",
        "feed_forward.w3": "mlp.up_proj", "attention_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm"}


def hub_name(name):
    """The name that `LlamaForCausalLM` gives to a parameter of the language model; None for the adapter's."""
    if name.startswith(("adapter_query", "vision_tower", "image_projection")) or name.endswith(".gate"):
        return None
    for meta, ours in META.items():
        name = name.replace(f".{meta}.", f".{ours}.")
    name = name.replace("output.", "lm_head.").replace("tok_embeddings.", "embed_tokens.")
    return name if name.startswith("lm_head.") else f"model.{name}"


def file_tensors(tensors, layout, size):
    """Tensors of the model under the names, and in the order of rows, of a layout."""
    out = {}
    for name, t in tensors.items():
        name, hub = name.replace("vision_tower.vision_model.", "vision_tower."), hub_name(name)
        if layout == "original" or hub is None:
            out[name] = t
        else:
            out[f"language_model.{hub}"] = halves(hub, t, size)
    return out


def make_rows(rows, generator, images):
    draw = lambda count: torch.randint(2, PAD, (count,), generator=generator).tolist()
    return [([1] + draw(prompt), draw(answer), count if images else 0) for prompt, answer, count in rows]


def check_base(model, text, ids, size):
    """With its gates shut the model is the language model of transformers, in the order of its rows."""
    plain = LlamaForCausalLM(LlamaConfig(**text, attn_implementation="eager")).double().eval()
    own = {hub_name(n): halves(hub_name(n), p, size) for n, p in model.named_parameters() if hub_name(n)}
    plain.load_state_dict(own)
    require_close("the language model", model(ids, shut=True), plain(ids).logits)
    gates = {n: p.clone() for n, p in model.named_parameters() if n.endswith(".gate")}
    with torch.no_grad():
        for n, p in model.named_parameters():
            if n in gates:
                p.zero_()
        require_close("gates at zero", model(ids), plain(ids).logits)
        for n, p in model.named_parameters():
            if n in gates:
                p.copy_(gates[n])


def check_paddings(model, full, pixels, owners):
    """Each row alone, and all together with padding on either side."""
    width = max(map(len, full))
    right = model(pad_right(full, PAD), pad_right([[1] * len(r) for r in full], 0), pixels, owners)
    left = torch.tensor([[PAD] * (width - len(r)) + r for r in full])
    shifted = model(left, (torch.arange(width) >= width - torch.tensor([[len(r)] for r in full])).long(), pixels, owners)
    for b, row in enumerate(full):
        own = [pixels[owners.index(b)][None], [0]] if b in owners else [None, []]
        alone = model(torch.tensor([row]), None, *own)[0]
        require_close("padding on the right", right[b, : len(row)], alone)
        require_close("padding on the left", shifted[b, width - len(row) :], alone)


def cached(model, prompt, pixels, owners, count):
    cache, ids, fresh = {}, list(prompt), list(prompt)
    for _ in range(count):
        logits = model(torch.tensor([fresh]), None, pixels, owners, cache)[0, -1]
        fresh = [int(logits.argmax())]
        ids += fresh
    return ids[len(prompt) :]


def write_case(name, case, seed):
    folder, size = fresh_folder("llama-adapter", name), case["text"]["hidden_size"] // case["text"]["num_attention_heads"]
    model = randomise(Model(case["text"], case["vision"], case["adapter"]), seed)
    generator = torch.Generator().manual_seed(seed)
    rows = make_rows(ROWS, generator, case["vision"])
    full = [prompt + answer for prompt, answer, _ in rows]
    owners = [b for b, (_, _, count) in enumerate(rows) if count]
    inputs = {"input_ids": pad_right(full, PAD), "attention_mask": pad_right([[1] * len(r) for r in full], 0),
              "labels": pad_right([[IGNORED] * len(p) + a for p, a, _ in rows], IGNORED)}
    if owners:
        inputs["pixel_values"] = torch.randn((len(owners), 3, SIZE, SIZE), generator=generator)
    pixels = inputs["pixel_values"].double() if owners else None

    logits = model(inputs["input_ids"], inputs["attention_mask"], pixels, owners)
    loss = F.cross_entropy(logits[:, :-1].flatten(0, 1), inputs["labels"][:, 1:].flatten(), ignore_index=IGNORED)
    loss.backward()
    grads = {n: p.grad.float() for n, p in model.named_parameters() if p.grad is not None}
    unreached = {n: p.detach().float() for n, p in model.named_parameters() if p.grad is None}
    with torch.no_grad():
        check_base(model, case["text"], torch.tensor([full[1]]), size)
        check_paddings(model, full, pixels, owners)
        tokens = []
        for b, (prompt, _, count) in enumerate(rows):
            own = [pixels[owners.index(b)][None], [0]] if count else [None, []]
            tokens.append(greedy(lambda ids: model(torch.tensor([ids]), None, *own)[0], prompt, 12))
            assert cached(model, prompt, *own, 12) == tokens[-1], f"{name}: cached decoding differs"
    names = lambda tensors: file_tensors(tensors, case["layout"], size)
    valid = valid_rows(inputs["attention_mask"])
    write_tensors(folder / "model.safetensors", names({n: p.detach().float() for n, p in model.named_parameters()}))
    write_json(folder / "config.json", {"architectures": ["LlamaAdapter"], "model_type": "llama_adapter", **case["adapter"],
                                        "text_config": case["text"], **({"vision_config": case["vision"]} if case["vision"] else {})})
    write_tensors(folder / "expected.safetensors", {
        **inputs, "rows": valid, "logits": logits.flatten(0, 1)[valid].float(), "loss": loss.float(),
        **{f"grad.{n}": t for n, t in names(grads).items()}})
    write_json(folder / "expected.json", {
        "loss": loss.item(), "unreached": sorted(names(unreached)), "imagesPerRow": [count for _, _, count in rows],
        "greedy": [{"prompt": p, "images": n, "tokens": t} for (p, _, n), t in zip(rows, tokens)]})
    write_provenance(folder, __file__, seed, dtype="weights float32, computed in float64")
    stored = load_file(folder / "model.safetensors")
    assert {n.removeprefix("grad.") for n in load_file(folder / "expected.safetensors") if n.startswith("grad.")} \
        | set(names(unreached)) == set(stored), f"{name}: gradient names"


for index, (name, case) in enumerate(CASES.items()):
    write_case(name, case, SEED + index)
