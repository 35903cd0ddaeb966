"""Tiny decoders: logits, loss, gradients and greedy tokens of LlamaForCausalLM and Qwen2ForCausalLM."""

import torch
from common import (IGNORED, fresh_folder, gradients, greedy, load_file, pad_right, randomise, require_close,
                    valid_rows, write_json, write_provenance, write_tensors)
from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM

SEED = 100
VOCAB = 67
SHAPE = dict(hidden_size=32, intermediate_size=44, num_hidden_layers=2, vocab_size=VOCAB, max_position_embeddings=64,
             bos_token_id=1, eos_token_id=None, pad_token_id=0)

CASES = {
    "mha": (LlamaForCausalLM, LlamaConfig(**SHAPE, num_attention_heads=4, num_key_value_heads=4)),
    "gqa": (LlamaForCausalLM, LlamaConfig(**SHAPE, num_attention_heads=4, num_key_value_heads=2, rms_norm_eps=1e-5)),
    "mqa-head-dim": (LlamaForCausalLM, LlamaConfig(**{**SHAPE, "hidden_size": 36}, num_attention_heads=6,
                                                   num_key_value_heads=1, head_dim=12)),
    "tied": (LlamaForCausalLM, LlamaConfig(**SHAPE, num_attention_heads=4, num_key_value_heads=2, tie_word_embeddings=True)),
    "rope-theta": (LlamaForCausalLM, LlamaConfig(**SHAPE, num_attention_heads=2, num_key_value_heads=2,
                                                 rope_parameters={"rope_type": "default", "rope_theta": 1e6})),
    "qwen2": (Qwen2ForCausalLM, Qwen2Config(**SHAPE, num_attention_heads=4, num_key_value_heads=2,
                                            rope_parameters={"rope_type": "default", "rope_theta": 1e6})),
}


def batch(generator):
    """Two rows of 11 and 7 tokens; the first 3 and 2 are a prompt and carry no label."""
    rows = [torch.randint(2, VOCAB, (n,), generator=generator).tolist() for n in (11, 7)]
    input_ids = pad_right(rows, 0)
    attention_mask = pad_right([[1] * len(row) for row in rows], 0)
    labels = input_ids.masked_fill(attention_mask == 0, IGNORED)
    labels[0, :3] = IGNORED
    labels[1, :2] = IGNORED
    return {"input_ids": input_ids, "attention_mask": attention_mask, "labels": labels}


def write_case(name, cls, config, seed):
    folder = fresh_folder("decoder", name)
    config._attn_implementation = "eager"
    model = randomise(cls(config), seed)
    inputs = batch(torch.Generator().manual_seed(seed))
    out = model(**inputs)
    out.loss.backward()
    model.save_pretrained(folder)
    grads, unreached = gradients(model)
    rows = valid_rows(inputs["attention_mask"])
    logits = out.logits.flatten(0, 1)[rows]
    write_tensors(folder / "expected.safetensors", {**inputs, "rows": rows, "logits": logits, "loss": out.loss, **grads})

    reloaded = cls.from_pretrained(folder, attn_implementation="eager").eval()
    expected = load_file(folder / "expected.safetensors")
    with torch.no_grad():
        require_close(name, reloaded(**inputs).logits.flatten(0, 1)[rows], expected["logits"])
        prompts = [[1, 5, 9], [1, 33, 20, 4, 50, 12, 8], [1]]
        logits_of = lambda ids: reloaded(input_ids=torch.tensor([ids])).logits[0]
        tokens = [greedy(logits_of, prompt, 12) for prompt in prompts]
        for prompt, continuation in zip(prompts, tokens):
            generated = reloaded.generate(torch.tensor([prompt]), max_new_tokens=12, do_sample=False)
            assert generated[0, len(prompt):].tolist() == continuation, f"{name}: cached decoding differs"
    write_json(folder / "expected.json", {
        "loss": out.loss.item(), "unreached": unreached,
        "greedy": [{"prompt": p, "tokens": t} for p, t in zip(prompts, tokens)]})
    write_provenance(folder, __file__, seed)


for index, (name, (cls, config)) in enumerate(CASES.items()):
    write_case(name, cls, config, SEED + index)
