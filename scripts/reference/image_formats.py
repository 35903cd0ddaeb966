"""Writes test/fixtures/image/formats from Pillow. Run: python scripts/reference/image_formats.py

Small BMP and TIFF files, each with what Pillow makes of it in RGB: formats.json/.bin.
"""

import io
import struct

import numpy as np
from PIL import Image
from image import OUT, Store, picture

FOLDER = OUT / "formats"


def saved(image, **options):
    buffer = io.BytesIO()
    image.save(buffer, **options)
    return buffer.getvalue()


def bmp(bits, rows, width, height, masks=(), top_down=False):
    """A BMP by hand, for the depths that Pillow does not write."""
    head = 40 + 4 * len(masks)
    body = b"".join(rows)
    info = struct.pack("<IiiHHIIiiII", 40, width, -height if top_down else height, 1, bits, 3 if masks else 0, len(body), 0, 0, 0, 0)
    start = 14 + head
    return b"BM" + struct.pack("<IHHI", start + len(body), 0, 0, start) + info + struct.pack(f"<{len(masks)}I", *masks) + body


def sixteen(pixels, green):
    """Rows from the bottom up with five bits of red and blue, and so many of green."""
    height, width, _ = pixels.shape
    r, g, b = (pixels[..., c].astype(np.uint16) for c in range(3))
    value = ((r >> 3) << (5 + green)) | ((g >> (8 - green)) << 5) | (b >> 3)
    raw = [row.astype("<u2").tobytes() for row in value[::-1]]
    return [row + b"\0" * (-len(row) % 4) for row in raw], width, height


def files():
    rgb = picture(19, 13)
    image = Image.fromarray(rgb)
    grey = image.convert("L")
    palette = image.quantize(16)
    alpha = Image.fromarray(np.dstack([rgb, np.full(rgb.shape[:2], 90, np.uint8)]))
    yield "rgb.bmp", saved(image, format="BMP")
    yield "grey.bmp", saved(grey, format="BMP")
    yield "bits.bmp", saved(grey.convert("1"), format="BMP")
    yield "palette.bmp", saved(palette, format="BMP")
    yield "alpha.bmp", saved(alpha, format="BMP")
    rows, width, height = sixteen(rgb, 5)
    yield "555.bmp", bmp(16, rows, width, height)
    rows, width, height = sixteen(rgb, 6)
    yield "565.bmp", bmp(16, rows, width, height, (0xF800, 0x07E0, 0x001F))
    raw = [np.ascontiguousarray(row[:, ::-1]).tobytes() + b"\0" * (-3 * 19 % 4) for row in rgb]
    yield "top.bmp", bmp(24, raw, 19, 13, top_down=True)
    yield "rgb.tif", saved(image, format="TIFF")
    yield "lzw.tif", saved(image, format="TIFF", compression="tiff_lzw")
    yield "deflate.tif", saved(image, format="TIFF", compression="tiff_adobe_deflate")
    yield "packbits.tif", saved(image, format="TIFF", compression="packbits")
    yield "grey.tif", saved(grey, format="TIFF")
    yield "bits.tif", saved(grey.convert("1"), format="TIFF")
    yield "palette.tif", saved(palette, format="TIFF")
    yield "cmyk.tif", saved(image.convert("CMYK"), format="TIFF")
    yield "alpha.tif", saved(alpha, format="TIFF")


def main():
    FOLDER.mkdir(exist_ok=True)
    store = Store()
    for name, raw in files():
        (FOLDER / name).write_bytes(raw)
        store.add(np.asarray(Image.open(io.BytesIO(raw)).convert("RGB")), file=name)
    store.write("formats")


if __name__ == "__main__":
    main()
