"""Image files: photographs as a viewer shows them, masks as the numbers that they hold."""

import io
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

JPEG, PNG = b"\xff\xd8", b"\x89PNG"  # how their files begin
# What Pillow raises for a file that is broken, or that claims to be larger than it should be.
BROKEN = (OSError, SyntaxError, ValueError, Image.DecompressionBombError)


def read_image(path):
    """Reads a photograph as an image viewer shows it.

    Grey images become RGB, CMYK is converted, 16 bits become 8, the camera's EXIF orientation is
    applied, and what is transparent is shown on white.

    Args:
        path: a JPEG, PNG or any other file that OpenCV decodes.

    Returns:
        (H, W, 3) uint8, RGB.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is no image, or it is cut off.
    """
    data = read_bytes(path)
    if data.startswith(JPEG):
        check_complete(path, data)
    elif picture := transparent_picture(path, data):
        # OpenCV would drop the transparency and show the colours that it hides.
        white = Image.new("RGBA", picture.size, "white")
        return np.array(Image.alpha_composite(white, picture).convert("RGB"))
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)  # (H, W, 3), BGR
    except cv2.error as error:  # an image of more than 2^30 pixels, for one
        raise ValueError(f"{path}: OpenCV cannot decode this image ({error.err})") from None
    if image is None:
        raise ValueError(f"{path}: is not an image that OpenCV can read")
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def read_mask(path):
    """Reads a mask as the class indices that its PNG file holds.

    A mask is never decoded to colours: VOC's PNGs are palette images, whose pixels are the class
    indices already, and OpenCV would replace them by the palette's colours. Pillow leaves them
    alone. Grey PNGs, which labelling tools write too, hold indices as well.

    Args:
        path: a palette or an 8-bit grey PNG.

    Returns:
        (H, W) uint8, the values as they stand in the file.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is no PNG, is cut off, holds colours, or is grey with other than 8
            bits.
    """
    data = read_bytes(path)
    try:
        Image.open(io.BytesIO(data)).verify()  # the checksums
        image = Image.open(io.BytesIO(data))
        image.load()
    except BROKEN as error:
        raise ValueError(f"{path}: is not a PNG that can be read ({reason(error)})") from None
    if image.format == "PNG" and image.mode == "L" and data[24] != 8:  # scaled to 8 bits
        raise ValueError(f"{path}: is grey with {data[24]} bits; expected 8 bits, or a palette PNG")
    if image.format != "PNG" or image.mode not in ("P", "L"):
        raise ValueError(
            f"{path}: is a {image.format} of mode {image.mode}; expected a PNG whose pixels are "
            "class indices (mode P, or L)"
        )
    return np.array(image)


def write_mask(path, mask, palette):
    """Writes a mask as a palette PNG, as the masks of VOC are.

    Args:
        path: the file to write.
        mask: (H, W) integers, 0..255.
        palette: (256, 3) uint8, RGB.

    Raises:
        ValueError: the mask has another form, or holds other numbers.
    """
    mask = np.asarray(mask)
    if mask.ndim != 2 or mask.dtype.kind not in "biu" or mask.min() < 0 or mask.max() > 255:
        raise ValueError(f"{path}: found {mask.dtype} {mask.shape}; expected (H, W) of 0..255")
    image = Image.fromarray(mask.astype(np.uint8))
    image.putpalette(palette.tobytes())  # turns mode L into mode P, the pixels stay
    image.save(path, format="PNG")


def write_image(path, image):
    """Writes an image as PNG.

    Args:
        path: the file to write.
        image: (H, W, 3) uint8, RGB, or (H, W, 4), RGBA.
    """
    Image.fromarray(image).save(path, format="PNG")


def resize_to_fit(image, size, interpolation=None):
    """Resizes an image so that its long side is `size`, keeping the aspect ratio.

    Args:
        image: (H, W) or (H, W, C) array.
        size: the long side wanted, in pixels.
        interpolation: one of OpenCV's. Default: by area when shrinking, else bilinear. Masks
            want `cv2.INTER_NEAREST_EXACT`: smooth ones would mix class indices into other
            classes, and plain `INTER_NEAREST` shifts the mask by up to half a pixel.

    Returns:
        (h, w) or (h, w, C) array with max(h, w) == size.
    """
    height, width = image.shape[:2]
    scale = size / max(height, width)
    if interpolation is None:
        interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    shape = max(1, round(width * scale)), max(1, round(height * scale))
    return cv2.resize(image, shape, interpolation=interpolation)


def read_bytes(path):
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: " + ("is a folder" if path.is_dir() else "no such file"))
    data = path.read_bytes()
    if not data:
        raise ValueError(f"{path}: is empty; expected an image")
    return data


def check_complete(path, data):
    """Refuses a JPEG that is cut off: OpenCV would return its upper part, the rest grey."""
    if data.rstrip(b"\0").endswith(b"\xff\xd9"):
        return
    # Some cameras append data of their own to a whole image, so that Pillow has to decide.
    try:
        Image.open(io.BytesIO(data)).load()
    except BROKEN as error:
        raise ValueError(f"{path}: is not a complete JPEG ({reason(error)})") from None


def transparent_picture(path, data):
    """An image with transparency, upright, as RGBA; None for others. Checks a PNG's checksums."""
    try:
        if data.startswith(PNG):
            Image.open(io.BytesIO(data)).verify()
        picture = Image.open(io.BytesIO(data))
        if picture.has_transparency_data:
            return ImageOps.exif_transpose(picture).convert("RGBA")
    except UnidentifiedImageError:  # not one of Pillow's formats: OpenCV may know it
        pass
    except BROKEN as error:
        raise ValueError(f"{path}: is not a complete image ({reason(error)})") from None
    return None


def reason(error):
    unknown = isinstance(error, UnidentifiedImageError)  # its text shows an address in memory
    return "unknown format" if unknown else str(error)
