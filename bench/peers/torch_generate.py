"""transformers' `generate` on the same folder: greedy, with its cache, speaking the benches' JSON lines."""

import json
import sys
import time

from lines import packages, say

with packages():
    import torch
    import transformers
    from transformers import LlamaForCausalLM
    from transformers.generation.streamers import BaseStreamer

folder, problem, threads, prompts = json.loads(sys.argv[1])
torch.set_num_threads(threads)
TOKENS = problem["tokens"]


class Clock(BaseStreamer):
    """Notes when tokens come; the first call brings the prompt."""

    def __init__(self):
        self.times, self.cpu = [], []

    def put(self, value):
        self.times.append(time.perf_counter())
        self.cpu.append(time.process_time())

    def end(self):
        pass


def step(model):
    clock, begin = Clock(), time.perf_counter()
    with torch.inference_mode():
        out = model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=TOKENS,
            min_new_tokens=TOKENS,
            do_sample=False,
            use_cache=True,
            pad_token_id=0,
            streamer=clock,
        )
    return {
        "firstMs": (clock.times[1] - begin) * 1e3,
        "ms": (clock.times[-1] - clock.times[1]) * 1e3 / (TOKENS - 1),
        "cpuMs": (clock.cpu[-1] - clock.cpu[1]) * 1e3 / (TOKENS - 1),
        "ids": out[:, ids.shape[1] :].tolist(),
    }


ids = torch.tensor(prompts)
models = {}
for attention in ("eager", "sdpa"):
    models[attention] = LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation=attention).eval()
tried = {name: min(step(model)["ms"] for _ in range(2)) for name, model in models.items()}
fastest = min(tried, key=tried.get)
model = models.pop(fastest)
models.clear()
say(
    ready=True,
    version=f"torch {torch.__version__}, transformers {transformers.__version__}",
    variant=f"{fastest} attention",
    tried=tried,
)
for line in sys.stdin:
    say(**step(model))
