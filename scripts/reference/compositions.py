"""What decoders and systems compose of the ops: norms, positions, attention. Written like the cases of ops.py."""

import torch
import torch.nn.functional as F
from op_cases import OpCases
from transformers.activations import ACT2FN
from transformers.models.bloom.modeling_bloom import build_alibi_tensor

cases = OpCases(11, constant={"cos", "sin"})
case, randn, apart = cases.case, cases.randn, cases.apart

# Activations
case("softCap", "softCap", lambda x: 0.8 * torch.tanh(x / 0.8), {"cap": 0.8}, x=randn(3, 5))
for name in ("gelu", "gelu_fast", "gelu_new", "gelu_pytorch_tanh", "linear", "quick_gelu", "relu", "relu2", "silu", "swish"):
    case(f"activation.{name}", "activation", ACT2FN[name], {"activation": name}, x=apart(3, 5))

# Norms
case("layerNorm.no-bias", "layerNorm", lambda x, weight: F.layer_norm(x, (6,), weight, None, 1e-5), {"eps": 1e-5}, x=randn(2, 3, 6), weight=randn(6))
case("layerNorm.plain", "layerNorm", lambda x: F.layer_norm(x, (6,), None, None, 1e-5), {"eps": 1e-5}, x=randn(2, 3, 6))
case("rmsNormFromOne", "rmsNormFromOne", lambda x, weight: F.rms_norm(x, (6,), 1 + weight, 1e-6), {"eps": 1e-6}, x=randn(2, 3, 6), weight=randn(6))
for name, groups, shape in (("images", 3, (2, 6, 3, 2)), ("one-group", 1, (2, 4, 5)), ("a-group-a-channel", 4, (2, 4, 2, 3)), ("rows", 2, (3, 6))):
    case(f"groupNorm.{name}", "groupNorm", lambda x, weight, bias, g=groups: F.group_norm(x, g, weight, bias, 1e-5),
         {"eps": 1e-5, "groups": groups}, x=randn(*shape), weight=randn(shape[1]), bias=randn(shape[1]))


# Positions
def turn(interleaved, heads):
    """Complex products, of which the tables hold the real and imaginary parts; the rest of a head stays."""

    def run(x, cos, sin):
        by_head = x.unflatten(-1, (heads, -1)).transpose(1, 2)
        turned, rest = by_head.tensor_split([2 * cos.shape[-1]], -1)
        pairs = turned.unflatten(-1, (-1, 2)) if interleaved else turned.unflatten(-1, (2, -1)).mT
        product = torch.view_as_real(torch.view_as_complex(pairs.contiguous()) * torch.complex(cos, sin))
        together = torch.cat([(product if interleaved else product.mT).flatten(-2), rest], -1)
        return together.transpose(1, 2).flatten(-2)

    return run


def tables(tokens, pairs):
    angles = torch.arange(tokens, dtype=torch.float64)[:, None] * 100.0 ** (-torch.arange(pairs, dtype=torch.float64) / pairs)
    return {"cos": angles.cos(), "sin": angles.sin()}


for name, pairs, interleaved in (("interleaved", 3, True), ("partial", 2, False), ("partial-interleaved", 2, True), ("whole", 3, False)):
    case(f"rotaryHeads.{name}", "rotaryHeads", turn(interleaved, 2), {"heads": 2, "headSize": 6, "interleaved": interleaved},
         x=randn(2, 4, 12), **tables(4, pairs))
case("positionRows", "positionRows", lambda weight, positions: F.embedding(positions + 2, weight), {"offset": 2},
     weight=randn(6, 3), positions=torch.tensor([[0, 1, 2], [3, 3, 0]]))


# Attention
def attention(heads, kv_heads=None, softcap=None, window=None, causal=False, alibi=False, scale=None):
    def run(q, k, v, mask=None):
        split = lambda x, n: x.unflatten(-1, (n, -1)).transpose(1, 2)
        query, (key, value) = split(q, heads), (split(x, kv_heads or heads).repeat_interleave(heads // (kv_heads or heads), 1) for x in (k, v))
        scores = query @ key.mT * (scale or query.shape[-1] ** -0.5)
        if softcap:
            scores = softcap * torch.tanh(scores / softcap)
        if alibi:
            everything = torch.ones(key.shape[0], key.shape[2])
            scores = scores + build_alibi_tensor(everything, heads, torch.float64).unflatten(0, (-1, heads))
        if mask is not None:
            scores = scores.masked_fill(~mask[:, None, None], -torch.inf) if mask.dtype == torch.bool else scores + mask
        if causal:
            seen = torch.ones(scores.shape[-2:]).tril() - torch.ones(scores.shape[-2:]).tril(-(window or 1000))
            scores = scores.masked_fill(seen == 0, -torch.inf)
        return (scores.softmax(-1) @ value).transpose(1, 2).flatten(-2)

    return run


def attend(name, q, kv, heads, kv_heads=None, mask=None, **how):
    attrs = {"heads": heads, "kvHeads": kv_heads or heads, **how}
    masks = {} if mask is None else {"mask": mask}
    size = q[-1] // heads
    case(f"attention.{name}", "attention", attention(heads, kv_heads, **how), attrs,
         q=randn(*q), k=randn(*kv, size * (kv_heads or heads)), v=randn(*kv, size * (kv_heads or heads)), **masks)


shown = torch.tensor([[1, 1, 0, 1, 0], [0, 1, 1, 1, 1]]).bool()
attend("cross", (2, 3, 8), (2, 5), 4)
attend("cross-grouped", (2, 3, 8), (2, 5), 4, 2)
attend("cross-hidden-keys", (2, 3, 8), (2, 5), 2, mask=shown)
attend("cross-biased", (2, 3, 8), (2, 5), 2, mask=randn(2, 2, 3, 5))
attend("causal", (2, 5, 6), (2, 5), 2, causal=True)
attend("window", (2, 7, 6), (2, 7), 2, causal=True, window=3)
attend("window-one", (2, 4, 6), (2, 4), 2, causal=True, window=1)
attend("soft-cap", (2, 5, 6), (2, 5), 2, causal=True, softcap=0.5, scale=1.5)
attend("alibi", (2, 5, 8), (2, 5), 4, causal=True, alibi=True)
attend("alibi-six-heads", (2, 5, 12), (2, 5), 6, 3, causal=True, alibi=True)
attend("alibi-biased", (2, 5, 4), (2, 5), 2, mask=randn(2, 1, 1, 5), causal=True, alibi=True)

cases.write("compositions", __file__, packages=("torch", "transformers"))
