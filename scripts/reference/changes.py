"""Changed tokens of pairs of answers, by Python's difflib: gaps between its matching blocks of at least three tokens."""

import random
from difflib import SequenceMatcher

from common import fresh_folder, write_json, write_provenance

SEED = 23
SHORTEST = 3
draw = random.Random(SEED)


def changed(a, b):
    """Indices of each list in gaps that are non-empty on both sides."""
    blocks = [m for m in SequenceMatcher(None, a, b).get_matching_blocks() if m.size >= SHORTEST or m.size == 0]
    marks, i, j = ([], []), 0, 0
    for block in blocks:
        if block.a > i and block.b > j:
            marks[0].extend(range(i, block.a))
            marks[1].extend(range(j, block.b))
        i, j = block.a + block.size, block.b + block.size
    return marks


def edited(ids, vocabulary, edits):
    """A copy with some runs of tokens replaced, put in or left out."""
    ids = list(ids)
    for _ in range(edits):
        at = draw.randrange(len(ids) + 1)
        ids[at : at + draw.randrange(4)] = [draw.randrange(vocabulary) for _ in range(draw.randrange(4))]
    return ids


def case(length, vocabulary, edits):
    a = [draw.randrange(vocabulary) for _ in range(length)]
    b = edited(a, vocabulary, edits)
    return {"a": a, "b": b, "changed": changed(a, b)}


folder = fresh_folder("changes")
cases = [case(draw.randrange(0, 40), draw.choice([3, 8, 60]), draw.randrange(0, 6)) for _ in range(40)]
# Above 200 tokens, frequent ones are no start of a run.
cases += [case(draw.randrange(195, 320), draw.choice([8, 60, 900]), draw.randrange(1, 12)) for _ in range(12)]
image = [7] * 144
cases += [{"a": a, "b": b, "changed": changed(a, b)} for a, b in [([1, *image, *range(20, 90)], [1, *image, *range(20, 60), 3, 4, *range(62, 90)])]]
write_json(folder / "cases.json", cases)
write_provenance(folder, __file__, SEED, dtype="integers", packages=())
