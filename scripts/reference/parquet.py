"""Parquet files as the public sets of pairs lie on the hub, and as pyarrow packs and cuts them, with their rows as JSON."""

import base64
import io
import json

import pyarrow as pa
import pyarrow.parquet as pq
from common import fresh_folder, write_json, write_provenance
from PIL import Image

FOLDER = fresh_folder("parquet")


def image(colour, kind="PNG"):
    out = io.BytesIO()
    Image.new("RGB", (6, 4), colour).save(out, kind)
    return out.getvalue()


RED, BLUE, GREEN = image("red"), image("blue", "JPEG"), image("green")
picture = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
source = {"ds_name": pa.string(), "origin_dataset": pa.string(), "origin_split": pa.string(), "image_path": pa.string()}
ORIGIN = {"ds_name": "demo", "origin_dataset": "demo", "origin_split": json.dumps({"model": "m", "type": "detailed_description"})}


def write(name, rows, types, **options):
    """Writes the rows, reads them back, and keeps them as JSON with bytes in base64."""
    pq.write_table(pa.Table.from_pylist(rows, schema=pa.schema(types)), FOLDER / f"{name}.parquet", **options)
    assert pq.read_table(FOLDER / f"{name}.parquet").to_pylist() == rows
    plain = json.loads(json.dumps(rows, default=lambda b: base64.b64encode(b).decode()))
    write_json(FOLDER / f"{name}.json", plain)


pair = lambda text, right, wrong: {"question": text, "chosen": right, "rejected": wrong}
corrected = [
    pair("Describe the image.", "A red ball on a table.", "A red cup on a table."),
    pair("What is there?", "A blue cube.", "A blue cube and a “cup”."),
    pair("And here?", "Nothing else.", "A ring."),
]
write(
    "rlhf-v",
    [
        {**ORIGIN, "image": {"bytes": RED, "path": None}, "text": json.dumps(corrected[0]), "idx": 0, "image_path": "coco/1.jpg"},
        {**ORIGIN, "image": {"bytes": BLUE, "path": "2.jpg"}, "text": json.dumps(corrected[1]), "idx": 1, "image_path": "coco/2.jpg"},
        {**ORIGIN, "image": None, "text": json.dumps(corrected[2]), "idx": 2, "image_path": "beside.png"},
        {**ORIGIN, "image": {"bytes": RED, "path": None}, "text": '{"question": "What', "idx": 3, "image_path": "coco/4.jpg"},
        {**ORIGIN, "image": {"bytes": GREEN[:20], "path": None}, "text": json.dumps(corrected[0]), "idx": 4, "image_path": "5.jpg"},
    ],
    {**source, "image": picture, "text": pa.string(), "idx": pa.int64()},
)
write(
    "rlaif-v",
    [
        {**ORIGIN, "image": {"bytes": RED, "path": "1.png"}, "idx": "0", "image_path": "1.png", **corrected[0]},
        {**ORIGIN, "image": {"bytes": RED, "path": "1.png"}, "idx": "1", "image_path": "1.png", **corrected[2]},
        {**ORIGIN, "image": {"bytes": BLUE, "path": "2.jpg"}, "idx": "2", "image_path": "2.jpg", **corrected[1], "rejected": None},
    ],
    {**source, "image": picture, "idx": pa.string(), "question": pa.string(), "chosen": pa.string(), "rejected": pa.string()},
    row_group_size=2,
)

rating = pa.struct([("Rating", pa.string()), ("Rationale", pa.string())])
ASPECTS = ("Helpfulness", "Ethical Considerations", "Visual Faithfulness")


def rated(*ratings):
    return {a: None if r is None else {"Rating": r, "Rationale": f"{r} of 5"} for a, r in zip(ASPECTS, ratings)}


def answered(id, picture, responses, annotations):
    completions = {"annotations": annotations, "model": [f"m{i}" for i in range(len(responses))], "response": responses}
    return {"id": id, "prompt": "Describe it.", "models": completions["model"], "completions": completions, "image": picture}


write(
    "vlfeedback",
    [
        answered(
            "svit-1",
            {"bytes": RED, "path": None},
            ["Answer A", "Answer B", "Answer C", "Answer D"],
            [rated("4", "5", "3"), rated("3", "5", "3"), rated("5", "5", "2"), rated("2", "5", "1")],
        ),
        answered(
            "svit-2",
            {"bytes": BLUE, "path": None},
            ["One", "Two", "", "Four"],
            [rated("4", "N/A", None), rated("N/A", "N/A", "N/A"), rated("5", "5", "5"), rated("3", None, " 4 ")],
        ),
        answered("svit-3", None, ["One", "Two"], [rated("4", "4", "4"), rated("4", "4", "4")]),
    ],
    {
        "id": pa.string(),
        "prompt": pa.string(),
        "models": pa.list_(pa.string()),
        "completions": pa.struct(
            [
                ("annotations", pa.list_(pa.struct([(a, rating) for a in ASPECTS]))),
                ("model", pa.list_(pa.string())),
                ("response", pa.list_(pa.string())),
            ]
        ),
        "image": picture,
    },
)

# Rows that several pages and groups share, with lists that a page ends inside, packed in each way that is read.
many = [
    {
        "number": None if i % 7 == 3 else i * 2**33,
        "share": i / 8,
        "yes": i % 3 == 0,
        "text": None if i % 5 == 4 else f"row {i} " + "ä" * (i % 11),
        "kind": ["red", "blue"][i // 20 % 2],
        "list": None if i % 9 == 8 else [f"{i}.{k}" for k in range(i % 6)],
        "things": [{"name": f"t{k}", "sizes": list(range(k))} for k in range(i % 4)],
        "bytes": bytes(range(i % 13)),
    }
    for i in range(90)
]
types = {
    "number": pa.int64(),
    "share": pa.float64(),
    "yes": pa.bool_(),
    "text": pa.string(),
    "kind": pa.string(),
    "list": pa.list_(pa.string()),
    "things": pa.list_(pa.struct([("name", pa.string()), ("sizes", pa.list_(pa.int32()))])),
    "bytes": pa.binary(),
}
small = {"row_group_size": 40, "data_page_size": 48, "write_batch_size": 3, "dictionary_pagesize_limit": 256}
for codec in ("none", "snappy", "gzip", "brotli"):
    write(f"many-{codec}", many, types, compression=codec, **small)
write("many-v2", many, types, data_page_version="2.0", use_dictionary=False, **small)
for other in ("snappy", "gzip", "brotli", "v2"):
    (FOLDER / f"many-{other}.json").unlink()
(FOLDER / "many-none.json").rename(FOLDER / "many.json")
write("zstd", many[:2], types, compression="zstd")
(FOLDER / "zstd.json").unlink()

write_provenance(FOLDER, __file__, 0, dtype="-", packages=("pyarrow", "pillow"))
