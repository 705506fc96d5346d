"""Download PASCAL VOC: fetch the official archive, check it, unpack it.

Nothing half-done is ever taken for the data set. The archive grows in a `.part` file, is compared
with its published md5, and is unpacked next to the final folder, which then appears in one step.
"""

import hashlib
import math
import os
import re
import shutil
import sys
import tarfile
import time
from collections.abc import Sequence
from pathlib import Path, PureWindowsPath
from tempfile import TemporaryDirectory

import requests
from requests.exceptions import ChunkedEncodingError
from tqdm import tqdm

from voc_seg.data.voc import read_lines
from voc_seg.files import lock_folder

# Tried in turn. The archives are the same, so a download that starts at one continues at the next.
SOURCES = (
    # The official address since September 2025. For 2009 it was inferred from the other years,
    # and has not been seen to answer.
    "https://thor.robots.ox.ac.uk/pascal/VOC/voc{year}/",
    "https://huggingface.co/datasets/DerrickUnleashed/Pascal_VOC/resolve/main/",
    # The old official host, off for half a year; since March 2026 it redirects to the first.
    "http://host.robots.ox.ac.uk/pascal/VOC/voc{year}/",
)
# Year: (file name, md5), as in torchvision's loader (torchvision/datasets/voc.py).
ARCHIVES = {
    2007: ("VOCtrainval_06-Nov-2007.tar", "c52e279531787c972589f7e41ab4ae64"),
    2008: ("VOCtrainval_14-Jul-2008.tar", "2629fa636546599198acfcfbfcf1904a"),
    2009: ("VOCtrainval_11-May-2009.tar", "59065e4b188729180974ef6572f6a212"),
    2010: ("VOCtrainval_03-May-2010.tar", "da459979d0c395079b5c75ee67908abb"),
    2011: ("VOCtrainval_25-May-2011.tar", "6c3384ef61512963050cb5d687e5bf1e"),
    2012: ("VOCtrainval_11-May-2012.tar", "6cd6e144f989b92b3379bac3b3de84fd"),
}
TIMEOUT = 30  # seconds without a single byte
PAUSES = (1, 5)  # seconds before each further try at one source
CHUNK = 1 << 16  # bytes


def download_voc(
    data: str | Path,
    year: int = 2009,
    archive: str | Path | None = None,
    mirror: str | None = None,
) -> Path:
    """Downloads PASCAL VOC, training and validation, into a folder.

    Three sources are tried in turn. An interrupted download is continued by the next call, and a
    complete data set is left as it is. The archive of 2009 is 936 MB, that of 2012 is 2.0 GB.

    Source: Everingham et al., "The PASCAL Visual Object Classes (VOC) Challenge", IJCV 2010.

    Args:
        data: the folder that will hold `VOCdevkit/VOC{year}`; it is made if it does not exist. It
            needs room for the archive and its content together (twice the archive's size).
        year: 2007 to 2012.
        archive: the official tar file, if you have it already; it is only read.
        mirror: http(s) URL to use in place of these sources: the folder that holds the archive
            under its official name, or the archive itself (ends in `.tar`).

    Returns:
        The folder `data/VOCdevkit/VOC{year}`.

    Raises:
        ValueError: an argument is wrong, or the archive is not the official one.
        OSError: no connection, no room, no such archive, an incomplete folder in the way, or
            another process is downloading to the same place.

    Examples:
        >>> from voc_seg import download_voc
        >>> download_voc("data", year=2009)  # doctest: +SKIP
        PosixPath('data/VOCdevkit/VOC2009')
    """
    if year not in ARCHIVES:
        raise ValueError(f"year: found {year!r}, expected one of {', '.join(map(str, ARCHIVES))}")
    if archive is not None and mirror is not None:
        raise ValueError("archive, mirror: found both, expected at most one of them")
    if mirror is not None and not re.fullmatch("https?://[!-~]+", mirror, re.IGNORECASE):
        raise ValueError(f"mirror: found {mirror!r}, expected a URL that starts with http(s)://")
    folder = Path(data, "VOCdevkit", f"VOC{year}")
    name, md5 = ARCHIVES[year]
    part = Path(data, f"{name}.part")
    if not os.path.lexists(folder):
        if archive is not None and not Path(archive).is_file():
            raise FileNotFoundError(f"archive: {archive} is not a file, expected VOC{year}'s tar")
        try:
            with lock_folder(Path(data)):
                if archive is None:
                    sources = [mirror] if mirror else [s.format(year=year) for s in SOURCES]
                    fetch([archive_url(source, name) for source in sources], md5, part)
                elif (found := md5_of(Path(archive))) != md5:
                    raise ValueError(
                        f"{archive}: is not the official archive (md5 {found}, expected {md5}); "
                        f"a tar of another origin can be unpacked by hand into {data}"
                    )
                unpack(part if archive is None else Path(archive), folder)
        except OSError as error:
            if error.strerror is None or isinstance(error, BlockingIOError):
                raise  # our own error, and complete
            raise OSError(
                f"{data}: VOC{year} cannot be stored there ({error}); make room or choose another "
                "folder, then call again to continue"
            ) from error
    if missing := first_missing(folder):
        raise FileExistsError(
            f"{folder}: is incomplete, {missing} is missing; move or delete it, then call again"
        )
    part.unlink(missing_ok=True)
    return folder


def first_missing(folder: Path) -> str | None:
    """The first file that a data set lacks; None if each image in its lists has its mask."""
    for split in ("train", "val"):
        path = folder / "ImageSets" / "Segmentation" / f"{split}.txt"
        ids = read_lines(path) if path.is_file() else []
        if not any(ids):
            return f"a list of images in {path.relative_to(folder)}"
        for id in filter(None, ids):
            for file in (f"JPEGImages/{id}.jpg", f"SegmentationClass/{id}.png"):
                if not (folder / file).is_file():
                    return file
    return None


def md5_of(path: Path) -> str:
    """The md5 of a file, in hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()


def archive_url(source: str, name: str) -> str:
    """The URL of an archive, from that of its folder or of itself."""
    return source if source.endswith(".tar") else f"{source.rstrip('/')}/{name}"


def fetch(urls: Sequence[str], md5: str, part: Path) -> None:
    """Downloads an archive to `part` from the first source that has it; the md5 decides."""
    if part.is_file() and md5_of(part) == md5:  # an earlier call could not unpack it
        return
    problems, wrong = [], False
    for url in urls:
        problem = download_from(url, part)
        if problem is None:
            found = md5_of(part)
            if found == md5:
                return
            part.unlink()
            problem = (
                f"is not the official archive (md5 {found}, expected {md5}), so it was deleted"
            )
            wrong = True
        problems.append(f"{url}: {problem}")
        if url != urls[-1]:
            tqdm.write(f"{problems[-1]}: trying the next source", file=sys.stderr)
    advice = "call again to continue, or use another mirror, or an archive"
    raise (ValueError if wrong else OSError)("; ".join([*problems, advice]))


def download_from(url: str, part: Path) -> str | None:
    """Downloads a file, continuing what is in `part`; returns what went wrong, if anything."""
    reason = ""
    for pause in (*PAUSES, None):
        try:
            append(url, part)
            return None
        except requests.HTTPError as error:
            status = error.response.status_code
            reason = f"HTTP error {status} {error.response.reason}"
            if status == 416:  # no such range: `part` is not the beginning of this archive
                part.unlink(missing_ok=True)
            elif status < 500 and status not in (408, 429):  # asking again will not help
                return reason
        except (requests.ConnectionError, requests.Timeout) as error:
            # "HTTPConnectionPool(host=...): Read timed out." and the like: keep only the end.
            reason = re.sub(r".*(?:>|\)): |\(read timeout.*", "", str(error)).strip("\"')( .")
        except requests.RequestException as error:
            raise ValueError(f"mirror: {url} is not a usable URL ({error})") from None
        if pause is not None:
            tqdm.write(f"{reason}: trying again in {pause} s", file=sys.stderr)
            time.sleep(pause)
    return reason


def append(url: str, part: Path) -> None:
    """Downloads the rest of a file, and appends it to `part`."""
    have = part.stat().st_size if part.exists() else 0
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as answer:
        answer.raise_for_status()
        if answer.headers.get("Content-Type", "").startswith("text/html"):
            raise requests.ConnectionError("a web page came instead of the archive")  # a login page
        if not answer.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
            have = 0  # the answer starts at the beginning
        length = answer.headers.get("Content-Length", "")
        total: float | None = have + int(length) if length.isdecimal() else None
        with (
            open(part, "ab" if have else "wb") as file,
            tqdm(desc=part.stem, total=total, initial=have, unit="B", unit_scale=True) as bar,
        ):
            try:
                for block in answer.iter_content(CHUNK):
                    file.write(block)
                    bar.update(len(block))
            except ChunkedEncodingError:  # the connection broke; what came is kept
                total = total or math.inf
    if total and (size := part.stat().st_size) < total:
        raise requests.ConnectionError(f"cut off after {size} of {total} bytes")


def unpack(archive: Path, folder: Path) -> None:
    """Unpacks the folder VOC{year} of a tar file to a path that does not exist yet."""
    prefix = f"unpacking-{folder.name}-"
    folder.parent.mkdir(parents=True, exist_ok=True)
    for stale in folder.parent.glob(f"{prefix}*"):  # left by a killed call
        shutil.rmtree(stale)
    try:
        with (
            tarfile.open(archive, "r:") as tar,
            TemporaryDirectory(prefix=prefix, dir=folder.parent) as temporary,
        ):
            members = tar.getmembers()
            for member in members:
                path = PureWindowsPath(member.name)  # knows both / and \ as well as drives
                if path.anchor or ".." in path.parts or not (member.isreg() or member.isdir()):
                    raise ValueError(
                        f"{archive}: holds {member.name!r}, which is a link, a device or outside "
                        "the target folder; nothing was unpacked, use another archive"
                    )
            tar.extraction_filter = getattr(tarfile, "data_filter", None)  # from Python 3.11.4 on
            tar.extractall(temporary, tqdm(members, desc=f"Unpacking {folder.name}", unit=" files"))
            for root in ("VOCdevkit", "TrainVal/VOCdevkit"):  # the latter in 2011
                found = Path(temporary, root, folder.name)
                if not first_missing(found):
                    os.replace(found, folder)
                    return
    except (tarfile.TarError, OverflowError, RecursionError) as error:
        raise ValueError(f"{archive}: is not a complete tar file ({error})") from None
    raise ValueError(f"{archive}: holds no complete VOCdevkit/{folder.name}")
