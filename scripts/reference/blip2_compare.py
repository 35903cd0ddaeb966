"""Tiny BLIP-2 of the first stage: Blip2ForImageTextRetrieval, and its three losses by the formulas of LAVIS on the same weights."""

import math

import torch
from blip2 import randomised
from common import (fresh_folder, load_file, pad_right, require_close, write_json, write_provenance,
                    write_tensors)
from torch import nn
from torch.nn import functional as F
from transformers import Blip2Config, Blip2ForImageTextRetrieval, Blip2QFormerConfig, Blip2VisionConfig

SEED = 1300
VOCAB, START, PAD, QUERIES, SPACE = 61, 60, 0, 5, 12
TEMPERATURE, SMOOTHING = 0.09, 0.1


def config():
    return Blip2Config(
        vision_config=Blip2VisionConfig(hidden_size=24, intermediate_size=44, num_hidden_layers=2, num_attention_heads=3,
                                        image_size=28, patch_size=7).to_dict(),
        qformer_config=Blip2QFormerConfig(hidden_size=20, intermediate_size=36, num_hidden_layers=3, num_attention_heads=4,
                                          vocab_size=VOCAB, max_position_embeddings=24, hidden_dropout_prob=0.0,
                                          attention_probs_dropout_prob=0.0, use_qformer_text_input=True).to_dict(),
        num_query_tokens=QUERIES, image_text_hidden_size=SPACE, attn_implementation="eager")


class Head(nn.Module):
    """BERT's head over words, tied to their table, as the published Q-Former has it."""

    def __init__(self, width, generator):
        super().__init__()
        draw = lambda *shape: nn.Parameter(torch.randn(*shape, generator=generator))
        self.dense_weight, self.dense_bias = draw(width, width), draw(width)
        self.norm_weight, self.norm_bias = draw(width), draw(width)
        self.bias = draw(VOCAB)
        with torch.no_grad():
            self.dense_weight.mul_(1.3 / math.sqrt(width))
            self.norm_weight.mul_(0.2).add_(1.0)
            for p in (self.dense_bias, self.norm_bias, self.bias):
                p.mul_(0.2)

    def forward(self, states, words):
        inner = F.gelu(F.linear(states, self.dense_weight, self.dense_bias))
        return F.layer_norm(inner, inner.shape[-1:], self.norm_weight, self.norm_bias, 1e-12) @ words.T + self.bias


def attend(block, x, seen, mask):
    heads, size = block.attention.num_attention_heads, block.attention.attention_head_size
    split = lambda t: t.view(*t.shape[:2], heads, size).transpose(1, 2)
    scores = split(block.attention.query(x)) @ split(seen[0]).transpose(-1, -2) / math.sqrt(size)
    mixed = (scores + mask).softmax(-1) @ split(seen[1])
    return block.output(mixed.transpose(1, 2).flatten(2), x)


def through(model, queries=None, text=None, features=None, mask=0.0, past=None):
    """The layers of the Q-Former on queries and text, and the keys and values of its self-attention."""
    rows = [r for r in (queries, text) if r is not None]
    count = 0 if queries is None else queries.shape[1]
    x, kept = model.qformer.layernorm(torch.cat(rows, 1)), []
    for i, layer in enumerate(model.qformer.encoder.layer):
        own = [m(x) for m in (layer.attention.attention.key, layer.attention.attention.value)]
        kept.append(own)
        seen = own if past is None else [torch.cat(pair, 1) for pair in zip(past[i], own)]
        x = attend(layer.attention, x, seen, mask)
        q, t = x[:, :count], x[:, count:]
        if count and layer.has_cross_attention:
            other = layer.crossattention.attention
            q = attend(layer.crossattention, q, (other.key(features), other.value(features)), 0.0)
        parts = []
        if count:
            parts.append(layer.output_query(layer.intermediate_query(q), q))
        if t.shape[1]:
            parts.append(layer.output(layer.intermediate(t), t))
        x = torch.cat(parts, 1)
    return x, kept


def hidden(mask):
    """[B, 1, 1, S]: -10000 where a key is not seen."""
    return (1.0 - mask.float())[:, None, None] * -10000.0


def draw(weights, places):
    """A column of each row by its place in the sum of the weights."""
    total = weights.cumsum(1)
    return torch.stack([(row > place * row[-1]).nonzero()[0, 0] for row, place in zip(total, places)])


def stage_one(model, head, temp, inputs, draws):
    pixels, ids, mask = inputs["pixel_values"], inputs["input_ids"], inputs["attention_mask"]
    b = len(ids)
    features = model.vision_model(pixels).last_hidden_state
    queries = model.query_tokens.expand(b, -1, -1)
    states, kept = through(model, queries=queries, features=features)
    words = model.embeddings(input_ids=ids)
    texts, _ = through(model, text=words, mask=hidden(mask))
    image = F.normalize(model.vision_projection(states), dim=-1)
    text = F.normalize(model.text_projection(texts[:, 0]), dim=-1)

    i2t = torch.einsum("iqe,te->itq", image, text).max(-1).values / temp
    t2i = i2t.T
    targets = torch.arange(b)
    itc = (F.cross_entropy(i2t, targets, label_smoothing=SMOOTHING) + F.cross_entropy(t2i, targets, label_smoothing=SMOOTHING)) / 2

    with torch.no_grad():
        others = 1 - torch.eye(b)
        other_image = draw((t2i.softmax(1) + 1e-4) * others, draws[:, 0])
        other_text = draw((i2t.softmax(1) + 1e-4) * others, draws[:, 1])
    all_ids, all_mask = torch.cat([ids, ids, ids[other_text]]), torch.cat([mask, mask, mask[other_text]])
    all_features = torch.cat([features, features[other_image], features])
    seen = torch.cat([torch.ones(3 * b, QUERIES), all_mask], 1)
    both, _ = through(model, queries=model.query_tokens.expand(3 * b, -1, -1), text=model.embeddings(input_ids=all_ids),
                      features=all_features, mask=hidden(seen))
    logits = model.itm_head(both[:, :QUERIES]).mean(1)
    itm = F.cross_entropy(logits, torch.cat([torch.ones(b), torch.zeros(2 * b)]).long())

    asked = ids.clone()
    asked[:, 0] = START
    t = ids.shape[1]
    causal = torch.full((t, t), -10000.0).triu(1)
    earlier = torch.cat([torch.zeros(t, QUERIES), causal], 1) + hidden(torch.cat([torch.ones(b, QUERIES), mask], 1))
    written, _ = through(model, text=model.embeddings(input_ids=asked), mask=earlier, past=kept)
    labels = asked.masked_fill(mask == 0, -100)
    scores = head(written, model.embeddings.word_embeddings.weight)
    itg = F.cross_entropy(scores[:, :-1].flatten(0, 1), labels[:, 1:].flatten(), label_smoothing=SMOOTHING)
    return {"itc": itc, "itm": itm, "itg": itg, "loss": itc + itm + itg}, other_image, other_text


def named_gradients(model, head, temp):
    own = {"temp": temp, "cls.predictions.transform.dense.weight": head.dense_weight,
           "cls.predictions.transform.dense.bias": head.dense_bias,
           "cls.predictions.transform.LayerNorm.weight": head.norm_weight,
           "cls.predictions.transform.LayerNorm.bias": head.norm_bias, "cls.predictions.bias": head.bias}
    own = {f"objective.{name}": p for name, p in own.items()}
    return own, {f"grad.{name}": p.grad for name, p in {**dict(model.named_parameters()), **own}.items() if p.grad is not None}


def main():
    folder = fresh_folder("blip2-compare")
    model = randomised(Blip2ForImageTextRetrieval(config()), SEED)
    model.save_pretrained(folder)
    model = Blip2ForImageTextRetrieval.from_pretrained(folder, attn_implementation="eager").eval()
    generator = torch.Generator().manual_seed(SEED)
    rows = [[2, *torch.randint(4, START, (n,), generator=generator).tolist(), 3] for n in (6, 2, 9, 4)]
    inputs = {"input_ids": pad_right(rows, PAD), "attention_mask": pad_right([[1] * len(row) for row in rows], 0),
              "pixel_values": torch.randn((len(rows), 3, 28, 28), generator=generator)}
    contrast = model(**inputs)
    match = model(**inputs, use_image_text_matching_head=True)
    cotangents = {"cotangent.similarity": torch.randn(contrast.logits_per_image.shape, generator=generator),
                  "cotangent.match": torch.randn(match.logits_per_image.shape, generator=generator)}
    seeded = (contrast.logits_per_image * cotangents["cotangent.similarity"]).sum() + (match.logits_per_image * cotangents["cotangent.match"]).sum()
    seeded.backward()
    grads = {f"grad.{name}": p.grad for name, p in model.named_parameters()}
    write_tensors(folder / "expected.safetensors", {
        **inputs, **cotangents, "similarity": contrast.logits_per_image, "match": match.logits_per_image, **grads})

    model.zero_grad()
    head, temp = Head(20, generator), nn.Parameter(torch.tensor(TEMPERATURE))
    draws = torch.randint(0, 2**16, (len(rows), 2), generator=generator) / 2**16
    losses, other_image, other_text = stage_one(model, head, temp, inputs, draws)
    losses["loss"].backward()
    own, grads = named_gradients(model, head, temp)
    write_tensors(folder / "stage-one.safetensors", {
        **losses, **own, "draws": draws, "negativeImages": other_image, "negativeTexts": other_text, **grads})

    # The layers written out above are those of the class.
    expected = load_file(folder / "expected.safetensors")
    with torch.no_grad():
        image = F.normalize(model.vision_projection(through(
            model, queries=model.query_tokens.expand(4, -1, -1), features=model.vision_model(inputs["pixel_values"]).last_hidden_state)[0]), dim=-1)
        texts, _ = through(model, text=model.embeddings(input_ids=inputs["input_ids"]), mask=hidden(inputs["attention_mask"]))
        text = F.normalize(model.text_projection(texts[:, 0]), dim=-1)
    require_close("similarity", torch.einsum("iqe,te->itq", image, text).max(-1).values, expected["similarity"])
    write_json(folder / "expected.json", {name: value.item() for name, value in losses.items()})
    write_provenance(folder, __file__, SEED)


main()
