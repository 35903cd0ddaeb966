"""What the training peers of PyTorch share: the optimizer, and a step with its times."""

import time

import torch


def adamw(parameters, options, fused):
    """AdamW in which vectors do not decay, as in the other peers."""
    parameters = list(parameters)
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": options["weightDecay"]},
        {"params": [p for p in parameters if p.ndim == 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=options["rate"], betas=tuple(options["betas"]), eps=options["eps"], fused=fused)


def timed_step(forward, inputs, optimizer):
    """Forward, loss, backward and optimizer; milliseconds and the loss."""
    begin, cpu = time.perf_counter(), time.process_time()
    loss = forward(**inputs).loss
    loss.backward()
    graph = time.perf_counter()
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    value = loss.item()
    return {
        "ms": (time.perf_counter() - begin) * 1e3,
        "cpuMs": (time.process_time() - cpu) * 1e3,
        "loss": value,
        "graphMs": (graph - begin) * 1e3,
    }
