"""Decode image files strictly: a damaged file raises an error that names it.

Most decoders return the beginning of a damaged file and fill the rest with grey or zeros. So JPEGs
are decoded by simplejpeg, which raises on any warning of libjpeg, and everything else by Pillow,
after checking that a PNG is complete.
"""

import contextlib
import io
import logging
import math
import re
import struct
import warnings
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import simplejpeg
from PIL import Image, UnidentifiedImageError

from voc_seg.backend import silent_stderr

FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "PPM")
LARGEST = 178_956_970  # pixels; above this Pillow, too, calls a file a decompression bomb
PNG = b"\x89PNG\r\n\x1a\n"
# The colour types of a PNG (grey, RGB, palette, grey and RGB with alpha): channels, possible bits.
KINDS = {
    0: (1, (1, 2, 4, 8, 16)),
    2: (3, (8, 16)),
    3: (1, (1, 2, 4, 8)),
    4: (2, (8, 16)),
    6: (4, (8, 16)),
}
MARKER = re.compile(rb"\xff[^\x00\x01\xff\xd0-\xd8]")  # of a JPEG's segments
# The seven passes of an interlaced PNG: left, top, step across, step down.
ADAM7 = (
    (0, 0, 8, 8),
    (4, 0, 8, 8),
    (0, 4, 4, 8),
    (2, 0, 4, 4),
    (0, 2, 2, 4),
    (1, 0, 2, 2),
    (0, 1, 1, 2),
)

# Four of a PNG's chunks are critical; with any other one the pixels cannot be known.
CRITICAL = (b"IHDR", b"PLTE", b"IDAT", b"IEND")

# We accept a file or raise an error, so Pillow's warnings of large files or odd tags add nothing.
warnings.filterwarnings("ignore", module=r"PIL\.")
logging.getLogger("PIL").setLevel(logging.CRITICAL)


def read_bytes(path: str | Path) -> bytes:
    """Reads an image file; if it is missing or empty, the error names it."""
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: " + ("is a folder" if path.is_dir() else "no such file"))
    data = path.read_bytes()
    if not data:
        raise ValueError(f"{path}: is empty; expected an image")
    return data


@contextlib.contextmanager
def name_file_in_errors(path: str | Path, problem: str) -> Iterator[None]:
    """Turns whatever a decoder raises into one sentence that names the file."""
    try:
        yield
    except MemoryError:
        raise
    except UnidentifiedImageError:  # its own text shows an address in memory
        raise ValueError(f"{path}: {problem} (unknown format)") from None
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(f"{path}: {problem} ({reason})") from None


def open_picture(data: bytes) -> Image.Image:
    """Opens an image without decoding it, after a check of its size and of a PNG's content."""
    if data.startswith(PNG):
        check_png(data)
    picture = Image.open(io.BytesIO(data), formats=FORMATS)
    if math.prod(picture.size) > LARGEST:
        raise ValueError(f"{picture.width} x {picture.height} pixels, more than {LARGEST:,}")
    if picture.format == "TIFF":
        check_tiff(picture)
    key = picture.info.get("transparency")
    if picture.mode in ("1", "L") and isinstance(key, int) and picture.format == "PNG":
        most = 2 ** png_header(data)[2] - 1  # Pillow scales the pixels to 255, but not the key
        picture.info["transparency"] = (key & most) * 255 // most
    return picture


def load(picture: Image.Image) -> Image.Image:
    """Decodes an opened picture; TIFF's own messages do not reach the terminal."""
    with silent_stderr() if picture.format == "TIFF" else contextlib.nullcontext():
        picture.load()
    return picture


def decode_jpeg(data: bytes, picture: Image.Image) -> np.ndarray:
    """Decodes a JPEG strictly, and turns it upright: (H, W, 3) uint8, RGB."""
    check_scans(data)
    if picture.mode == "CMYK":
        simplejpeg.decode_jpeg(data, "CMYK", strict=True)  # raises unless it is whole
        image = np.array(picture.convert("RGB"))  # Pillow knows of Adobe's inverted inks
    else:
        image = simplejpeg.decode_jpeg(data, "RGB", strict=True)
    return np.ascontiguousarray(turn(image, picture.getexif().get(0x0112, 1)))


def check_scans(data: bytes) -> None:
    """Raises a ValueError if a progressive JPEG lacks scans.

    Each scan refines the whole image. Cut between two of them, the file gives a blurred image, and
    no decoder warns. So we note for each component and frequency which bits are still to come.
    """
    missing: dict[int, list[int]] = {}  # component: for each of 64 frequencies, the lowest bit
    position = 2
    while match := MARKER.search(data, position):
        position, marker = match.start(), match[0][1]
        if marker == 0xD9:  # the end
            break
        (length,) = struct.unpack_from(">H", data, position + 2)
        segment = data[position + 4 : position + 2 + length]
        if marker in (0xC2, 0xCA):  # the header of a progressive image
            missing = {component: [99] * 64 for component in segment[6 : 6 + 3 * segment[5] : 3]}
        elif marker == 0xDA and missing:  # a scan: its components, then first and last frequency
            count = segment[0]
            first, last, bits = segment[1 + 2 * count : 4 + 2 * count]
            for component in segment[1 : 1 + 2 * count : 2]:
                missing[component][first : last + 1] = [bits & 15] * (last + 1 - first)
        position += 2 + length
    if any(any(bits) for bits in missing.values()):
        raise ValueError("scans are missing")


def check_tiff(picture: Any) -> None:
    """Raises a ValueError if a TIFF lacks strips or tiles, which Pillow would fill with zeros."""
    tags = picture.tag_v2
    width, height = tags[256], tags[257]  # as stored; the picture may be turned already
    planes = tags.get(277, 1) if tags.get(284, 1) == 2 else 1  # each channel has strips of its own
    if 324 in tags:
        found, needed = tags[324], math.ceil(width / tags[322]) * math.ceil(height / tags[323])
    else:
        found, needed = tags[273], math.ceil(height / min(tags.get(278, height), height))
    if len(found) < needed * planes:
        raise ValueError(f"has {len(found)} of {needed * planes} strips or tiles")
    if picture.mode == "P" and len(tags[320]) != 3 << tags[258][0]:
        raise ValueError(f"its palette has {len(tags[320])} numbers, expected {3 << tags[258][0]}")
    if picture.mode.startswith("I;16") and tags.get(262) == 0:  # Pillow gives the negative
        raise ValueError("found 16 bits with 0 as white, expected 0 as black")


def turn(image: np.ndarray, orientation: int) -> np.ndarray:
    """Turns an image upright, by the value of EXIF's tag 0x0112 (EXIF 2.3, 4.6.4)."""
    if orientation in (5, 6, 7, 8):  # stored lying on its side
        image = image.swapaxes(0, 1)
    down = -1 if orientation in (3, 4, 7, 8) else 1
    right = -1 if orientation in (2, 3, 6, 7) else 1
    return image[::down, ::right]


def check_png(data: bytes) -> None:
    """Raises a ValueError unless a PNG is whole: each checksum is right, and no row is missing.

    Pillow fills missing rows with zeros, which in a mask are background.
    """
    width, height, depth, colour, interlaced = png_header(data)
    if width * height > LARGEST:
        raise ValueError(f"{width} x {height} pixels, more than {LARGEST:,}")
    bits = depth * KINDS[colour][0]  # of a pixel
    size = 0  # of all rows before compression: a byte for the filter, then the pixels
    for left, top, across, down in ADAM7 if interlaced else ((0, 0, 1, 1),):
        columns, rows = (
            -((left - width) // across),
            -((top - height) // down),
        )  # ceil((width - left) / across)
        size += rows * (1 + math.ceil(columns * bits / 8)) if columns > 0 else 0

    inflater, found, before = zlib.decompressobj(), 0, b""
    for kind, content in png_chunks(data):
        late = kind == b"IDAT" and found and before != kind
        if late or (kind[:1].isupper() and kind not in CRITICAL):
            raise ValueError(f"its part {kind.decode('latin-1')!r} is unknown or out of place")
        before = kind
        if kind == b"tRNS" and depth == 16:  # Pillow would compare its 16 bits with 8
            raise ValueError("found 16 bits with a transparent colour, expected 8 bits")
        while kind == b"IDAT" and content and found <= size:
            found += len(inflater.decompress(content, 1 << 20))  # at most a megabyte at a time
            content = inflater.unconsumed_tail
    found += len(inflater.flush())
    if found != size or not inflater.eof:  # at its end zlib compares a checksum
        raise ValueError(f"its pixels have {found:,} bytes, expected {size:,}")


def png_header(data: bytes) -> tuple[int, int, int, int, int]:
    """Width, height, bits of a channel, kind of colours, and whether rows are interlaced."""
    headers = [content for kind, content in png_chunks(data) if kind == b"IHDR"]
    if len(headers) != 1 or len(headers[0]) != 13 or data[12:16] != b"IHDR":
        raise ValueError("expected one header, at the beginning")
    width, height, depth, colour, method, filters, interlaced = struct.unpack(
        ">IIBBBBB", headers[0]
    )
    possible = colour in KINDS and depth in KINDS[colour][1] and interlaced in (0, 1)
    if not possible or not width or not height or method or filters:
        raise ValueError(f"its header has the unknown form {headers[0][8:].hex(' ')}")
    return width, height, depth, colour, interlaced


def png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The chunks of a PNG, kind and content, from the first to IEND; their checksums are right."""
    position, kind = len(PNG), b""
    while kind != b"IEND":
        if position + 12 > len(data):
            raise ValueError("cut off")
        length, kind = struct.unpack_from(">I4s", data, position)
        content = data[position + 8 : position + 8 + length]
        checksum = data[position + 8 + length : position + 12 + length]
        if zlib.crc32(content, zlib.crc32(kind)).to_bytes(4, "big") != checksum:
            raise ValueError(f"its part {kind.decode('latin-1')!r} is cut off or damaged")
        yield kind, content
        position += 12 + length
