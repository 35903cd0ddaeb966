"""transformers + PEFT: the training step of a LLaVA stage, speaking the benches' JSON lines."""

import json
import re
import resource
import sys
import time


def say(**answer):
    print(json.dumps(answer), flush=True)


try:
    import peft
    import torch
    import transformers
    from safetensors.torch import load_file
    from transformers import LlavaForConditionalGeneration
except ImportError as error:
    say(missing=f"not installed ({error}); pip install -r bench/peers/requirements.txt, interpreter in TESSERA_PYTHON")
    sys.exit()



def status_bytes(name):
    """A line of this process's status, or the peak where the system has none."""
    try:
        with open("/proc/self/status") as status:
            return 1024 * int(re.search(name + r":\s+(\d+)", status.read())[1])
    except OSError:
        return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


idle = status_bytes("VmRSS")
folder, stage, threads, optimizer, variant = json.loads(sys.argv[1])
torch.set_num_threads(threads)

batch = {name: tensor if name == "pixels" else tensor.long() for name, tensor in load_file(f"{folder}/batch.safetensors").items()}
inputs = dict(pixel_values=batch["pixels"], input_ids=batch["ids"], labels=batch["labels"])
if variant == "kept":
    # Logits at the text and the row before it: transformers can, its Trainer does not.
    inputs["logits_to_keep"] = int((batch["labels"][0] != -100).sum()) + 1
    inputs["labels"] = batch["labels"][:, -inputs["logits_to_keep"] :]

model = LlavaForConditionalGeneration.from_pretrained(folder, dtype=torch.float32, attn_implementation="sdpa")
model.config.use_cache = False
model.requires_grad_(False)
projector = model.model.multi_modal_projector
if stage == "lora":
    model = peft.PeftModel.from_pretrained(model, f"{folder}/adapter", is_trainable=True)
projector.requires_grad_(True)
model.train()

trained = [p for p in model.parameters() if p.requires_grad]
# Vectors do not decay, as in the other peers.
groups = [
    {"params": [p for p in trained if p.ndim > 1], "weight_decay": optimizer["weightDecay"]},
    {"params": [p for p in trained if p.ndim == 1], "weight_decay": 0.0},
]
adamw = torch.optim.AdamW(groups, lr=optimizer["rate"], betas=tuple(optimizer["betas"]), eps=optimizer["eps"], fused=True)
forward = torch.compile(model) if variant == "compiled" else model


def step():
    begin, cpu = time.perf_counter(), time.process_time()
    loss = forward(**inputs).loss
    loss.backward()
    adamw.step()
    adamw.zero_grad(set_to_none=True)
    value = loss.item()
    return {
        "ms": (time.perf_counter() - begin) * 1e3,
        "cpuMs": (time.process_time() - cpu) * 1e3,
        "loss": value,
        "peak": status_bytes("VmHWM"),
    }


say(
    ready=True,
    version=f"torch {torch.__version__}, transformers {transformers.__version__}, peft {peft.__version__}",
    variant="fused AdamW, SDPA" + {"kept": ", logits_to_keep", "compiled": ", torch.compile"}.get(variant, ""),
    trained=sum(p.numel() for p in trained),
    idle=idle,
)
for line in sys.stdin:
    try:
        say(**step())
    except Exception as error:
        say(error=f"{type(error).__name__}: {error}")
