"""Tiny encoder-decoders: logits, loss, gradients and greedy answers of T5ForConditionalGeneration."""

import torch
from common import (IGNORED, fresh_folder, gradients, greedy, load_file, pad_right, randomise, require_close,
                    valid_rows, write_json, write_provenance, write_tensors)
from transformers import T5Config, T5ForConditionalGeneration

SEED = 800
VOCAB = 59
SHAPE = dict(d_model=24, d_ff=36, num_layers=2, num_heads=3, d_kv=10, vocab_size=VOCAB, dropout_rate=0.0, pad_token_id=0,
             eos_token_id=None, decoder_start_token_id=0, relative_attention_num_buckets=8,
             relative_attention_max_distance=10)

CASES = {
    "t5": T5Config(**SHAPE),
    "t5-v1.1": T5Config(**{**SHAPE, "num_heads": 2, "d_kv": 16}, num_decoder_layers=3, feed_forward_proj="gated-gelu",
                        tie_word_embeddings=False),
    "t5-exact-gelu": T5Config(**SHAPE, feed_forward_proj="gated-gelu", dense_act_fn="gelu"),
}


def batch(generator):
    """Sources of 14 and 6 tokens, answers of 12 and 5."""
    draw = lambda sizes: [torch.randint(2, VOCAB, (n,), generator=generator).tolist() for n in sizes]
    sources, answers = draw((14, 6)), draw((12, 5))
    return {"input_ids": pad_right(sources, 0), "attention_mask": pad_right([[1] * len(s) for s in sources], 0),
            "labels": pad_right(answers, IGNORED)}


def untie(model, seed):
    """Gives the head numbers of its own, as the published files of version 1.1 have."""
    generator = torch.Generator().manual_seed(seed + 1)
    weight = torch.randn(model.lm_head.weight.shape, generator=generator)
    model.lm_head.weight = torch.nn.Parameter(1.3 * weight / model.config.d_model**0.5)


def write_case(name, config, seed):
    folder = fresh_folder("encoder-decoder", name)
    untied = name == "t5-v1.1"
    config._attn_implementation = "eager"
    model = randomise(T5ForConditionalGeneration(config), seed)
    if untied:
        untie(model, seed)
    inputs = batch(torch.Generator().manual_seed(seed))
    decoder_input_ids = model._shift_right(inputs["labels"])
    out = model(**inputs)
    out.loss.backward()
    model.save_pretrained(folder)
    grads, unreached = gradients(model)
    if untied:  # transformers 5 calls every T5 tied; the published files say otherwise, and it believes them
        import json

        saved = json.loads((folder / "config.json").read_text())
        saved.pop("scale_decoder_outputs", None)
        write_json(folder / "config.json", {**saved, "tie_word_embeddings": False})
    rows = valid_rows((inputs["labels"] != IGNORED).long())
    logits = out.logits.flatten(0, 1)[rows]
    write_tensors(folder / "expected.safetensors", {
        **inputs, "decoder_input_ids": decoder_input_ids, "rows": rows, "logits": logits, "loss": out.loss, **grads})

    reloaded = T5ForConditionalGeneration.from_pretrained(folder, attn_implementation="eager").eval()
    expected = load_file(folder / "expected.safetensors")
    with torch.no_grad():
        require_close(name, reloaded(**inputs).logits.flatten(0, 1)[rows], expected["logits"])
        prompts = [[5, 9, 1], [33, 20, 4, 50, 12, 8, 31, 3, 7, 2, 11, 1], [1]]
        tokens = []
        for prompt in prompts:
            source = torch.tensor([prompt])
            logits_of = lambda ids: reloaded(input_ids=source, decoder_input_ids=torch.tensor([ids])).logits[0]
            tokens.append(greedy(logits_of, [0], 12))
            # transformers makes room for as many layers as the encoder has.
            cached = config.num_decoder_layers == config.num_layers
            generated = reloaded.generate(source, max_new_tokens=12, do_sample=False, use_cache=cached)
            assert generated[0, 1:].tolist() == tokens[-1], f"{name}: cached decoding differs"
    distances = list(range(-40, 41))
    attention = reloaded.encoder.block[0].layer[0].SelfAttention
    buckets = lambda both: attention._relative_position_bucket(torch.tensor(distances), both, 32, 128).tolist()
    write_json(folder / "expected.json", {
        "loss": out.loss.item(), "unreached": unreached,
        "greedy": [{"prompt": p, "tokens": t} for p, t in zip(prompts, tokens)],
        "buckets": {"distances": distances, "bidirectional": buckets(True), "causal": buckets(False)}})
    write_provenance(folder, __file__, seed)


# A seed of its own where the first one has a near tie.
SEEDS = {}

for index, (name, config) in enumerate(CASES.items()):
    write_case(name, config, SEEDS.get(name, SEED + index))
