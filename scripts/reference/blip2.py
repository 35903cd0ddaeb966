"""Tiny BLIP-2: logits, loss, gradients and greedy tokens of Blip2ForConditionalGeneration with OPT, LLaMA and FLAN-T5."""

import torch
from common import (IGNORED, fresh_folder, gradients, greedy, load_file, pad_right, randomise, require_close, valid_rows,
                    write_json, write_provenance, write_tensors)
from transformers import (Blip2Config, Blip2ForConditionalGeneration, Blip2QFormerConfig, Blip2VisionConfig, LlamaConfig,
                          OPTConfig, T5Config)

SEED = 1200
VOCAB, IMAGE, PAD = 61, 60, 1
QUERIES, SIZE, PATCH = 5, 28, 7

VISION = dict(hidden_size=24, intermediate_size=44, num_hidden_layers=3, num_attention_heads=3, image_size=SIZE,
              patch_size=PATCH)
QFORMER = dict(hidden_size=20, intermediate_size=36, num_hidden_layers=3, num_attention_heads=4, vocab_size=VOCAB,
               max_position_embeddings=24, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
OPT = OPTConfig(vocab_size=VOCAB, hidden_size=32, ffn_dim=44, num_hidden_layers=2, num_attention_heads=4,
                max_position_embeddings=64, word_embed_proj_dim=32, dropout=0.0, bos_token_id=2, eos_token_id=None,
                pad_token_id=PAD)
LLAMA = LlamaConfig(vocab_size=VOCAB, hidden_size=24, intermediate_size=40, num_hidden_layers=2, num_attention_heads=4,
                    num_key_value_heads=2, max_position_embeddings=64, bos_token_id=2, eos_token_id=None, pad_token_id=PAD)
T5 = T5Config(vocab_size=VOCAB, d_model=24, d_ff=36, num_layers=2, num_heads=3, d_kv=10, dropout_rate=0.0, pad_token_id=0,
              eos_token_id=None, decoder_start_token_id=0, relative_attention_num_buckets=8,
              relative_attention_max_distance=10, feed_forward_proj="gated-gelu", dense_act_fn="gelu")

# name: language model, cross attention in every n-th layer of the Q-Former, height and width of the images
CASES = {"opt": (OPT, 2, (28, 28)), "llama": (LLAMA, 1, (28, 42)), "t5": (T5, 3, (28, 28))}


def config(text, every):
    return Blip2Config(
        vision_config=Blip2VisionConfig(**VISION).to_dict(), text_config=text.to_dict(),
        qformer_config=Blip2QFormerConfig(**QFORMER, cross_attention_frequency=every).to_dict(),
        num_query_tokens=QUERIES, image_text_hidden_size=12, image_token_index=IMAGE, attn_implementation="eager")


def randomised(model, seed):
    """As `randomise`, with the gains of BERT's norms around 1 and queries of their own."""
    randomise(model, seed)
    generator = torch.Generator().manual_seed(seed + 1)
    with torch.no_grad():
        for name, p in sorted(model.named_parameters()):
            if name.endswith("LayerNorm.weight"):
                p.add_(1.0)
            elif name == "query_tokens":
                p.copy_(torch.randn(p.shape, generator=generator))
            elif "relative_attention_bias" in name:
                p.copy_(torch.randn(p.shape, generator=generator))
    return model


def make_batch(generator, is_source, size):
    """Prompts with an image in front, of other lengths, and what is answered."""
    draw = lambda count: torch.randint(3, IMAGE, (count,), generator=generator).tolist()
    prompts = [[IMAGE, 2, *draw(4)], [IMAGE, 2], [IMAGE, 2, *draw(7)]]
    answers = [draw(5), draw(3), draw(2)]
    expanded = [[i for id in p for i in [id] * (QUERIES if id == IMAGE else 1)] for p in prompts]
    full = expanded if is_source else [p + a for p, a in zip(expanded, answers)]
    pad = 0 if is_source else PAD
    labels = answers if is_source else [[IGNORED] * len(p) + a for p, a in zip(expanded, answers)]
    return prompts, expanded, {
        "input_ids": pad_right(full, pad), "attention_mask": pad_right([[1] * len(ids) for ids in full], 0),
        "labels": pad_right(labels, IGNORED),
        "pixel_values": torch.randn((len(prompts), 3, *size), generator=generator)}


def between(pixels):
    """Images of another size than the tower was made for go through interpolated positions."""
    return {"interpolate_pos_encoding": tuple(pixels.shape[-2:]) != (SIZE, SIZE)}


def continuations(model, expanded, pixels, is_source):
    """Twelve greedy tokens after each prompt, without a cache and with one."""
    tokens = []
    for i, prompt in enumerate(expanded):
        own = {"pixel_values": pixels[i : i + 1], **between(pixels)}
        if is_source:
            source = torch.tensor([prompt])
            logits_of = lambda ids: model(input_ids=source, decoder_input_ids=torch.tensor([ids]), **own).logits[0]
            tokens.append(greedy(logits_of, [0], 12))
        else:
            tokens.append(greedy(lambda ids: model(input_ids=torch.tensor([ids]), **own).logits[0], prompt, 12))
        generated = model.generate(input_ids=torch.tensor([prompt]), max_new_tokens=12, do_sample=False, **own)
        assert generated[0, -12:].tolist() == tokens[-1], "cached decoding differs"
    return tokens


def load(folder):
    model, report = Blip2ForConditionalGeneration.from_pretrained(
        folder, attn_implementation="eager", dtype=torch.float32, output_loading_info=True)
    assert not any(report[key] for key in ("missing_keys", "unexpected_keys", "mismatched_keys")), (folder.name, report)
    return model.eval()


def write_case(name, text, every, size, seed):
    folder = fresh_folder("blip2", name)
    is_source = text.model_type == "t5"
    model = randomised(Blip2ForConditionalGeneration(config(text, every)), seed)
    model.save_pretrained(folder)
    model = load(folder)
    prompts, expanded, inputs = make_batch(torch.Generator().manual_seed(seed), is_source, size)
    out = model(**inputs, **between(inputs["pixel_values"]))
    out.loss.backward()
    grads, unreached = gradients(model)
    if is_source:
        rows = valid_rows((inputs["labels"] != IGNORED).long())
        inputs["decoder_input_ids"] = model.language_model._shift_right(inputs["labels"])
    else:
        rows = valid_rows(inputs["attention_mask"])
    logits = out.logits.flatten(0, 1)[rows]
    write_tensors(folder / "expected.safetensors", {**inputs, "rows": rows, "logits": logits, "loss": out.loss, **grads})
    with torch.no_grad():
        tokens = continuations(model, expanded, inputs["pixel_values"], is_source)
        given = {k: v for k, v in inputs.items() if k != "decoder_input_ids"}
        again = load(folder)(**given, **between(inputs["pixel_values"]))
    require_close(name, again.logits.flatten(0, 1)[rows], load_file(folder / "expected.safetensors")["logits"])
    write_json(folder / "expected.json", {
        "loss": out.loss.item(), "unreached": unreached, "imagesPerRow": [1] * len(prompts),
        "greedy": [{"prompt": p, "images": 1, "tokens": t} for p, t in zip(prompts, tokens)]})
    write_provenance(folder, __file__, seed)


# A seed of its own where the first one has a near tie.
SEEDS = {"t5": SEED + 11}

if __name__ == "__main__":
    for index, (name, (text, every, size)) in enumerate(CASES.items()):
        write_case(name, text, every, size, SEEDS.get(name, SEED + index))
