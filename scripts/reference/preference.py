"""DPO on a tiny LLaMA as TRL's trainer computes it: loss, rewards and every gradient, in float32."""

import tempfile

import torch
from common import fresh_folder, randomise, write_json, write_provenance, write_tensors
from datasets import Dataset
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
from trl import DPOConfig, DPOTrainer

SEED = 41
BETA = 0.3
PAIRS = [  # prompt, chosen, rejected
    ([1, 4, 7], [3, 9, 12, 2], [5, 2]),
    ([1, 8], [6, 2], [11, 13, 6, 17, 2]),
    ([1, 20, 21, 22, 5], [19, 2], [18, 2]),
]


def tiny(seed):
    config = LlamaConfig(
        vocab_size=24, hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=1, max_position_embeddings=32, attn_implementation="eager", tie_word_embeddings=False,
    )
    model = LlamaForCausalLM(config)
    randomise(model, seed)
    return model.eval()


def tokenizer():
    words = Tokenizer(models.WordLevel({str(i): i for i in range(24)}, unk_token="0"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(tokenizer_object=words, eos_token="2", pad_token="0")


def batch():
    """Chosen answers first, then the rejected ones, padded on the right."""
    rows = [(p, c) for p, c, _ in PAIRS] + [(p, r) for p, _, r in PAIRS]
    width = max(len(p) + len(a) for p, a in rows)
    pad = lambda values: values + [0] * (width - len(values))
    return {
        "input_ids": torch.tensor([pad(p + a) for p, a in rows]),
        "attention_mask": torch.tensor([pad([1] * len(p + a)) for p, a in rows]),
        "completion_mask": torch.tensor([pad([0] * len(p) + [1] * len(a)) for p, a in rows]),
    }


policy, reference = tiny(SEED), tiny(SEED)
with torch.no_grad():
    generator = torch.Generator().manual_seed(SEED + 1)
    for p in reference.parameters():
        p += 0.05 * torch.randn(p.shape, generator=generator)

rows = Dataset.from_list([{"prompt": "4", "chosen": "5 2", "rejected": "6 2"}])
with tempfile.TemporaryDirectory() as out:
    settings = DPOConfig(output_dir=out, beta=BETA, report_to=[], use_cpu=True, bf16=False, gradient_checkpointing=False)
    trainer = DPOTrainer(policy, reference, args=settings, train_dataset=rows, processing_class=tokenizer())
    policy.zero_grad()
    loss = trainer.compute_loss(policy.eval(), batch())
    loss.backward()
    # In the trainer's own words, of its evaluation since dropout has to be off.
    metrics = {name: sum(values) / len(values) for name, values in trainer._metrics["eval"].items()}

folder = fresh_folder("preference")
write_tensors(folder / "policy.safetensors", dict(policy.named_parameters()))
write_tensors(folder / "reference.safetensors", dict(reference.named_parameters()))
write_tensors(folder / "gradients.safetensors", {name: p.grad for name, p in policy.named_parameters()})
write_json(
    folder / "case.json",
    {
        "config": {**policy.config.to_dict(), "dtype": None}, "beta": BETA,
        "pairs": [{"prompt": p, "chosen": c, "rejected": r} for p, c, r in PAIRS],
        "loss": loss.item(), "metrics": metrics,
    },
)
write_provenance(folder, __file__, SEED, packages=("torch", "transformers", "trl"))
