"""transformers + PEFT: the training step of a LLaVA stage, speaking the benches' JSON lines."""

import json
import re
import resource
import sys

from lines import packages, say

with packages():
    import peft
    import torch
    import transformers
    from safetensors.torch import load_file
    from torch_training import adamw, timed_step
    from transformers import LlavaForConditionalGeneration


def status_bytes(name):
    """A line of this process's status, or the peak where the system has none."""
    try:
        with open("/proc/self/status") as status:
            return 1024 * int(re.search(name + r":\s+(\d+)", status.read())[1])
    except OSError:
        return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


idle = status_bytes("VmRSS")
folder, stage, threads, options, variant = json.loads(sys.argv[1])
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
optimizer = adamw(trained, options, fused=True)
forward = torch.compile(model) if variant == "compiled" else model
say(
    ready=True,
    version=f"torch {torch.__version__}, transformers {transformers.__version__}, peft {peft.__version__}",
    variant="fused AdamW, SDPA" + {"kept": ", logits_to_keep", "compiled": ", torch.compile"}.get(variant, ""),
    trained=sum(p.numel() for p in trained),
    idle=idle,
)
for line in sys.stdin:
    try:
        say(**timed_step(forward, inputs, optimizer), peak=status_bytes("VmHWM"))
    except Exception as error:
        say(error=f"{type(error).__name__}: {error}")
