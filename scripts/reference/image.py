"""Writes test/fixtures/image from Pillow and transformers. Run: python scripts/reference/image.py

resample.json/.bin   Pillow's resize of a made-up picture, every filter, odd sizes
processor.json/.bin  pixel values of transformers' CLIP, LLaVA and SigLIP image processors (their Pillow backend)
files/               small encoded pictures; decode.json/.bin hold what Pillow makes of them
"""

import io
import json
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.llava.image_processing_pil_llava import LlavaImageProcessorPil
from transformers.models.blip.image_processing_pil_blip import BlipImageProcessorPil
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

OUT = Path(__file__).resolve().parents[2] / "test" / "fixtures" / "image"
FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "lanczos": Image.Resampling.LANCZOS,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "box": Image.Resampling.BOX,
    "hamming": Image.Resampling.HAMMING,
}


def picture(width, height):
    """Edges, ramps and noise from integer arithmetic, so that the tests can make the same picture."""
    y, x, c = np.mgrid[0:height, 0:width, 0:3].astype(np.int64)
    noise = ((x * 73 + y * 151 + c * 37 + 11) * 2654435761 % 4294967296) >> 24
    ramp = (x * 5 + y * 3 + c * 40) % 256
    check = ((x // 5 + y // 7 + c) % 2) * 255
    kind = (x // 11 + y // 13) % 3
    return np.where(kind == 0, noise, np.where(kind == 1, ramp, check)).astype(np.uint8)


class Store:
    """One binary file with an index of its parts."""

    def __init__(self):
        self.index, self.parts, self.offset = [], [], 0

    def add(self, array, **facts):
        raw = np.ascontiguousarray(array).tobytes()
        self.index.append({**facts, "shape": list(array.shape), "offset": self.offset, "bytes": len(raw)})
        self.parts.append(raw)
        self.offset += len(raw)

    def write(self, name):
        (OUT / f"{name}.bin").write_bytes(b"".join(self.parts))
        rows = ",\n".join("  " + json.dumps(row) for row in self.index)
        (OUT / f"{name}.json").write_text(f"[\n{rows}\n]\n")


def resample():
    store = Store()
    shapes = [((37, 61), (23, 17)), ((61, 37), (29, 41)), ((1, 53), (7, 19)), ((53, 1), (16, 3)), ((1, 1), (5, 4)),
              ((300, 211), (9, 8)), ((9, 7), (9, 20)), ((9, 7), (20, 7)), ((9, 7), (31, 27)), ((13, 11), (13, 11))]
    for name, filter in FILTERS.items():
        for source, target in shapes:
            out = Image.fromarray(picture(*source)).resize(target, filter)
            store.add(np.asarray(out), filter=name, source=source, target=target)
    big = Image.fromarray(picture(1021, 767)).resize((48, 36), Image.Resampling.BICUBIC)
    store.add(np.asarray(big), filter="bicubic", source=(1021, 767), target=(48, 36))
    store.write("resample")


def processors():
    store = Store()
    sizes = [(37, 61), (61, 37), (24, 24), (1, 40), (40, 3), (200, 131), (25, 24)]
    clip = {"size": {"shortest_edge": 24}, "crop_size": {"height": 24, "width": 24}}
    cases = {
        "clip-crop": CLIPImageProcessorPil(**clip),
        "clip-pad": LlavaImageProcessorPil(**clip, do_pad=True),
        "clip-squash": CLIPImageProcessorPil(size={"height": 24, "width": 24}, do_center_crop=False),
        "siglip": SiglipImageProcessorPil(size={"height": 21, "width": 28}),
        "blip": BlipImageProcessorPil(size={"height": 24, "width": 21}),
        "small-crop": CLIPImageProcessorPil(size={"shortest_edge": 15}, crop_size={"height": 22, "width": 19}),
        "no-resize": CLIPImageProcessorPil(do_resize=False, crop_size={"height": 30, "width": 31}, do_normalize=False),
    }
    for name, processor in cases.items():
        config = {k: v for k, v in json.loads(processor.to_json_string()).items()}
        for size in sizes if name != "no-resize" else [(37, 61), (26, 25)]:
            out = processor(Image.fromarray(picture(*size)), return_tensors="np")["pixel_values"][0]
            store.add(out.astype("<f4"), name=name, source=size, config=config)
    store.write("processor")


def png16(array):
    """A 16-bit PNG; Pillow itself writes none with three channels."""
    height, width, channels = array.shape
    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    lines = b"".join(b"\0" + row.astype(">u2").tobytes() for row in array)
    head = struct.pack(">IIBBBBB", width, height, 16, {1: 0, 3: 2}[channels], 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")


def smooth(width, height):
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([x * 255 // width, y * 255 // height, (x + y) * 255 // (width + height)], -1).astype(np.uint8)


def files():
    folder = OUT / "files"
    folder.mkdir(parents=True, exist_ok=True)
    store = Store()
    rgb = Image.fromarray(picture(19, 13))
    soft = Image.fromarray(smooth(37, 61))
    alpha = Image.fromarray(np.dstack([picture(9, 7), picture(9, 7)[:, :, 0]]))
    wide = (picture(9, 7).astype(np.uint16) << 8) + 200

    def save(name, image, expect=None, **options):
        image.save(folder / name, **options)
        keep(name, expect)

    def keep(name, expect=None):
        if expect is None:
            expect = ImageOps.exif_transpose(Image.open(folder / name)).convert("RGB")
        store.add(np.asarray(expect), file=name)

    save("rgb.png", rgb)
    save("grey.png", rgb.convert("L"))
    save("bits.png", rgb.convert("1"))
    save("alpha.png", alpha)
    save("grey-alpha.png", alpha.convert("LA"))
    save("palette.png", rgb.quantize(16))
    (folder / "rgb16.png").write_bytes(png16(wide))
    keep("rgb16.png", (wide >> 8).astype(np.uint8))
    (folder / "grey16.png").write_bytes(png16(wide[:, :, :1]))
    keep("grey16.png", np.repeat(wide[:, :, :1] >> 8, 3, -1).astype(np.uint8))
    save("soft-420.jpg", soft, quality=90, subsampling=2)
    save("soft-444.jpg", Image.fromarray(smooth(61, 37)), quality=92, subsampling=0)
    save("noise.jpg", rgb, quality=75, subsampling=2)
    save("grey.jpg", soft.convert("L"), quality=90)
    save("cmyk.jpg", soft.resize((24, 16)).convert("CMYK"), quality=90)
    save("progressive.jpg", soft, quality=85, progressive=True)
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        save(f"turned-{orientation}.png", Image.fromarray(picture(5, 3)), exif=exif)
    exif = Image.Exif()
    exif[0x0112] = 6
    save("turned.jpg", Image.fromarray(smooth(16, 24)), exif=exif, quality=95, subsampling=0)
    save("lossless.webp", rgb, lossless=True)
    save("lossy.webp", soft, quality=80)
    save("alpha.webp", alpha, lossless=True, exact=True)
    save("still.gif", rgb.quantize(32))
    frames = [Image.fromarray(picture(6, 5) // k).quantize(16) for k in (1, 2)]
    save("moving.gif", frames[0], save_all=True, append_images=frames[1:], duration=100)
    save("moving.webp", frames[0].convert("RGB"), save_all=True, append_images=[f.convert("RGB") for f in frames[1:]], lossless=True)
    whole = io.BytesIO()
    soft.save(whole, "JPEG", quality=90)
    (folder / "cut.jpg").write_bytes(whole.getvalue()[: len(whole.getvalue()) * 2 // 3])
    white = Image.alpha_composite(Image.new("RGBA", alpha.size, (255,) * 4), alpha).convert("RGB")
    store.add(np.asarray(white), file="alpha.png", alpha="white")
    store.write("decode")


if __name__ == "__main__":
    OUT.mkdir(parents=True, exist_ok=True)
    resample()
    processors()
    files()
