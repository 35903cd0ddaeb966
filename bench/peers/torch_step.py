"""PyTorch, eager or compiled: the same decoder as transformers' LlamaForCausalLM, speaking the benches' JSON lines."""

import json
import shutil
import sys
import time

from lines import packages, say

with packages():
    import numpy as np
    import torch
    import transformers
    from torch_training import adamw, timed_step
    from transformers import LlamaConfig, LlamaForCausalLM

config, threads, optimizer, compiled = json.loads(sys.argv[1])
if compiled and not any(shutil.which(name) for name in ("g++", "clang++")):
    say(missing="torch.compile needs a C++ compiler: apt-get install g++")
    sys.exit()
torch.set_num_threads(threads)
WIDTH, LENGTH, BATCH, VOCAB = (config[k] for k in ("width", "length", "batch", "vocabSize"))


def mix(index, seed):
    h = index.astype(np.uint32) * np.uint32(0x9E3779B1) + np.uint32(seed)
    h = (h ^ (h >> 15)) * np.uint32(0x85EBCA77)
    return h ^ (h >> 13)


def initial_value(name, shape):
    if len(shape) == 1:
        return torch.ones(shape)
    seed = 0
    for letter in name:
        seed = (seed * 31 + ord(letter)) & 0xFFFFFFFF
    size = int(np.prod(shape))
    uniform = mix(np.arange(size), seed) / 2**32 - 0.5
    return torch.from_numpy((uniform * (0.02 * 12**0.5)).astype(np.float32)).reshape(*shape)


class Trainer:
    def __init__(self, attention, fused, compiled=False):
        self.model = LlamaForCausalLM(
            LlamaConfig(
                vocab_size=VOCAB,
                hidden_size=WIDTH,
                intermediate_size=config["innerWidth"],
                num_hidden_layers=config["layers"],
                num_attention_heads=config["heads"],
                max_position_embeddings=LENGTH,
                rms_norm_eps=1e-5,
                attn_implementation=attention,
                use_cache=False,
            )
        )
        self.forward = torch.compile(self.model) if compiled else self.model
        self.fused = fused
        self.start()

    def start(self):
        """Goes back to the first weights."""
        with torch.no_grad():
            for name, parameter in self.model.named_parameters():
                parameter.copy_(initial_value(name, tuple(parameter.shape)))
        self.optimizer = adamw(self.model.parameters(), optimizer, self.fused)

    def step(self):
        return timed_step(self.forward, {"input_ids": ids, "labels": ids}, self.optimizer)


ids = torch.from_numpy((mix(np.arange(BATCH * LENGTH), 7) % VOCAB).astype(np.int64)).reshape(BATCH, LENGTH)


def fastest_variant():
    """Attention and optimizer as PyTorch does them fastest here."""
    timed = {}
    for attention in ("eager", "sdpa"):
        for fused in (False, True):
            trainer = Trainer(attention, fused)
            timed[attention, fused] = min(trainer.step()["ms"] for _ in range(2))
    return min(timed, key=timed.get), {f"{a}, {'fused' if f else 'plain'} AdamW": t for (a, f), t in timed.items()}


def matmul(m, k, n):
    a, b = torch.full((m, k), 0.5), torch.full((k, n), 0.5)
    best = float("inf")
    for _ in range(15):
        begin = time.perf_counter()
        torch.matmul(a, b)
        best = min(best, time.perf_counter() - begin)
    return {"ms": best * 1e3}


(attention, fused), tried = (("sdpa", True), {}) if compiled else fastest_variant()
trainer = Trainer(attention, fused, compiled)
if compiled:
    tried = {"first step, with compilation": trainer.step()["ms"]}
    trainer.start()
say(
    ready=True,
    version=f"torch {torch.__version__}, transformers {transformers.__version__}",
    variant=f"{attention} attention, {'fused' if fused else 'plain'} AdamW{', torch.compile' if compiled else ''}",
    tried=tried,
)
for line in sys.stdin:
    request = json.loads(line)
    say(**(matmul(*request["matmul"]) if "matmul" in request else trainer.step()))
