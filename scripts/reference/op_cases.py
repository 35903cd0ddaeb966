"""Cases of operators: inputs, output and the gradient of sum(output * cotangent) for each float input, in float64."""

import math

import torch
from common import fresh_folder, load_file, require_close, write_json, write_provenance, write_tensors


class OpCases:
    """The cases of one fixture folder. All numbers come from one generator, in the order in which they are asked for."""

    def __init__(self, seed, constant=()):
        self.seed = seed
        self.constant = constant  # float inputs that are data, not differentiated
        self.generator = torch.Generator().manual_seed(seed)
        self.cases = []

    def randn(self, *shape):
        return torch.randn(shape, generator=self.generator, dtype=torch.float64)

    def positive(self, *shape):
        return torch.rand(shape, generator=self.generator, dtype=torch.float64) + 0.5

    def apart(self, *shape):
        """Values that all differ by at least 0.1 and stay off zero, for ops with kinks (max, relu, abs)."""
        count = math.prod(shape)
        return (torch.randperm(count, generator=self.generator) - count // 2 + 0.5).double().mul(0.1).reshape(shape)

    def case(self, name, op, compute, attrs=None, **inputs):
        self.cases.append((name, op, compute, attrs or {}, inputs))

    def evaluate(self, compute, inputs, cotangent=None):
        leaves = {k: t.clone().requires_grad_(t.is_floating_point() and k not in self.constant) for k, t in inputs.items()}
        output = compute(*leaves.values())
        if cotangent is None:
            cotangent = torch.randn(output.shape, generator=self.generator, dtype=torch.float64)
        wanted = {k: t for k, t in leaves.items() if t.requires_grad}
        grads = torch.autograd.grad((output * cotangent).sum(), list(wanted.values()))
        return output.detach(), dict(zip(wanted, grads)), cotangent

    def write(self, folder_name, script, packages=("torch",)):
        """Writes the folder, reads it back and holds it against itself and against finite differences."""
        folder = fresh_folder(folder_name)
        tensors, index = {}, []
        for name, op, compute, attrs, inputs in self.cases:
            output, grads, cotangent = self.evaluate(compute, inputs)
            entry = {"name": name, "op": op, "attrs": attrs, "inputs": {}, "output": f"{name}/output", "grads": {}, "cotangent": f"{name}/cotangent"}
            tensors[entry["output"]], tensors[entry["cotangent"]] = output, cotangent
            for kind, group in (("inputs", inputs), ("grads", grads)):
                for key, value in group.items():
                    entry[kind][key] = f"{name}/{kind}.{key}"
                    tensors[entry[kind][key]] = value
            index.append(entry)
        assert len({entry["name"] for entry in index}) == len(index), "two cases share a name"
        write_tensors(folder / "ops.safetensors", tensors)
        write_json(folder / "ops.json", {"cases": index})
        write_provenance(folder, script, self.seed, dtype="float64", packages=packages)
        self.check(load_file(folder / "ops.safetensors"), index)
        print(f"{len(index)} cases")

    def check(self, written, index):
        for entry, (name, op, compute, attrs, inputs) in zip(index, self.cases):
            stored = {key: written[at] for key, at in entry["inputs"].items()}
            output, grads, _ = self.evaluate(compute, stored, written[entry["cotangent"]])
            require_close(name, output, written[entry["output"]], 1e-12)
            for key, grad in grads.items():
                require_close(f"{name} grad {key}", grad, written[entry["grads"][key]], 1e-12)
                differentiable = {k: stored[k].clone().requires_grad_(k == key) for k in stored}
                torch.autograd.gradcheck(lambda t, k=key: compute(*{**differentiable, k: t}.values()), (differentiable[key],), eps=1e-7, atol=1e-5)
