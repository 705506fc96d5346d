"""Image files against Pillow, masks against their numbers, sizes against arithmetic."""

import contextlib
import io
import struct
import zlib

import cv2
import numpy as np
import pytest
from helpers import SHAPES, blocky_mask, sentence
from PIL import Image, features

from voc_seg import (
    VOID,
    letterbox,
    open_folder,
    palette,
    read_image,
    read_mask,
    resize_to_fit,
    write_image,
    write_mask,
)
from voc_seg.data.images import GREY, letterbox_mask

ORIENTATION = 0x0112  # the EXIF tag
ORIENTED = {  # how a viewer turns the stored image, by the value of the tag (EXIF 2.3, 4.6.4)
    1: lambda image: image,
    2: lambda image: image[:, ::-1],
    3: lambda image: image[::-1, ::-1],
    4: lambda image: image[::-1],
    5: lambda image: image.swapaxes(0, 1),
    6: lambda image: np.rot90(image, -1),
    7: lambda image: np.rot90(image, 2).swapaxes(0, 1),
    8: lambda image: np.rot90(image),
}


def photograph(height=20, width=30, channels=3):
    """Smooth colours, as JPEG likes them: (height, width, channels) uint8."""
    coarse = np.random.default_rng(0).integers(0, 256, (5, 7, channels), dtype=np.uint8)
    return cv2.resize(coarse, (width, height)).reshape(height, width, channels)


def by_pillow(path):
    with Image.open(path) as image:
        return np.array(image.convert("RGB"))


def on_white(path):
    """What a transparent image shows on white paper, in real numbers."""
    with Image.open(path) as image:
        rgba = np.array(image.convert("RGBA"), float)
    alpha = rgba[..., 3:] / 255
    return alpha * rgba[..., :3] + (1 - alpha) * 255


def difference(a, b):
    assert np.shape(a) == np.shape(b)
    return np.abs(np.asarray(a, float) - b).max()


def write_grey_png(path, bits, rows, height=None):
    """Writes a grey PNG that Pillow would not write: with few bits, or with too few rows."""
    height = height or len(rows)
    header = struct.pack(">IIBBBBB", 8 * len(rows[0]) // bits, height, bits, 0, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows))  # 0: no filter
    file = b"\x89PNG\r\n\x1a\n"
    for kind, body in ((b"IHDR", header), (b"IDAT", pixels), (b"IEND", b"")):
        file += struct.pack(">I", len(body)) + kind + body
        file += struct.pack(">I", zlib.crc32(kind + body))
    path.write_bytes(file)


# Photographs.


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}])
def test_a_jpeg_is_read_as_pillow_reads_it(tmp_path, mode, options):
    path = tmp_path / "a.jpg"
    Image.fromarray(photograph()).convert(mode).save(path, **options)
    image = read_image(path)
    assert image.shape == (20, 30, 3) and image.dtype == np.uint8
    assert difference(image, by_pillow(path)) <= 1


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "1"])
def test_a_png_is_read_as_pillow_reads_it(tmp_path, mode):
    path = tmp_path / "a.png"
    Image.fromarray(photograph()).convert(mode).save(path)
    assert difference(read_image(path), by_pillow(path)) == 0


@pytest.mark.parametrize("format", ["BMP", "GIF", "TIFF", "WEBP"])
def test_other_formats_are_read_as_pillow_reads_them(tmp_path, format):
    path = tmp_path / "a.image"
    Image.fromarray(photograph()).save(path, format=format)
    if format == "WEBP" and not features.check("webp"):
        pytest.skip("this Pillow was built without WebP")
    assert difference(read_image(str(path)), by_pillow(path)) <= 2


@pytest.mark.parametrize("channels", [1, 3])
def test_the_upper_eight_of_sixteen_bits_are_kept(tmp_path, channels):
    values = np.random.default_rng(1).integers(0, 2**16, (9, 7, channels), dtype=np.uint16)
    cv2.imwrite(str(tmp_path / "a.png"), values)
    image = read_image(tmp_path / "a.png")[..., ::-1]  # OpenCV writes BGR
    assert image.dtype == np.uint8
    assert difference(image, np.broadcast_to(values // 256, (9, 7, 3))) <= 1


@pytest.mark.parametrize("orientation", ORIENTED)
@pytest.mark.parametrize(("suffix", "channels"), [("jpg", 3), ("png", 3), ("png", 4)])
def test_every_exif_orientation_is_applied(tmp_path, orientation, suffix, channels):
    plain, turned = tmp_path / f"plain.{suffix}", tmp_path / f"turned.{suffix}"
    stored = Image.fromarray(photograph(channels=channels))
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    stored.save(plain)
    stored.save(turned, exif=exif)
    assert np.array_equal(read_image(turned), ORIENTED[orientation](read_image(plain)))


@pytest.mark.filterwarnings("ignore:Palette images with Transparency")
@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA"])
def test_transparent_pixels_are_shown_on_white(tmp_path, mode):
    path = tmp_path / "a.png"
    image = Image.fromarray(photograph(channels=4))
    if mode == "PA":  # a palette whose colours are transparent to different degrees
        image = image.convert("RGB").quantize(64)
        image.save(path, transparency=bytes(range(0, 256, 4)))
    else:
        image.convert(mode).save(path)
    expected = on_white(path)
    assert difference(expected, by_pillow(path)) > 50  # the colours that transparency hides
    assert difference(read_image(path), expected) <= 1


def test_a_colour_that_means_transparent_is_shown_on_white(tmp_path):
    pixels = np.array([[[1, 2, 3], [200, 0, 0]], [[200, 0, 0], [1, 2, 4]]], np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png", transparency=(200, 0, 0))
    expected = [[[1, 2, 3], [255, 255, 255]], [[255, 255, 255], [1, 2, 4]]]
    assert read_image(tmp_path / "a.png").tolist() == expected
    Image.fromarray(pixels[..., 0]).save(tmp_path / "b.png", transparency=200)
    assert read_image(tmp_path / "b.png")[..., 0].tolist() == [[1, 255], [255, 1]]


def test_an_alpha_channel_of_sixteen_bits_counts(tmp_path):
    values = np.full((2, 3, 4), 0x8000, np.uint16)
    values[..., 3] = [0, 0xFFFF, 0x8080]
    cv2.imwrite(str(tmp_path / "a.png"), values)
    assert difference(read_image(tmp_path / "a.png")[0, :, 0], [255, 128, 191.5]) <= 1


def test_a_fully_opaque_alpha_channel_changes_nothing(tmp_path):
    pixels = photograph(channels=4)
    pixels[..., 3] = 255
    Image.fromarray(pixels).save(tmp_path / "a.png")
    assert np.array_equal(read_image(tmp_path / "a.png"), pixels[..., :3])


@pytest.mark.parametrize(
    ("suffix", "options"),
    [("jpg", {}), ("jpg", {"progressive": True}), ("png", {})],
    ids=["jpeg", "progressive", "png"],
)
@pytest.mark.parametrize("channels", [3, 4])
def test_an_image_that_is_cut_off_anywhere_is_refused(tmp_path, suffix, options, channels):
    if (suffix, channels) == ("jpg", 4):
        whole = Image.fromarray(photograph()).convert("L")  # JPEG has no transparency
    else:
        whole = Image.fromarray(photograph(channels=channels))
    file = io.BytesIO()
    whole.save(file, {"jpg": "JPEG", "png": "PNG"}[suffix], **options)
    data, path = file.getvalue(), tmp_path / f"a.{suffix}"
    for length in range(1, len(data) - 4, 7):  # a PNG without its last four bytes is still whole
        path.write_bytes(data[:length])
        with pytest.raises(ValueError) as caught:
            read_image(path)
        assert str(path) in sentence(caught)


def test_a_jpeg_whose_data_stop_early_is_refused_even_with_an_end_marker(tmp_path):
    path = tmp_path / "a.jpg"
    Image.fromarray(photograph(200, 300)).save(path)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2] + b"\xff\xd9")  # a decoder fills the rest with grey
    with pytest.raises(ValueError) as caught:
        read_image(path)
    assert str(path) in sentence(caught)


def test_a_whole_jpeg_followed_by_other_data_is_read(tmp_path):
    Image.fromarray(photograph()).save(tmp_path / "a.jpg")
    data = (tmp_path / "a.jpg").read_bytes()
    expected = read_image(tmp_path / "a.jpg")
    for name, more in {"zeros": bytes(100), "notes": b"the camera's own notes"}.items():
        (tmp_path / name).write_bytes(data + more)
        assert np.array_equal(read_image(tmp_path / name), expected)


def test_a_transparent_image_that_is_cut_off_is_refused_and_named(tmp_path):
    path = tmp_path / "photo.tiff"
    Image.new("RGBA", (40, 40), (1, 2, 3, 4)).save(path)
    path.write_bytes(path.read_bytes()[:-300])
    with pytest.raises(ValueError, match=r"photo\.tiff: ") as caught:
        read_image(path)
    assert sentence(caught)


@pytest.mark.parametrize("position", range(60, 600, 60))
def test_a_png_with_a_wrong_checksum_is_refused(tmp_path, position):
    path = tmp_path / "a.png"
    Image.fromarray(photograph()).save(path)
    data = bytearray(path.read_bytes())
    data[position] ^= 16
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"a\.png"):
        read_image(path)


@pytest.mark.parametrize("read", [read_image, read_mask])
def test_a_png_that_lacks_rows_is_refused_though_all_its_checksums_are_right(tmp_path, read):
    path = tmp_path / "a.png"
    write_grey_png(path, 8, [b"\1\2\3"] * 5)
    assert read(path).shape[:2] == (5, 3)
    write_grey_png(path, 8, [b"\1\2\3"] * 4, height=5)
    with pytest.raises(ValueError) as caught:
        read(path)
    assert str(path) in sentence(caught)


@pytest.mark.parametrize("read", [read_image, read_mask])
def test_a_file_that_claims_billions_of_pixels_is_refused_without_decoding_it(tmp_path, read):
    path = tmp_path / "a.png"
    write_grey_png(path, 8, [b"\1\2\3"], height=2**31 - 1)
    with pytest.raises(ValueError) as caught:
        read(path)
    assert str(path) in sentence(caught)


@pytest.mark.parametrize("mode", ["I", "F"])
def test_an_image_of_32_bits_is_refused(tmp_path, mode):
    path = tmp_path / "a.tiff"
    Image.new(mode, (4, 3)).save(path)
    with pytest.raises(ValueError) as caught:
        read_image(path)
    assert str(path) in sentence(caught) and "32 bits" in sentence(caught)


@pytest.mark.parametrize("read", [read_image, read_mask])
@pytest.mark.parametrize(
    "content",
    [b"", b"this is not an image", b"<svg></svg>", b"\xff\xd8", b"\x89PNG", b"\x89PNG\r\n\x1a\n"],
)
def test_a_file_that_is_not_an_image_is_named(tmp_path, read, content):
    path = tmp_path / "a.png"
    path.write_bytes(content)
    with pytest.raises(ValueError) as caught:
        read(path)
    assert str(path) in sentence(caught)
    assert "0x" not in sentence(caught)  # no address in memory


@pytest.mark.parametrize("read", [read_image, read_mask])
def test_a_missing_file_and_a_folder_are_told_apart(tmp_path, read):
    with pytest.raises(FileNotFoundError, match="no such file"):
        read(tmp_path / "a.png")
    with pytest.raises(FileNotFoundError, match="is a folder"):
        read(tmp_path)


def test_photographs_of_voc_are_read_as_pillow_reads_them(voc2012_animals):
    for path in sorted(voc2012_animals.glob("VOCdevkit/*/JPEGImages/*.jpg"))[:5]:
        assert difference(read_image(path), by_pillow(path)) <= 2


# Masks.


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_a_palette_png_of_any_depth_is_read_as_indices_not_as_colours(tmp_path, bits):
    values = np.random.default_rng(bits).integers(0, 2**bits, (11, 13), dtype=np.uint8)
    image = Image.fromarray(values)
    image.putpalette(palette()[::-1].tobytes())  # whatever the colours are
    image.save(tmp_path / "a.png", bits=bits)
    assert (tmp_path / "a.png").read_bytes()[24:26] == bytes([bits, 3])  # depth; 3 is palette
    mask = read_mask(tmp_path / "a.png")
    assert np.array_equal(mask, values) and mask.dtype == np.uint8


def test_a_palette_png_with_transparency_is_read_as_indices(tmp_path):
    values = np.array([[0, 1, VOID]], np.uint8)
    image = Image.fromarray(values)
    image.putpalette(palette().tobytes())
    image.save(tmp_path / "a.png", transparency=0)
    assert np.array_equal(read_mask(tmp_path / "a.png"), values)


def test_a_grey_png_of_eight_bits_is_read_as_indices(tmp_path):
    values = np.arange(256, dtype=np.uint8).reshape(8, 32)
    Image.fromarray(values).save(tmp_path / "a.png")
    assert np.array_equal(read_mask(tmp_path / "a.png"), values)


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_a_grey_png_of_fewer_bits_is_refused(tmp_path, bits):
    # Its pixels are shades: decoders scale 4 bits to 8, so 1 becomes 17 and 15 becomes void.
    write_grey_png(tmp_path / "a.png", bits, [b"\x01", b"\xf0"])
    with Image.open(tmp_path / "a.png") as image:
        image.load()  # a good PNG
    with pytest.raises(ValueError, match=r"a\.png"):
        read_mask(tmp_path / "a.png")


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "I;16"])
def test_a_mask_that_holds_no_indices_is_refused(tmp_path, mode):
    path = tmp_path / "a.png"
    Image.new(mode, (4, 3)).save(path)
    with pytest.raises(ValueError) as caught:
        read_mask(path)
    assert str(path) in sentence(caught) and mode in sentence(caught)


@pytest.mark.parametrize("format", ["JPEG", "BMP", "GIF", "TIFF"])
def test_a_mask_in_another_format_is_refused_whatever_its_name(tmp_path, format):
    path = tmp_path / "a.png"
    Image.new("L", (4, 3)).save(path, format=format)
    with pytest.raises(ValueError) as caught:
        read_mask(path)
    assert str(path) in sentence(caught) and format in sentence(caught)


def test_a_mask_that_is_cut_off_is_refused(tmp_path):
    path = tmp_path / "a.png"
    write_mask(path, np.random.default_rng(0).integers(0, 21, (16, 16)))
    data = path.read_bytes()
    for length in range(1, len(data) - 24, 7):  # all pixels are before the last 24 bytes
        path.write_bytes(data[:length])
        with pytest.raises(ValueError, match=r"a\.png"):
            read_mask(path)


def test_a_mask_with_a_wrong_byte_is_never_read_as_other_classes(tmp_path):
    path = tmp_path / "a.png"
    mask = np.random.default_rng(0).integers(0, 2, (16, 16), dtype=np.uint8)
    write_mask(path, mask)
    data = path.read_bytes()
    for position in range(data.index(b"IDAT") + 4, len(data) - 16):
        path.write_bytes(data[:position] + bytes([data[position] ^ 16]) + data[position + 1 :])
        with pytest.raises(ValueError, match=r"a\.png"):
            read_mask(path)


def test_write_mask_writes_a_palette_png_that_reads_back_unchanged(tmp_path):
    mask = np.arange(256, dtype=np.uint8).reshape(16, 16)
    write_mask(tmp_path / "a.png", mask)
    assert np.array_equal(read_mask(tmp_path / "a.png"), mask)
    with Image.open(tmp_path / "a.png") as image:
        assert image.format == "PNG" and image.mode == "P"
        assert np.array_equal(np.reshape(image.getpalette(), (-1, 3)), palette())
        assert np.array_equal(np.array(image.convert("RGB")), palette()[mask])


def test_write_mask_no_longer_takes_a_palette(tmp_path):
    with pytest.raises((TypeError, ValueError), match="palette") as caught:
        write_mask(tmp_path / "a.png", np.zeros((2, 3), np.uint8), palette())
    assert "write_mask(path, mask)" in sentence(caught)
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("value", [0, 1, VOID])
def test_a_mask_of_a_single_class_keeps_its_value_and_its_palette(tmp_path, value):
    write_mask(tmp_path / "a.png", np.full((1, 5), value))
    assert read_mask(tmp_path / "a.png").tolist() == [[value] * 5]
    with Image.open(tmp_path / "a.png") as image:
        assert image.mode == "P" and len(image.getpalette()) == 768


def test_a_mask_with_other_numbers_or_of_another_shape_is_not_written(tmp_path):
    path = tmp_path / "mask.png"
    good = np.zeros((4, 6), int)
    for mask in (good - 1, good + 256, good + 0.7, good[None]):
        with pytest.raises(ValueError, match=path.name):
            write_mask(path, mask)
    assert not path.exists()
    write_mask(path, good + 255)
    assert (read_mask(path) == 255).all()


@pytest.mark.parametrize("channels", [3, 4])
def test_write_image_writes_every_pixel_unchanged(tmp_path, channels):
    pixels = photograph(channels=channels)
    write_image(tmp_path / "a.png", pixels)
    with Image.open(tmp_path / "a.png") as image:
        assert image.format == "PNG" and np.array_equal(np.array(image), pixels)


# The palette.


@pytest.mark.parametrize(
    ("index", "colour"),
    [
        (0, (0, 0, 0)),
        (1, (128, 0, 0)),
        (2, (0, 128, 0)),
        (8, (64, 0, 0)),
        (15, (192, 128, 128)),
        (20, (0, 64, 128)),
        (VOID, (224, 224, 192)),
    ],
)
def test_palette_has_the_well_known_colours(index, colour):
    assert tuple(palette()[index]) == colour


def test_palette_equals_the_bits_of_each_index_dealt_out_as_strings():
    assert palette().shape == (256, 3) and palette().dtype == np.uint8
    for index in range(256):
        bits = f"{index:09b}"[::-1]  # the lowest bit first
        expected = [int(bits[channel::3].ljust(8, "0"), 2) for channel in range(3)]
        assert palette()[index].tolist() == expected


def test_changing_a_palette_does_not_change_the_next_one():
    with contextlib.suppress(ValueError):  # it may be read-only
        palette()[1] = 0
    assert palette()[1].tolist() == [128, 0, 0]


def test_palette_is_the_one_in_the_masks_of_voc(voc2012_animals):
    folder = open_folder(voc2012_animals)
    path = folder.path / "SegmentationClass" / f"{folder.ids('val')[0]}.png"
    with Image.open(path) as image:
        assert np.array_equal(np.reshape(image.getpalette(), (-1, 3)), palette())
    colours = cv2.imread(str(path))[..., ::-1]
    assert np.array_equal(palette()[read_mask(path)], colours)


# Sizes.


@pytest.mark.parametrize("shape", [(30, 20), (20, 30), (1, 300), (301, 7), (1, 1), (16, 16)])
@pytest.mark.parametrize("size", [1, 16, 100])
def test_resize_to_fit_gives_the_long_side_and_keeps_the_aspect_ratio(shape, size):
    image = resize_to_fit(np.zeros((*shape, 3), np.uint8), size)
    mask = resize_to_fit(np.zeros(shape, np.uint8), size, cv2.INTER_NEAREST)
    assert max(mask.shape) == size and image.shape == (*mask.shape, 3)
    for now, before in zip(mask.shape, shape, strict=True):
        assert abs(now - max(1, before * size / max(shape))) <= 0.5


def test_resize_to_fit_averages_when_it_shrinks():
    image = np.random.default_rng(0).integers(0, 256, (12, 8, 3), dtype=np.uint8)
    blocks = image.reshape(3, 4, 2, 4, 3).mean(axis=(1, 3))
    assert difference(resize_to_fit(image, 3), blocks) <= 1


# Letterbox.


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("size", [1, 16, 64])
def test_letterbox_keeps_the_aspect_ratio_and_pads_at_the_bottom_or_right(shape, size):
    image = letterbox(np.full((*shape, 3), 200, np.uint8), size)
    mask = letterbox_mask(np.full(shape, 3, np.uint8), size)
    assert image.shape == (size, size, 3) and image.dtype == np.uint8
    assert mask.shape == (size, size) and mask.dtype == np.uint8
    h, w = (max(1, round(side * size / max(shape))) for side in shape)
    expected = np.full((size, size), VOID)
    expected[:h, :w] = 3
    assert np.array_equal(mask, expected)
    assert np.array_equal(image, np.where(expected == 3, 200, GREY)[..., None].repeat(3, -1))


def test_an_image_of_the_right_size_is_not_changed():
    image = np.random.default_rng(0).integers(0, 256, (20, 32, 3), dtype=np.uint8)
    mask = blocky_mask(20, 32, [0, 5, VOID], block=1)
    assert np.array_equal(letterbox(image, 32)[:20], image)
    assert np.array_equal(letterbox_mask(mask, 32)[:20], mask)


@pytest.mark.parametrize("shape", SHAPES)
def test_letterbox_never_makes_a_new_class(shape):
    values = [0, 1, 20, 200]
    for size in (1, 5, 16, 33, 64):
        resized = letterbox_mask(blocky_mask(*shape, values, 1), size)
        assert set(np.unique(resized)) <= {*values, VOID}


@pytest.mark.parametrize(("size", "factor"), [(3, 3), (7, 5), (27, 1 / 3)])
def test_the_resized_mask_lines_up_with_the_resized_image(size, factor):
    # The centre of each new pixel is the centre of the pixels that the image averages there.
    mask = blocky_mask(round(size * factor), round(size * factor), range(200), 1)
    indices = np.floor((np.arange(size) + 0.5) * factor).astype(int)
    assert np.array_equal(letterbox_mask(mask, size), mask[np.ix_(indices, indices)])


def png(*chunks):
    """A PNG of these chunks, (kind, content), with the right checksums."""
    parts = [
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.mark.parametrize("read", [read_image, read_mask])
def test_a_second_header_does_not_make_up_rows(tmp_path, read):
    def header(rows):
        return b"IHDR", struct.pack(">IIBBBBB", 4, rows, 8, 3, 0, 0, 0)

    palette_and_rows = (
        (b"PLTE", bytes(range(30))),
        (b"IDAT", zlib.compress(b"\0\1\2\3\4" * 3)),
        (b"IEND", b""),
    )
    path = tmp_path / "a.png"
    path.write_bytes(png(header(3), *palette_and_rows))
    assert read(path).shape[:2] == (3, 4)
    for headers in ((header(3), header(6)), (header(6), header(3)), ()):
        path.write_bytes(png(*headers, *palette_and_rows))
        with pytest.raises(ValueError, match=r"a\.png: .*header"):
            read(path)


def test_a_damaged_tiff_is_refused_without_a_word_of_its_decoder(tmp_path, capfd):
    path = tmp_path / "a.tiff"
    Image.fromarray(photograph()).save(path, compression="tiff_lzw")
    data = path.read_bytes()
    refused = 0
    for position in range(8, len(data) - 200, 40):
        path.write_bytes(data[:position] + bytes(12) + data[position + 12 :])
        try:
            read_image(path)
        except ValueError as error:
            assert str(path) in str(error)
            refused += 1
    assert refused > 3
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("dtype", ["int32", "uint32", "float16", "bool"])
def test_what_opencv_cannot_resize_is_refused_by_its_type(dtype):
    with pytest.raises(ValueError, match=f"^image: found {dtype} .*of uint8, uint16, float32"):
        resize_to_fit(np.zeros((4, 5), dtype), 8)
