"""Damaged files by the thousand: each gives the right result, or one sentence that names it.

    python tests/fuzz.py --seconds 600 --seed 7                     # all families in turn
    python tests/fuzz.py --family png --seed 7 --index 123          # one case again

A case is a file made from nothing but (seed, index). Half of the work is knowing what is right, and
none of it is left to the library's own decoders: PNGs have a strict decoder here, JPEGs have
Pillow, other images OpenCV and the picture that was saved, text files a parser of five lines, and
models what was saved. `test_fuzz.py` runs a fixed selection.

Read from the top: the contract, then one section for each family. A family is two functions.
`make_...` returns a file before and after the damage, `check_...` says whether the library took it
and raises `Wrong` if what it did breaks the contract.
"""

import argparse
import contextlib
import functools
import io
import itertools
import json
import math
import os
import re
import shutil
import struct
import sys
import tempfile
import time
import warnings
import zipfile
import zlib
from collections import Counter
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before anything imports TensorFlow

import cv2
import numpy as np
from PIL import Image, ImageOps, features
from tqdm import tqdm

from voc_seg import open_folder, read_image, read_mask

LARGEST = 178_956_970  # pixels that a file may declare
MEMORY = 3 << 30  # bytes that one case may take, 16 for each of these pixels
BOMB = 300 << 20  # the same for a small file that declares a large image
SECONDS = 20  # of processor time

# The contract.


class Wrong(AssertionError):
    """The library broke the contract."""


def expect(condition, problem):
    if not condition:
        raise Wrong(problem)


def attempt(name, function, *arguments):
    """Calls the library: its result, or None if it refuses in one sentence that holds `name`."""
    with terminal() as printed:
        try:
            result = function(*arguments)
        except (ValueError, OSError) as error:  # FileNotFoundError is an OSError
            result, text = None, str(error)
            expect(str(name) in text, f"{type(error).__name__} does not name {name}: {text}")
            expect("\n" not in text, f"more than one line: {text}")
    expect(not printed[0], f"this reached the terminal: {printed[0]}")
    return result


@contextlib.contextmanager
def terminal():
    """Collects whatever is written to file descriptor 2, by C libraries as well, as one text."""
    sys.stderr.flush()
    kept, printed = os.dup(2), []
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 2)
        try:
            yield printed
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)
            file.seek(0)
            printed.append(file.read().decode(errors="replace"))


def ram(name):
    """Bytes of memory: "VmRSS" now, "VmHWM" at the peak; 0 where there is no Linux to ask."""
    try:
        text = Path("/proc/self/status").read_text()
    except OSError:
        return 0
    return int(re.search(rf"{name}:\s*(\d+) kB", text)[1]) * 1024


def forget_peak():
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def same(found, expected, tolerance, what):
    shapes = f"{what}: found {found.shape}, expected {np.shape(expected)}"
    expect(found.shape == np.shape(expected), shapes)
    difference = np.abs(found.astype(float) - expected).max()
    expect(difference <= tolerance, f"{what}: differs by up to {difference:g} levels")


# Damage to any file.


def pick(rng, *options):
    return options[rng.integers(len(options))]


def damage(rng, data):
    """Changes a file blindly, in one to three ways."""
    for _ in range(rng.integers(1, 4)):
        data = damage_once(rng, bytes(data))
    return data


def damage_once(rng, data):
    if not data:
        return rng.bytes(5)
    start = int(rng.integers(len(data)))
    end = start + int(pick(rng, 1, 2, 4, 30))
    before, part, after = data[:start], data[start:end], data[end:]
    kind = rng.integers(8)
    if kind == 0:
        return before  # cut off
    if kind == 1:
        return before + after
    if kind == 2:
        return before + part + part + after
    if kind == 3:
        return before + rng.bytes(len(part)) + after
    if kind == 4:
        return before + pick(rng, b"\0", b"\xff", b"\x7f") * len(part) + after
    if kind == 5:
        return before + bytes([data[start] ^ 1 << rng.integers(8)]) + data[start + 1 :]
    if kind == 6:
        return before + bytes([(data[start] + pick(rng, -1, 1)) % 256]) + data[start + 1 :]
    return before + data[int(rng.integers(len(data))) :]  # jumps


def photograph(rng, channels=3):
    """Smooth colours with a little noise: (H, W, channels) uint8, of 1 to 40 pixels a side."""
    height, width = rng.integers(1, 41, 2)
    coarse = rng.integers(0, 256, (4, 5, channels)).astype(np.uint8)
    smooth = cv2.resize(coarse, (int(width), int(height))).reshape(height, width, channels)
    noise = rng.integers(0, pick(rng, 1, 1, 30), smooth.shape)
    return np.clip(smooth + noise, 0, 255).astype(np.uint8)


def by_pillow(data):
    """A file as Pillow shows it, without its transparency: (H, W, 3); None if it refuses it."""
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(io.BytesIO(data)) as image:
            return np.array(ImageOps.exif_transpose(image).convert("RGB"))
    except Exception:  # it raises anything
        return None


# PNG. Its writer and its decoder know chunks, filters and interlacing (PNG, third edition).

SIGNATURE = b"\x89PNG\r\n\x1a\n"
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by kind of colour
DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
# The passes of interlacing: first row, first column, steps between rows and between columns.
PASSES = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2))
PASSES = (*PASSES, (1, 0, 2, 1))


class Damaged(Exception):
    """A PNG breaks a rule that concerns its pixels, so it has to be refused."""


def make_png(rng):
    return make_any_png(rng, pick(rng, 0, 2, 3, 4, 6))


def make_mask(rng):
    return make_any_png(rng, pick(rng, 0, 3, 3, 3, 3, 6))


def make_any_png(rng, colour):
    depth = pick(rng, *DEPTHS[colour])
    height, width = (int(side) for side in rng.integers(1, 25, 2))
    samples = rng.integers(0, 2**depth, (height, width, CHANNELS[colour]))
    samples[rng.integers(height) :] = samples[0, 0]  # something to compress
    interlaced = int(rng.integers(2))
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced)
    chunks = [(b"IHDR", header)]
    chunks += [(b"gAMA", struct.pack(">I", 45455))] * int(rng.integers(2))
    if colour == 3:
        chunks.append((b"PLTE", rng.bytes(3 * 2**depth)))
    if colour in (0, 2, 3) and rng.integers(3) == 0:
        key = samples[-1, -1].astype(">u2").tobytes()
        chunks.append((b"tRNS", rng.bytes(2**depth) if colour == 3 else key))
    if rng.integers(4) == 0:
        exif = Image.Exif()
        exif[0x0112] = int(rng.integers(10))
        chunks.append((b"eXIf", exif.tobytes()[6:]))
    chunks += [(b"tEXt", b"Title\0a test")] * int(rng.integers(2))
    rows = b"".join(filtered(rng, samples, depth, interlaced))
    chunks += in_parts(rng, zlib.compress(rows, int(rng.integers(10))))
    chunks += [(b"tIME", bytes(7))] * int(rng.integers(2)) + [(b"IEND", b"")]
    return png(chunks), damage_png(rng, chunks, rows)


def png(chunks):
    """The file of these chunks, with the right checksums."""
    file = SIGNATURE
    for kind, content in chunks:
        checksum = zlib.crc32(kind + content)
        file += struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)
    return file


def in_parts(rng, stream):
    cuts = sorted(rng.integers(0, len(stream) + 1, rng.integers(3)))
    return [(b"IDAT", stream[a:b]) for a, b in itertools.pairwise([0, *cuts, len(stream)])]


def filtered(rng, samples, depth, interlaced):
    """The rows of a PNG before compression, each with a filter at random."""
    step = max(1, samples.shape[2] * depth // 8)  # bytes from a pixel to the next
    for top, left, down, across in PASSES if interlaced else ((0, 0, 1, 1),):
        part = samples[top::down, left::across]
        above = bytes(math.ceil(part[0].size * depth / 8)) if len(part) else b""
        for row in part if part.size else ():
            bits = (row.reshape(-1, 1) >> np.arange(depth)[::-1] & 1).astype(np.uint8)
            line, kind = np.packbits(bits).tobytes(), int(rng.integers(5))
            yield bytes([kind]) + bytes(
                (value - prediction(kind, line, above, i, step)) % 256
                for i, value in enumerate(line)
            )
            above = line


def prediction(kind, line, above, i, step):
    """What a filter expects at byte i of a row, from the bytes to the left and above."""
    left, corner = (line[i - step], above[i - step]) if i >= step else (0, 0)
    if kind == 4:  # Paeth: the one of the three that is closest to left + above - corner
        wanted = left + above[i] - corner
        return min((left, above[i], corner), key=lambda value: abs(value - wanted))
    return (0, left, above[i], (left + above[i]) // 2)[kind]


def damage_png(rng, chunks, rows):
    """Damages a PNG, mostly below its checksums: they are right again afterwards."""
    kind = rng.integers(12)
    if kind == 0:
        return png(chunks)
    if kind == 1:
        return damage(rng, png(chunks))
    if kind in (2, 3):  # other rows: too few, too many, or damaged before compression
        other = pick(rng, rows[: rng.integers(len(rows))], rows + rng.bytes(9), damage(rng, rows))
        return png(instead_of_pixels(chunks, in_parts(rng, zlib.compress(other))))
    if kind in (4, 5):  # a damaged stream
        stream = b"".join(content for name, content in chunks if name == b"IDAT")
        other = pick(rng, stream[: rng.integers(len(stream))], damage(rng, stream))
        return png(instead_of_pixels(chunks, in_parts(rng, other)))
    chunks = list(chunks)
    for _ in range(rng.integers(1, 3)):
        chunks = damage_chunks(rng, chunks)
    return png(chunks)


def instead_of_pixels(chunks, parts):
    first = [name for name, _ in chunks].index(b"IDAT")
    after = [chunk for chunk in chunks[first:] if chunk[0] != b"IDAT"]
    return chunks[:first] + parts + after


def damage_chunks(rng, chunks):
    if not chunks:
        return chunks
    i, j = (int(n) for n in rng.integers(0, len(chunks), 2))
    (name, content), others = chunks[i], chunks[:i] + chunks[i + 1 :]
    kind = rng.integers(6)
    if kind == 0:
        return others
    if kind == 1:
        return [*chunks[:j], (name, content), *chunks[j:]]
    if kind == 2:
        return [*others[:j], (name, content), *others[j:]]
    if kind == 3:
        names = b"IHDR PLTE IDAT IEND tRNS acTL fcTL fdAT eXIf iCCP zTXt iTXt DDAT ABCD".split()
        return [*chunks[:j], (pick(rng, *names), rng.bytes(rng.integers(30))), *chunks[j:]]
    if kind == 4 and chunks[0][0] == b"IHDR" and len(chunks[0][1]) == 13:
        fields = list(struct.unpack(">IIBBBBB", chunks[0][1]))
        field = rng.integers(7)
        old = fields[field]
        fields[field] = pick(rng, 0, 1, 2, 3, 4, 6, 8, 16, old + 1, abs(old - 1), 2 * old) % 256
        return [(b"IHDR", struct.pack(">IIBBBBB", *fields)), *chunks[1:]]
    return [*chunks[:i], (name, damage(rng, content)), *chunks[i + 1 :]]


def decode_png(data):
    """Decodes a PNG strictly.

    Returns:
        header: width, height, depth, kind of colour and so on.
        samples: (H, W, channels) integers.
        shown: what it shows on white paper, (H, W, 3) floats; None if that is unclear.
        odd: whether it breaks a rule that leaves no doubt of its samples: it may be refused, too.

    Raises:
        Damaged: see above.
    """
    chunks = list(whole_chunks(data))
    names = [name for name, _ in chunks]
    if names[0] != b"IHDR" or names.count(b"IHDR") > 1 or b"IDAT" not in names:
        raise Damaged("no pixels, or not one header at the beginning")
    first = names.index(b"IDAT")
    parts = dict(chunks[:first])
    header = png_header(parts)
    width, height, depth, colour, _, _, interlaced = header
    bits = depth * CHANNELS[colour]
    shapes = [
        (len(range(top, height, down)), len(range(left, width, across)))
        for top, left, down, across in (PASSES if interlaced else ((0, 0, 1, 1),))
    ]
    size = sum(h * (1 + math.ceil(w * bits / 8)) for h, w in shapes if w)
    rows, tidy = inflate(b"".join(content for name, content in chunks if name == b"IDAT"), size)

    samples, step = np.zeros((height, width, CHANNELS[colour]), int), max(1, bits // 8)
    for (h, w), (top, left, down, across) in zip(
        shapes, PASSES if interlaced else ((0, 0, 1, 1),), strict=True
    ):
        lines, rows = unfilter(rows, h if w else 0, math.ceil(w * bits / 8), step)
        if lines:
            bit = np.unpackbits(np.array(lines, np.uint8), axis=1)[:, : w * bits]
            values = bit.reshape(h, w, -1, depth) @ (1 << np.arange(depth)[::-1])
            samples[top::down, left::across] = values

    last = first + names.count(b"IDAT")
    known = {b"IHDR", b"PLTE", b"IDAT", b"tRNS", b"IEND"}
    odd = (
        not tidy
        or set(names[first:last]) != {b"IDAT"}
        or max(Counter(name for name in names if name != b"IDAT").values()) > 1
        or bool(set(names) - known)
        or not data.endswith(png([(b"IEND", b"")])[8:])
        or (b"tRNS" in parts and not transparency_fits(parts, header))
        or (b"PLTE" in parts) != (colour == 3)
    )
    if colour == 3:
        colours = len(parts.get(b"PLTE", b""))
        odd = odd or colours % 3 != 0 or colours > 768 or int(samples.max()) >= colours // 3
        odd = odd or names.index(b"PLTE") > first
    late = b"tRNS" in names[first:] or b"PLTE" in names[first:]
    return header, samples, None if late else on_white(header, samples, parts), odd or late


def whole_chunks(data):
    """The chunks of a PNG up to IEND, if all are there and their checksums are right."""
    if not data.startswith(SIGNATURE):
        raise Damaged("another signature")
    position, name = len(SIGNATURE), b""
    while name != b"IEND":
        if position + 12 > len(data):
            raise Damaged("cut off")
        length, name = struct.unpack_from(">I4s", data, position)
        end = position + 8 + length
        if data[end : end + 4] != struct.pack(">I", zlib.crc32(data[position + 4 : end])):
            raise Damaged(f"checksum of {name}")
        yield name, data[position + 8 : end]
        position = end + 4


def png_header(parts):
    if len(parts.get(b"IHDR", b"")) != 13:
        raise Damaged("no header")
    header = struct.unpack(">IIBBBBB", parts[b"IHDR"])
    width, height, depth, colour, compression, filters, interlaced = header
    if not (0 < width < 1 << 31 and 0 < height < 1 << 31 and depth in DEPTHS.get(colour, ())):
        raise Damaged("impossible header")
    if compression or filters or interlaced > 1 or width * height > LARGEST:
        raise Damaged("impossible header")
    return header


def inflate(stream, size):
    """The rows in a stream, and whether it ends exactly behind them."""
    inflater, rows = zlib.decompressobj(), b""
    try:
        rows = inflater.decompress(stream, size + 1)
    except zlib.error as error:  # its checksum, too
        raise Damaged(f"{error}") from None
    if len(rows) < size:
        raise Damaged(f"{len(rows)} of {size} bytes")
    return rows[:size], len(rows) == size and inflater.eof and not inflater.unused_data


def unfilter(rows, count, length, step):
    """Takes `count` rows of `length` bytes from the stream: the rows, and the stream's rest."""
    lines, above = [], bytes(length)
    for _ in range(count):
        kind, line, rows = rows[0], bytearray(rows[1 : 1 + length]), rows[1 + length :]
        if kind > 4:
            raise Damaged(f"filter {kind}")
        for i in range(length):
            line[i] = (line[i] + prediction(kind, line, above, i, step)) % 256
        lines.append(line)
        above = line
    return lines, rows


def transparency_fits(parts, header):
    """Whether a PNG's transparency is as its kind of colours demands."""
    _, _, depth, colour, *_ = header
    names, key = list(parts), parts[b"tRNS"]
    if colour == 3:
        return b"PLTE" in names and names.index(b"PLTE") < names.index(b"tRNS")
    fits = len(key) == {0: 2, 2: 6}.get(colour)
    return fits and bool((np.frombuffer(key, ">u2") < 2**depth).all())


def on_white(header, samples, parts):
    """What a PNG shows on white paper: (H, W, 3) floats; None if its colours are unclear."""
    _, _, depth, colour, *_ = header
    top, key = 2**depth - 1, parts.get(b"tRNS")
    alpha = np.ones(samples.shape[:2])
    if key is not None and not transparency_fits(parts, header):
        return None
    if colour == 3:
        table = np.frombuffer(parts.get(b"PLTE", b""), np.uint8)
        if table.size % 3 or samples.max() >= table.size // 3:
            return None
        rgb = table.reshape(-1, 3)[samples[..., 0]].astype(float)
        alpha = np.array([*(key or b""), *[255] * 256])[samples[..., 0]] / 255
    else:
        rgb = samples[..., : 3 if colour in (2, 6) else 1] / top * 255
        if colour in (4, 6):
            alpha = samples[..., -1] / top
        elif key:
            alpha = 1 - (samples == np.frombuffer(key, ">u2")).all(axis=-1)
    return alpha[..., None] * np.broadcast_to(rgb, (*alpha.shape, 3)) + 255 * (1 - alpha[..., None])


def check_png(path, original, data):
    found = attempt(path, read_image, path)
    try:
        header, _, expected, odd = decode_png(data)
    except Damaged as error:
        expect(found is None, f"is damaged ({error}), but was read")
        return False
    deep_and_transparent = header[2] == 16 and b"tRNS" in data  # Pillow cannot, so we refuse it
    refusable = deep_and_transparent or (odd and data != original)
    expect(found is not None or refusable, "is whole, but was refused")
    if found is not None and expected is not None:
        same(found, upright(data, expected), 3 if header[2] == 16 else 1, "against the own decoder")
    return found is not None


def upright(data, image):
    """The image turned by the EXIF orientation that Pillow finds in the file."""
    with Image.open(io.BytesIO(data)) as file:
        orientation = file.getexif().get(0x0112, 1)
    if orientation in (5, 6, 7, 8):
        image = image.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    return image[:, ::-1] if orientation in (2, 3, 6, 7) else image


def check_mask(path, original, data):
    found = attempt(path, read_mask, path)
    try:
        header, samples, _, odd = decode_png(data)
    except Damaged as error:
        expect(found is None, f"is damaged ({error}), but was read")
        return False
    indices = header[3] == 3 or header[2:4] == (8, 0)
    expect(indices or found is None, "holds no indices, but was read")
    refusable = odd and data != original
    expect(found is not None or refusable or not indices, "is whole, but was refused")
    if found is not None:
        same(found, samples[..., 0], 0, "against the own decoder")
    return found is not None


# JPEG.


def make_jpeg(rng):
    image = Image.fromarray(photograph(rng)).convert(pick(rng, "RGB", "RGB", "L", "CMYK"))
    exif = Image.Exif()
    if rng.integers(3) == 0:
        exif[0x0112] = int(rng.integers(10))
    file = io.BytesIO()
    image.save(
        file,
        "JPEG",
        quality=int(rng.integers(30, 101)),
        progressive=bool(rng.integers(2)),
        optimize=bool(rng.integers(2)),
        # (Pillow would subsample three of four inks; only its own decoder takes the result.)
        subsampling=0 if image.mode == "CMYK" else int(rng.integers(3)),
        restart_marker_blocks=int(pick(rng, 0, 0, 1, 3)),
        exif=exif,
    )
    return file.getvalue(), damage_jpeg(rng, file.getvalue())


def damage_jpeg(rng, data):
    kind = rng.integers(8)
    if kind == 0:
        return data + pick(rng, b"", bytes(100), b"notes", b"\xff\xd9", data)
    if kind in (1, 2):
        return damage(rng, data)
    if kind == 3:
        return damage(rng, data[:-2]) + b"\xff\xd9"
    if kind in (4, 5):  # cut short, with an end marker
        return data[: rng.integers(scan_start(data), len(data) - 1)] + b"\xff\xd9"
    parts = jpeg_parts(data)
    i, j = (int(n) for n in rng.integers(0, len(parts), 2))
    if kind == 6:
        parts[i] = pick(rng, b"", 2 * parts[i], parts[i][:4] + damage(rng, parts[i][4:]))
    else:
        parts[i], parts[j] = parts[j], parts[i]
    return b"".join(parts)


def jpeg_parts(data):
    """A JPEG in parts, each from one marker to the next."""
    starts = [m.start() for m in re.finditer(rb"\xff[\xc0-\xcf\xd8-\xfe]", data)]
    return [data[a:b] for a, b in itertools.pairwise([*starts, len(data)])]


def scan_start(data):
    marker = data.index(b"\xff\xda")
    return marker + 2 + int.from_bytes(data[marker + 2 : marker + 4], "big")


def is_cut_short(original, data):
    """Whether a JPEG was cut within its pixels, or between two scans, and got an end marker."""
    cut = len(data) - 2
    ends = data.endswith(b"\xff\xd9") and original.startswith(data[:-2])
    return ends and scan_start(original) <= cut < len(original) - 2


def check_jpeg(path, original, data):
    found = attempt(path, read_image, path)
    if is_cut_short(original, data):
        expect(found is None, "was cut short, with an end marker, but was read")
    expected = by_pillow(data)
    if data.startswith(original):
        expect(found is not None, "is whole, but was refused")
        expected = by_pillow(original)
    if found is not None:
        expect(expected is not None, "Pillow refuses it, but it was read")
        same(found, expected, 1, "against Pillow")
    return found is not None


# Other formats.

MODES = {
    "TIFF": "RGB RGBA L P CMYK 1 I;16",
    "BMP": "RGB L P 1",
    "GIF": "L P RGBA",
    "WEBP": "RGB RGBA",
    "PPM": "RGB L 1 I;16",
}
TIFFS = ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg")


def make_other(rng):
    format = pick(rng, "TIFF", "TIFF", *MODES)
    if format == "WEBP" and not features.check("webp"):
        format = "BMP"
    mode = pick(rng, *MODES[format].split())
    pixels = photograph(rng, 4 if mode == "RGBA" else 3)
    image = Image.fromarray(pixels[..., 0].astype(np.uint16) * 257)
    if mode != "I;16":
        image = Image.fromarray(pixels).convert(mode)
    options = {}
    if format == "TIFF":
        plain = mode in ("RGB", "L")
        options["compression"] = pick(rng, *TIFFS[: 5 if plain else 4])
    if format == "GIF":
        options["interlace"] = int(rng.integers(2))
    if format == "WEBP":
        options["lossless"] = bool(rng.integers(2))
    if format in ("TIFF", "WEBP") and rng.integers(3) == 0:
        options["exif"] = Image.Exif()
        options["exif"][0x0112] = int(rng.integers(1, 9))
    elif format in ("TIFF", "GIF", "WEBP") and rng.integers(4) == 0:  # only the first is read
        options |= {"save_all": True, "append_images": [image.rotate(180)]}
    file = io.BytesIO()
    image.save(file, format, **options)
    data = file.getvalue()
    kind = rng.integers(4)
    cut = data[: rng.integers(len(data))]
    return data, data if kind == 0 else cut if kind == 1 else damage(rng, data)


def by_opencv(data):
    """A file as OpenCV shows it, turned by its EXIF orientation, and not: two (H, W, 3).

    Empty where OpenCV refuses the file, or sees transparency: it would show the hidden colours.
    """
    buffer = np.frombuffer(data, np.uint8)
    ways = cv2.IMREAD_COLOR_RGB, cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
    with terminal():
        try:
            stored = cv2.imdecode(buffer, cv2.IMREAD_UNCHANGED)
            if stored is None or stored.shape[2:] == (4,):
                return []
            images = [cv2.imdecode(buffer, way) for way in ways]
        except cv2.error:
            return []
    return [image for image in images if image is not None]


def by_hand(data):
    """A PPM by its definition: (H, W, 3) floats; None if its header or a value is odd.

    Raises:
        Damaged: it ends too early.
    """
    header = re.match(rb"P4\s+(\d+)\s+(\d+)\s|P[56]\s+(\d+)\s+(\d+)\s+(\d+)\s", data)
    if not header:
        return None
    bits, colours = data[1:2] == b"4", data[1:2] == b"6"
    width, height, *top = (int(number) for number in header.groups() if number is not None)
    top = top[0] if top else 1
    kind = np.dtype(">u2" if top > 255 else ">u1")
    row = math.ceil(width / 8) if bits else width * (3 if colours else 1) * kind.itemsize
    pixels = data[header.end() : header.end() + row * height]
    if len(pixels) < row * height or not 0 < top < 1 << 16 or not pixels:
        raise Damaged("too few pixels, or an impossible header")
    values = np.frombuffer(pixels, kind)
    if bits:  # 1 is black
        values = 1 - np.unpackbits(values.reshape(height, row), axis=1)[:, :width]
    shown = values.reshape(height, width, -1) * (255 / top)
    return None if values.max() > top else np.broadcast_to(shown, (height, width, 3))


def check_other(path, original, data):
    found = attempt(path, read_image, path)
    if data == original:
        expect(found is not None, "is whole, but was refused")
    if found is not None and original.startswith(data):
        path.with_suffix(".whole").write_bytes(original)
        whole = attempt("whole", read_image, path.with_suffix(".whole"))
        same(found, whole, 0, "cut off, against the whole")
    try:
        expected = by_hand(data)
    except Damaged as error:
        expect(found is None, f"is damaged ({error}), but was read")
    else:
        if found is not None and expected is not None:
            same(found, expected, 1, "by hand")
    # These have no checksums, so a damaged header may mean one thing here and another there.
    unclear = data != original and not original.startswith((b"II", b"RIFF"))
    images = [] if found is None or unclear else by_opencv(data)
    if images:
        turned = [image for image in images if image.shape == found.shape]
        expect(turned, f"against OpenCV: found {found.shape}, expected {images[0].shape}")
        difference = min(np.abs(found.astype(float) - image).max() for image in turned)
        expect(difference <= 2, f"against OpenCV: differs by up to {difference:g} levels")
    return found is not None


# Bombs: small files that declare large images.

SIZES = ((20_000, 20_000), (65_535, 65_535), (3, 200_000_000), (3_000, 3_000), (2, 6_000_000))


def make_bomb(rng):
    format = pick(rng, "JPEG", *MODES)
    if format == "WEBP" and not features.check("webp"):
        format = "JPEG"
    file, image = io.BytesIO(), Image.fromarray(photograph(rng))
    options = {"progressive": bool(rng.integers(2))} if format == "JPEG" else {}
    image.save(file, format, **options)
    data, (width, height) = file.getvalue(), pick(rng, *SIZES)
    if rng.integers(4) == 0:
        header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, int(rng.integers(2)))
        return data, png([(b"IHDR", header), (b"IDAT", zlib.compress(bytes(999))), (b"IEND", b"")])
    return data, declare(format, data, image.size, width, height)


def declare(format, data, now, width, height):
    """The same file with another size in its header: as much of it as the header can hold."""
    if format == "PPM":
        return data.replace(b"%d %d\n" % now, b"%d %d\n" % (width, height), 1)
    if format == "TIFF":  # entries of its directory: tag, type (4 is a long), count, value
        for tag, side in ((256, width), (257, height)):
            entry = re.search(
                struct.pack("<H", tag) + rb"[\x03\x04]\x00\x01\x00{3}.{4}", data, re.DOTALL
            )
            new = struct.pack("<HHII", tag, 4, 1, side)
            data = data[: entry.start()] + new + data[entry.end() :]
        return data
    width, height = min(width, 65_535), min(height, 65_535)
    if format == "BMP":
        return data[:18] + struct.pack("<II", width, height) + data[26:]
    if format == "GIF":
        return data[:6] + struct.pack("<HH", width, height) + data[10:]
    if format == "WEBP":
        canvas = struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]
        extended = b"WEBPVP8X\n\0\0\0" + bytes(4) + canvas
        return data[:8] + extended + data[12:]
    start = re.search(rb"\xff[\xc0\xc2]", data).start() + 5
    return data[:start] + struct.pack(">HH", height, width) + data[start + 4 :]


def check_bomb(path, original, data):
    found = attempt(path, read_image, path)
    if data.startswith(b"GIF"):  # its screen may be larger than the image on it
        expect(found is None or found.size <= 3 * LARGEST, "is larger than allowed, but was read")
    else:
        expect(found is None, "holds fewer pixels than it declares, but was read")
    return found is not None


# Text files: lists and labels.txt.

IDS = "2007_000032 a b c IMG_1 x.y ä Ω 日本 with-dash UPPER upper 0 .hidden".split()
ODD_IDS = (
    "",
    " ",
    "a/b",
    "..",
    ".",
    "x.JPG",
    "b\\c",
    "a\u2028b",
    "a\x0cb",
    "\x85",
    "a\x1cb",
    "a\0b",
)
ODD_IDS += ("\ufeffa", " a ", "x" * 300, "a\x0bb", "b.png", "a\tb")
NAMES = "background cat dog person cow object all Hund Tür 猫 $x$ traffic-light".split()
ODD_NAMES = (
    "",
    "a,b",
    "background",
    "a\u2028b",
    "a\x0cb",
    "a\x85b",
    "a\x1db",
    " cat ",
    "a\0b",
    "a\x0bb",
)
ODD_NAMES += ("\ufeff", "class_name", "two words")


def make_list(rng):
    return make_text(rng, IDS, ODD_IDS)


def make_labels(rng):
    if rng.integers(10) == 0:
        many = [f"class {i}" for i in range(rng.integers(250, 260))]
        return make_text(rng, many, [""])
    return make_text(rng, NAMES, ODD_NAMES)


def make_text(rng, lines, odd):
    """A text file with the lines in this order, some of them left out; and with odd lines."""
    kept = [line for line in lines if rng.integers(4)]
    original = "\n".join(kept).encode()
    for _ in range(rng.integers(3)):
        kept.insert(rng.integers(len(kept) + 1), pick(rng, *odd, *kept))
    ends = pick(rng, ["\n"], ["\r\n"], ["\r"], ["\n", "\r", "\r\n", "\n\n"])
    text = "".join(line + pick(rng, *ends) for line in kept) + pick(rng, "", "last", "\n\n")
    data = text.encode(pick(rng, *["utf-8"] * 8, "utf-8-sig", "utf-16", "utf-16-le", "utf-32"))
    return original, damage(rng, data) if rng.integers(4) == 0 else data


def lines_by_hand(data):
    """The lines of a text file without blanks at their ends; None if it is no text in UTF-8."""
    try:
        text = data.removeprefix(b"\xef\xbb\xbf").decode("utf-8")
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else [line.strip() for line in re.split("\r\n|\r|\n", text)]


def empty_folder(path):
    """A folder in VOC's layout without any files, next to `path`."""
    folder = path.parent / f"{path.stem}-data"
    shutil.rmtree(folder, ignore_errors=True)
    for part in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"):
        (folder / part).mkdir(parents=True)
    return folder


def check_list(path, original, data):
    folder = empty_folder(path)
    file = folder / "ImageSets" / "Segmentation" / "train.txt"
    file.write_bytes(data)
    found = attempt(file, open_folder(folder).ids, "train")
    ids = [line for line in lines_by_hand(data) or [] if line]
    good = ids and len(set(ids)) == len(ids) and all(map(is_id, ids))
    expect((found is not None) == bool(good), f"holds {ids}, but found {found}")
    expect(found is None or found == ids, f"found {found}, expected {ids}")
    for id in found or ():  # none of the images is there
        image = attempt(folder / "JPEGImages", open_folder(folder).image_path, id)
        expect(image is None, f"found {image}, which is not there")
    shutil.rmtree(folder)
    return found is not None


def is_id(line):
    return not (
        set(line) & {"/", "\\"}
        or line in (".", "..")
        or line.lower().endswith((".jpg", ".jpeg", ".png"))
    )


def check_labels(path, original, data):
    folder = empty_folder(path)
    (folder / "labels.txt").write_bytes(data)
    found = attempt(folder / "labels.txt", open_folder, folder)
    names = lines_by_hand(data) or []
    while names and not names[-1]:
        del names[-1]
    good = 2 <= len(names) <= 255 and len(set(names)) == len(names) and "" not in names
    good = good and not any("," in name for name in names) and "background" not in names[1:]
    expect((found is not None) == good, f"holds {names}, but found {found}")
    if found is not None:
        expect(found.names == tuple(names), f"found {found.names}, expected {names}")
        expect(list(found.classes.items()) == [(n, i) for i, n in enumerate(names)], "classes")
        table = [*range(len(names)), *[0] * (255 - len(names)), 255]
        expect(found.table.tolist() == table, f"found the values {found.table}")
    shutil.rmtree(folder)
    return found is not None


# Models.

CLASSES = {"background": 0, "cat": 8, "pet": 12}
MEMBERS = {"cat": ["cat"], "pet": ["dog", "cow"]}
ODD = (None, True, -1, 0, 1, 1.5, 10**12, 300, "", "x", [], {}, [1], {"a": 1}, math.nan, math.inf)
PHOTO = np.random.default_rng(0).integers(0, 256, (9, 12, 3)).astype(np.uint8)


@functools.cache
def saved_models():
    """Small models as files, by kind: (the content by name, probabilities for `PHOTO`)."""
    import keras

    from voc_seg import build_patch_classifier, build_unet, set_classes, to_dense
    from voc_seg.backend import load_backend

    load_backend()  # without TensorFlow's messages, as the command line does
    models = {
        "unet": build_unet(3, filters=2, depth=1),
        "patches": build_patch_classifier(3, window=5, filters=2),
    }
    found = {}
    for kind, model in models.items():
        rng = np.random.default_rng(1)
        model.set_weights([rng.uniform(0.1, 0.5, w.shape) for w in model.get_weights()])
        set_classes(model, CLASSES, 16, MEMBERS)
        with tempfile.TemporaryDirectory() as folder:
            model.save(f"{folder}/model.keras")
            content = unzip(Path(f"{folder}/model.keras").read_bytes())
        found[kind] = content, probabilities(to_dense(model) if kind == "patches" else model)
    keras.backend.clear_session()
    return found


def probabilities(model):
    return np.asarray(model.predict_on_batch(PHOTO[None].astype("float32")))


def unzip(data):
    """The files in an archive, by name, with their checksums checked; {} if it is not whole."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as file:
            return {name: file.read(name) for name in file.namelist()}
    except Exception:  # it raises anything
        return {}


def make_model(rng):
    content, _ = saved_models()[pick(rng, "unet", "patches")]
    kind, other = rng.integers(8), dict(content)
    names = sorted(content)
    if kind in (0, 1, 2):  # the memory
        config = json.loads(content["config.json"])
        layer = memory_in(config)
        for _ in range(rng.integers(3)):
            change_memory(rng, layer)
        other["config.json"] = json.dumps(config).encode()
    elif kind in (3, 4):  # anything in the configuration
        config = json.loads(content["config.json"])
        change_json(rng, config)
        other["config.json"] = json.dumps(config).encode()
    elif kind == 5:  # the files in the archive
        name = pick(rng, *names)
        new = pick(rng, None, b"", b"{}", b"[]", b"null", content[pick(rng, *names)])
        if new is None:
            del other[name]
        else:
            other[pick(rng, name, "new.txt")] = new
    elif kind == 6:  # one of them damaged, with the right checksum
        name = pick(rng, *names)
        other[name] = damage(rng, content[name])
    original, data = zipped(content), zipped(other)
    return original, damage(rng, data) if kind == 7 else data


def zipped(content):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, body in content.items():
            archive.writestr(zipfile.ZipInfo(name), body)
    return file.getvalue()


def memory_in(config):
    """The part of a model's configuration that remembers its classes."""
    layers = config["config"]["layers"]
    (found,) = (layer for layer in layers if layer["class_name"] == "ClassProbabilities")
    return found["config"]


def change_memory(rng, layer):
    kind, names = rng.integers(7), list(CLASSES)
    if kind == 0:
        layer["image_size"] = pick(rng, *ODD, 1, 7, 40, 1 << 15, (1 << 15) + 1)
    elif kind == 1:
        layer["members"] = pick(rng, None, *ODD)
    elif kind == 2:
        layer["classes"] = pick(rng, None, *ODD)
    elif kind == 3:
        layer["classes"] = dict(zip(names, rng.integers(0, 256, 3).tolist(), strict=True))
    elif kind == 4:
        layer["classes"] = (
            dict.fromkeys(names) | dict(CLASSES) | {pick(rng, *names): pick(rng, *ODD)}
        )
    elif kind == 5:
        layer["classes"] = {name: CLASSES[name] for name in rng.permutation(names)[:2].tolist()}
    else:
        layer["members"] = MEMBERS | {
            pick(rng, "cat", "pet", "x"): pick(rng, [], "cat", ["a"], None)
        }


def change_json(rng, value):
    """Changes one value somewhere in a JSON document, in place."""
    places = [
        (part, key)
        for part in every_part(value)
        for key in (part if isinstance(part, dict) else range(len(part)))
    ]
    part, key = places[rng.integers(len(places))]
    if isinstance(part, dict) and rng.integers(4) == 0:
        del part[key]
    else:
        part[key] = pick(rng, *ODD)


def every_part(value):
    if isinstance(value, (dict, list)):
        yield value
        for part in value.values() if isinstance(value, dict) else value:
            yield from every_part(part)


def is_memory(layer):
    """Whether a model of three outputs may remember this."""
    classes, size, members = (layer.get(key) for key in ("classes", "image_size", "members"))
    if size is not None and not (type(size) is int and 1 <= size <= 1 << 15):
        return False
    if classes is None:
        return True
    if not isinstance(classes, dict) or len(classes) != 3:
        return False
    if not all(type(value) is int and 0 <= value <= 254 for value in classes.values()):
        return False
    if len(set(classes.values())) != 3 or members is None:
        return len(set(classes.values())) == 3
    return (
        isinstance(members, dict)
        and list(members) == list(classes)[1:]
        and all(isinstance(group, list) and group for group in members.values())
        and all(isinstance(name, str) for group in members.values() for name in group)
    )


def remembered(content):
    """What a model remembers by its config.json, and the rest of it; None and None if nothing."""
    try:
        config = json.loads(content["config.json"])
        layer = memory_in(config)
        return {key: layer.pop(key, None) for key in ("classes", "image_size", "members")}, config
    except (ValueError, TypeError, LookupError, AttributeError):  # damaged
        return None, None


def check_model(path, original, data):
    import keras

    from voc_seg import get_classes, load_segmenter, predict_labels
    from voc_seg.prediction import label_values

    keras.backend.clear_session()
    model = attempt(path, load_segmenter, path)
    content, before = unzip(data), unzip(original)
    expected = next(given for files, given in saved_models().values() if files == before)
    memory, config = remembered(content)
    weights = "model.weights.h5"
    unchanged = json.dumps(config) == json.dumps(remembered(before)[1])  # == takes True for 1
    if unchanged and content.get(weights) == before[weights]:
        expect((model is not None) == is_memory(memory), f"remembers {memory}; loaded {model}")
    elif content:  # something else differs, so we only know that it has to work, or be refused
        expected = None
    if model is None:
        return False
    if expected is not None:
        same(probabilities(model), expected, 1e-5, "probabilities")
    classes = get_classes(model)
    if memory is not None:
        expect(classes == memory["classes"], f"found {classes}, expected {memory['classes']}")
    if memory is None or (memory["image_size"] or 0) <= 64:
        labels = attempt("model", predict_labels, model, [PHOTO])
        if labels is not None:
            values = label_values(labels[0], classes or {f"class {i}": i for i in range(256)})
            expect(values.shape == PHOTO.shape[:2], f"labels of the shape {values.shape}")
    return True


# Running cases.

FAMILIES = {  # name: (make, check, ending of the file, cases in a round)
    "png": (make_png, check_png, ".png", 40),
    "mask": (make_mask, check_mask, ".png", 40),
    "jpeg": (make_jpeg, check_jpeg, ".jpg", 40),
    "other": (make_other, check_other, ".image", 40),
    "bomb": (make_bomb, check_bomb, ".image", 4),
    "list": (make_list, check_list, ".txt", 20),
    "labels": (make_labels, check_labels, ".txt", 20),
    "model": (make_model, check_model, ".keras", 2),
}


def run_case(family, seed, index, folder):
    """Makes one file in `folder` and checks it: whether the library took it.

    Raises:
        Wrong: the library broke the contract. The message says how to repeat the case; the file
            stays in the folder.
    """
    make, check, ending, _ = FAMILIES[family]
    original, data = make(np.random.default_rng((seed, index)))
    path = Path(folder) / f"{family}-{seed}-{index}{ending}"
    path.write_bytes(data)
    forget_peak()
    start, before = time.process_time(), ram("VmRSS")
    try:
        accepted = check(path, original, data)
        seconds, grown = time.process_time() - start, ram("VmHWM") - before
        limit = BOMB if family == "bomb" else MEMORY
        expect(seconds <= SECONDS, f"took {seconds:.0f} seconds")
        expect(grown <= limit, f"took {grown >> 20} MB of memory")
    except Exception as error:  # a traceback is as wrong as another result
        kind = "" if isinstance(error, Wrong) else f"{type(error).__name__}: "
        command = f"python tests/fuzz.py --family {family} --seed {seed} --index {index}"
        raise Wrong(f"{kind}{error}\n  file: {path}\n  again: {command}") from error
    path.unlink()
    path.with_suffix(".whole").unlink(missing_ok=True)
    return accepted


def rounds(families):
    """Pairs of a family and an index, for ever: a few cases of each in turn."""
    for number in itertools.count():
        for family in families:
            cases = FAMILIES[family][3]
            for index in range(number * cases, (number + 1) * cases):
                yield family, index


def main():
    parser = argparse.ArgumentParser(description="Checks what the library makes of damaged files.")
    parser.add_argument("--seconds", type=float, default=60, help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="default: the time")
    parser.add_argument("--family", choices=FAMILIES, action="append", help="default: all")
    parser.add_argument("--index", type=int, help="only this case")
    options = parser.parse_args()
    families = options.family or list(FAMILIES)
    folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
    counts = {family: Counter() for family in families}
    cases = rounds(families) if options.index is None else [(f, options.index) for f in families]
    start = time.monotonic()
    with tqdm(total=options.seconds, bar_format="{l_bar}{bar}| {n:.0f} of {total:.0f} s") as bar:
        for family, index in cases:
            try:
                accepted = run_case(family, options.seed, index, folder)
                counts[family]["accepted" if accepted else "refused"] += 1
            except Wrong as wrong:
                counts[family]["wrong"] += 1
                tqdm.write(f"{family} {index}: {wrong}")
            bar.set_description(f"{family} {index}", refresh=False)
            bar.update(min(time.monotonic() - start, options.seconds) - bar.n)
            if bar.n >= options.seconds:
                break
    print(f"seed {options.seed}")
    print(f"{'':10}" + "".join(f"{name:>10}" for name in ("accepted", "refused", "wrong")))
    for family, count in counts.items():
        numbers = (count[name] for name in ("accepted", "refused", "wrong"))
        print(f"{family:10}" + "".join(f"{number:10}" for number in numbers))
    wrong = sum(count["wrong"] for count in counts.values())
    if not wrong:
        shutil.rmtree(folder)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
