"""AdamW, the cosine schedule with warm-up and clipping by global norm, in float64 on given gradients."""

import json
import math

import torch
from common import fresh_folder, write_json, write_provenance
from transformers import get_cosine_schedule_with_warmup

SEED = 31
SHAPES = {"layer.weight": (3, 2), "layer.bias": (3,)}  # the first decays, the second does not
STEPS = 10
generator = torch.Generator().manual_seed(SEED)


def draw(shape, scale=1.0):
    return scale * torch.randn(shape, generator=generator, dtype=torch.float64)


def flat(tensors):
    return {name: t.detach().flatten().tolist() for name, t in tensors.items()}


def adamw_case(name, *, lr, betas=(0.9, 0.999), eps=1e-8, weight_decay, schedule=None, max_norm=None):
    """Ten steps. `steps[i]`: given gradients, norm before clipping, rate used, parameters afterwards."""
    params = {key: draw(shape).requires_grad_() for key, shape in SHAPES.items()}
    initial = flat(params)
    groups = [{"params": [params["layer.weight"]], "weight_decay": weight_decay}, {"params": [params["layer.bias"]], "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=lr, betas=betas, eps=eps, foreach=False)
    scheduler = schedule and get_cosine_schedule_with_warmup(optimizer, schedule["warmup"], schedule["total"])
    steps = []
    for step in range(STEPS):
        grads = {key: draw(shape, 1.0 + step % 3) for key, shape in SHAPES.items()}
        for key, p in params.items():
            p.grad = grads[key].clone()
        norm = torch.nn.utils.clip_grad_norm_(params.values(), math.inf if max_norm is None else max_norm, foreach=False)
        rate = optimizer.param_groups[0]["lr"]
        optimizer.step()
        if scheduler:
            scheduler.step()
        steps.append({"grads": flat(grads), "norm": norm.item(), "lr": rate, "params": flat(params)})
    state = {key: optimizer.state[p] for key, p in params.items()}
    return {
        "name": name, "shapes": {key: list(shape) for key, shape in SHAPES.items()}, "decayed": ["layer.weight"],
        "lr": lr, "betas": list(betas), "eps": eps, "weightDecay": weight_decay, "maxNorm": max_norm, "schedule": schedule,
        "initial": initial, "steps": steps,
        "firstMoment": flat({key: s["exp_avg"] for key, s in state.items()}),
        "secondMoment": flat({key: s["exp_avg_sq"] for key, s in state.items()}),
    }


def schedule_case(warmup, total):
    """Factors of the peak rate at optimizer steps 0 to total, step 0 being the first update."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler = get_cosine_schedule_with_warmup(optimizer, warmup, total)
    factors = []
    for _ in range(total + 1):
        factors.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return {"warmup": warmup, "total": total, "factors": factors}


def clip_case(max_norm, *grads):
    tensors = [torch.zeros_like(g).requires_grad_() for g in grads]
    for t, g in zip(tensors, grads):
        t.grad = g.clone()
    norm = torch.nn.utils.clip_grad_norm_(tensors, max_norm, foreach=False)
    return {"maxNorm": max_norm, "grads": [g.tolist() for g in grads], "norm": norm.item(), "clipped": [t.grad.tolist() for t in tensors]}


def by_hand(case):
    """The paper's update, as an independent check of the trajectory."""
    values = {key: list(v) for key, v in case["initial"].items()}
    m, v = ({key: [0.0] * len(x) for key, x in values.items()} for _ in range(2))
    b1, b2 = case["betas"]
    for t, step in enumerate(case["steps"], 1):
        scale = min(1.0, case["maxNorm"] / (step["norm"] + 1e-6)) if case["maxNorm"] else 1.0
        for key, x in values.items():
            decay = case["weightDecay"] if key in case["decayed"] else 0.0
            for i, g in enumerate(step["grads"][key]):
                m[key][i] = b1 * m[key][i] + (1 - b1) * g * scale
                v[key][i] = b2 * v[key][i] + (1 - b2) * (g * scale) ** 2
                root = math.sqrt(v[key][i] / (1 - b2**t)) + case["eps"]
                x[i] = x[i] * (1 - step["lr"] * decay) - step["lr"] * m[key][i] / (1 - b1**t) / root
            assert all(math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-12) for a, b in zip(x, step["params"][key])), case["name"]


result = {
    "adamw": [
        adamw_case("constant", lr=1e-2, weight_decay=0.1),
        adamw_case("no-decay", lr=5e-2, weight_decay=0.0, betas=(0.9, 0.95), eps=1e-6),
        adamw_case("clipped-cosine", lr=2e-2, weight_decay=0.05, schedule={"warmup": 3, "total": 10}, max_norm=1.0),
    ],
    "cosine": [schedule_case(*pair) for pair in ((0, 10), (1, 10), (3, 10), (10, 10), (4, 37), (0, 1))],
    "clip": [
        clip_case(1.0, draw((2, 3), 3.0), draw((4,), 3.0)),
        clip_case(100.0, draw((2, 3)), draw((4,))),
        clip_case(0.5, torch.tensor([3.0, 4.0], dtype=torch.float64)),
        clip_case(1.0, torch.zeros(3, dtype=torch.float64)),
    ],
}
folder = fresh_folder("optim")
write_json(folder / "optim.json", result)
write_provenance(folder, __file__, SEED, dtype="float64")
for case in json.loads((folder / "optim.json").read_text())["adamw"]:
    by_hand(case)
