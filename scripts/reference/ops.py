"""Every graph op: inputs, output and the gradient of sum(output * cotangent) for each float input, in float64."""

import torch
import torch.nn.functional as F
from op_cases import OpCases

cases = OpCases(7, constant={"exponent", "weights", "cos", "sin"})
case, randn, positive, apart = cases.case, cases.randn, cases.positive, cases.apart


# Elementwise, with broadcasting
for op, f in {"add": torch.add, "sub": torch.sub, "mul": torch.mul, "div": torch.div}.items():
    for suffix, a, b in (("same", (3, 4), (3, 4)), ("row", (2, 3, 4), (4,)), ("both", (2, 1, 4), (3, 1)), ("scalar", (3, 4), ())):
        case(f"{op}.{suffix}", op, f, a=randn(*a), b=positive(*b) if op == "div" else randn(*b))
case("pow.tensor", "pow", torch.pow, a=positive(3, 4), b=randn(4))
case("pow.square", "pow", lambda a, exponent: a**exponent, a=randn(3, 4), exponent=torch.tensor(2.0, dtype=torch.float64))
for op, f, make in (
    ("neg", torch.neg, randn), ("exp", torch.exp, randn), ("log", torch.log, positive), ("sqrt", torch.sqrt, positive),
    ("reciprocal", torch.reciprocal, positive), ("tanh", torch.tanh, randn), ("sigmoid", torch.sigmoid, randn),
    ("erf", torch.erf, randn), ("sin", torch.sin, randn), ("cos", torch.cos, randn), ("abs", torch.abs, apart),
    ("relu", torch.relu, apart),
):
    case(op, op, f, x=make(3, 5))
case("max.pair", "max", torch.maximum, a=apart(3, 4), b=randn(4))
case("min.pair", "min", torch.minimum, a=apart(2, 3, 4), b=randn(3, 1))
case("where", "where", torch.where, cond=randn(3, 4) > 0, a=randn(3, 4), b=randn(4))
case("where.broadcast-condition", "where", torch.where, cond=randn(4) > 0, a=randn(2, 3, 4), b=randn(3, 1))
case("clip", "clip", lambda x: x.clamp(-0.4, 0.6), {"min": -0.4, "max": 0.6}, x=apart(4, 5))

# Reductions
for op, f in {"reduceSum": torch.sum, "reduceMean": torch.mean, "reduceMax": torch.amax, "reduceMin": torch.amin}.items():
    for axes in ([0], [-1], [0, 2], [0, 1, 2]):
        for keepdims in (False, True):
            name = f"{op}.axes{'_'.join(map(str, axes))}.{'keep' if keepdims else 'drop'}"
            case(name, op, lambda x, f=f, a=axes, k=keepdims: f(x, dim=a, keepdim=k), {"axes": axes, "keepdims": keepdims},
                 x=apart(2, 3, 4))
case("cumsum", "cumsum", lambda x: x.cumsum(1), {"axis": 1}, x=randn(2, 5, 3))
case("cumsum.last", "cumsum", lambda x: x.cumsum(-1), {"axis": -1}, x=randn(3, 4))

# Shapes
case("reshape", "reshape", lambda x: x.reshape(4, 6), {"shape": [4, 6]}, x=randn(2, 3, 4))
case("transpose.matrix", "transpose", lambda x: x.permute(1, 0), {"perm": [1, 0]}, x=randn(3, 4))
case("transpose.heads", "transpose", lambda x: x.permute(0, 2, 1, 3), {"perm": [0, 2, 1, 3]}, x=randn(2, 3, 4, 5))
case("transpose.cycle", "transpose", lambda x: x.permute(2, 0, 1), {"perm": [2, 0, 1]}, x=randn(2, 3, 4))
case("concat.axis0", "concat", lambda a, b: torch.cat([a, b]), {"axis": 0}, a=randn(2, 3), b=randn(4, 3))
case("concat.last", "concat", lambda a, b, c: torch.cat([a, b, c], -1), {"axis": -1}, a=randn(2, 3), b=randn(2, 1), c=randn(2, 4))
case("slice", "slice", lambda x: x[:, 1:3], {"starts": [1], "ends": [3], "axes": [1], "steps": [1]}, x=randn(2, 5, 3))
case("slice.two-axes", "slice", lambda x: x[1:, :, -2:], {"starts": [1, -2], "ends": [3, 4], "axes": [0, 2], "steps": [1, 1]}, x=randn(3, 2, 4))
case("slice.step", "slice", lambda x: x[:, ::2], {"starts": [0], "ends": [5], "axes": [1], "steps": [2]}, x=randn(2, 5))
case("expand", "expand", lambda x: x.expand(2, 3, 4), {"shape": [2, 3, 4]}, x=randn(3, 1))
case("pad", "pad", lambda x: F.pad(x, (2, 0, 1, 3)), {"pads": [[1, 3], [2, 0]], "value": 0}, x=randn(2, 3))
case("pad.value", "pad", lambda x: F.pad(x, (1, 2), value=-1.5), {"pads": [[0, 0], [1, 2]], "value": -1.5}, x=randn(2, 3))


# Gather and scatter, with the meaning of the ONNX operators
def gather_nd(x, indices):
    return x[tuple(indices.unbind(-1))]


def scatter_nd(reduction):
    def run(x, indices, updates):
        return x.index_put(tuple(indices.unbind(-1)), updates, accumulate=reduction == "add")

    return run


def ids(*values):
    return torch.tensor(values, dtype=torch.int64)


case("gather.axis0", "gather", lambda x, indices: x[indices], {"axis": 0}, x=randn(5, 3), indices=ids([0, 4, 4], [2, 0, 4]))
case("gather.axis1", "gather", lambda x, indices: x[:, indices], {"axis": 1}, x=randn(2, 4, 3), indices=ids(3, 1, 3))
case("gather.axis1-grid", "gather", lambda x, indices: x[:, indices], {"axis": 1}, x=randn(2, 4), indices=ids([1, 1], [0, 3]))
case("gatherND.points", "gatherND", gather_nd, x=randn(3, 4), indices=ids([0, 1], [2, 3], [0, 1]))
case("gatherND.rows", "gatherND", gather_nd, x=randn(3, 4, 2), indices=ids([0, 1], [2, 3], [0, 1], [1, 0]))
case("scatterND.replace", "scatterND", scatter_nd("none"), {"reduction": "none"}, x=randn(4, 3), indices=ids([2], [0]), updates=randn(2, 3))
case("scatterND.replace-points", "scatterND", scatter_nd("none"), {"reduction": "none"}, x=randn(4, 3), indices=ids([2, 1], [0, 0], [3, 2]), updates=randn(3))
case("scatterND.add", "scatterND", scatter_nd("add"), {"reduction": "add"}, x=randn(4, 3), indices=ids([2], [0], [2]), updates=randn(3, 3))
case("gatherElements.axis1", "gatherElements", lambda x, indices: x.gather(1, indices), {"axis": 1}, x=randn(3, 4), indices=ids([0, 0], [3, 1], [2, 2]))
case("gatherElements.axis0", "gatherElements", lambda x, indices: x.gather(0, indices), {"axis": 0}, x=randn(3, 4), indices=ids([0, 2, 1, 2], [1, 2, 0, 2]))

# Products
for name, a, b in (("2d", (3, 4), (4, 5)), ("batched", (2, 3, 4), (2, 4, 5)), ("shared-right", (2, 3, 4), (4, 5)),
                   ("shared-left", (3, 4), (2, 4, 5)), ("broadcast-batch", (2, 1, 3, 4), (3, 4, 5)), ("one-row", (2, 1, 4), (2, 4, 3))):
    case(f"matmul.{name}", "matmul", torch.matmul, {"transposeA": False, "transposeB": False, "alpha": 1}, a=randn(*a), b=randn(*b))
for ta, tb, alpha in ((True, False, 1), (False, True, 1), (True, True, 0.5), (False, True, 0.25)):
    case(f"matmul.{'t' if ta else 'n'}{'t' if tb else 'n'}.alpha{alpha}", "matmul",
         lambda a, b, ta=ta, tb=tb, s=alpha: s * torch.matmul(a.mT if ta else a, b.mT if tb else b),
         {"transposeA": ta, "transposeB": tb, "alpha": alpha},
         a=randn(2, 4, 3) if ta else randn(2, 3, 4), b=randn(2, 5, 4) if tb else randn(2, 4, 5))


# Convolutions and pooling, NCHW
def conv(name, x, w, bias=False, transposed=False, **attrs):
    attrs = {"stride": [1, 1], "padding": [0, 0], "dilation": [1, 1], "groups": 1, **attrs}
    if transposed:
        attrs = {"outputPadding": [0, 0], **attrs}
    names = {"outputPadding": "output_padding"}
    f = F.conv_transpose2d if transposed else F.conv2d
    options = {names.get(k, k): v for k, v in attrs.items()}
    inputs = {"x": randn(*x), "w": randn(*w)}
    if bias:
        inputs["b"] = randn(w[1] * attrs["groups"] if transposed else w[0])
    op = "convTranspose2d" if transposed else "conv2d"
    case(f"{op}.{name}", op, lambda x, w, b=None: f(x, w, b, **options), attrs, **inputs)


conv("patch", (2, 3, 6, 8), (4, 3, 2, 2), stride=[2, 2])
conv("bias", (1, 2, 5, 5), (3, 2, 3, 3), bias=True)
conv("padding", (1, 2, 5, 4), (3, 2, 3, 3), padding=[1, 1])
conv("stride-uneven", (1, 2, 6, 7), (3, 2, 3, 2), stride=[2, 3], padding=[1, 0])
conv("stride-rest", (1, 1, 6, 6), (2, 1, 3, 3), stride=[2, 2])
conv("dilation", (1, 2, 7, 7), (2, 2, 3, 3), dilation=[2, 2], padding=[2, 2])
conv("groups", (2, 4, 5, 5), (6, 2, 3, 3), groups=2, padding=[1, 1], bias=True)
conv("depthwise", (1, 3, 5, 5), (3, 1, 3, 3), groups=3)
conv("plain", (1, 2, 4, 4), (2, 3, 3, 3), transposed=True)
conv("stride", (1, 2, 3, 3), (2, 3, 2, 2), transposed=True, stride=[2, 2], bias=True)
conv("padding", (1, 2, 3, 4), (2, 2, 3, 3), transposed=True, stride=[2, 2], padding=[1, 1], outputPadding=[1, 1])
conv("groups", (1, 4, 3, 3), (4, 2, 2, 2), transposed=True, groups=2)
pool = {"kernel": [2, 2], "stride": [2, 2]}
case("avgPool2d", "avgPool2d", lambda x: F.avg_pool2d(x, 2), pool, x=randn(2, 2, 4, 6))
case("avgPool2d.overlap", "avgPool2d", lambda x: F.avg_pool2d(x, 3, 1), {"kernel": [3, 3], "stride": [1, 1]}, x=randn(1, 2, 5, 5))
case("maxPool2d", "maxPool2d", lambda x: F.max_pool2d(x, 2), pool, x=apart(2, 2, 4, 6))
case("maxPool2d.rest", "maxPool2d", lambda x: F.max_pool2d(x, 2), pool, x=apart(1, 2, 5, 5))


# Composed functions
def masked_softmax(x, mask):
    """Rows without any allowed entry give zeros, not NaN."""
    weights = torch.where(mask, x, torch.full_like(x, -1e30)).softmax(-1)
    return torch.where(mask, weights, torch.zeros_like(x))


def layer_norm(eps):
    return lambda x, weight, bias: F.layer_norm(x, x.shape[-1:], weight, bias, eps)


def rms_norm(eps):
    return lambda x, weight: x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + eps) * weight


def rotate_half(x):
    first, second = x.chunk(2, -1)
    return torch.cat([-second, first], -1)


def rotary_tables(positions, head_dim, theta=1e4):
    frequencies = theta ** (-torch.arange(0, head_dim, 2, dtype=torch.float64) / head_dim)
    angles = positions.double()[..., None] * frequencies
    angles = torch.cat([angles, angles], -1)
    return {"cos": angles.cos(), "sin": angles.sin()}


def cross_entropy(logits, targets, weights):
    """Weighted sum of token losses, not their mean."""
    return (F.cross_entropy(logits, targets, reduction="none") * weights).sum()


causal = torch.ones(4, 4).tril().bool()
case("softmax", "softmax", lambda x: x.softmax(-1), {"axis": -1}, x=randn(2, 3, 4) * 3)
case("softmax.axis1", "softmax", lambda x: x.softmax(1), {"axis": 1}, x=randn(2, 3, 4))
case("softmax.large", "softmax", lambda x: x.softmax(-1), {"axis": -1}, x=randn(3, 4) + 1e4)
case("logSoftmax", "logSoftmax", lambda x: x.log_softmax(-1), {"axis": -1}, x=randn(2, 3, 4) * 3)
case("logSoftmax.axis0", "logSoftmax", lambda x: x.log_softmax(0), {"axis": 0}, x=randn(3, 4))
case("maskedSoftmax.causal", "maskedSoftmax", masked_softmax, {"axis": -1}, x=randn(2, 2, 4, 4), mask=causal)
case("maskedSoftmax.empty-row", "maskedSoftmax", masked_softmax, {"axis": -1}, x=randn(3, 4), mask=torch.tensor([[1, 0, 1, 1], [0, 0, 0, 0], [0, 1, 0, 0]]).bool())
case("layerNorm", "layerNorm", layer_norm(1e-5), {"eps": 1e-5}, x=randn(2, 3, 8), weight=randn(8), bias=randn(8))
case("layerNorm.large-eps", "layerNorm", layer_norm(0.1), {"eps": 0.1}, x=randn(3, 5), weight=randn(5), bias=randn(5))
case("rmsNorm", "rmsNorm", rms_norm(1e-6), {"eps": 1e-6}, x=randn(2, 3, 8), weight=randn(8))
case("rmsNorm.large-eps", "rmsNorm", rms_norm(0.1), {"eps": 0.1}, x=randn(3, 5), weight=randn(5))
case("geluErf", "geluErf", F.gelu, x=randn(3, 5) * 2)
case("geluTanh", "geluTanh", lambda x: F.gelu(x, approximate="tanh"), x=randn(3, 5) * 2)
case("quickGelu", "quickGelu", lambda x: x * torch.sigmoid(1.702 * x), x=randn(3, 5) * 2)
case("silu", "silu", F.silu, x=randn(3, 5) * 2)
case("rotary", "rotary", lambda x, cos, sin: x * cos + rotate_half(x) * sin, x=randn(2, 3, 5, 8), **rotary_tables(torch.arange(5), 8))
case("rotary.positions", "rotary", lambda x, cos, sin: x * cos[:, None] + rotate_half(x) * sin[:, None],
     {"note": "tables are [batch, tokens, head_dim], x is [batch, heads, tokens, head_dim]"},
     x=randn(2, 3, 4, 6), **rotary_tables(torch.tensor([[0, 1, 2, 3], [7, 8, 9, 30]]), 6))
case("crossEntropy", "crossEntropy", cross_entropy, logits=randn(5, 7) * 2, targets=ids(3, 0, 6, 3, 1), weights=positive(5))
case("crossEntropy.zero-weight", "crossEntropy", cross_entropy, logits=randn(4, 6), targets=ids(2, 5, 0, 1), weights=torch.tensor([0.5, 0.0, 0.5, 0.0], dtype=torch.float64))

cases.write("ops", __file__)
