"""Download PASCAL VOC: fetch the official archive, check it, unpack it.

Nothing half-done is ever taken for the data set: the archive grows in a `.part` file, is compared
with its published md5 and unpacked beside the final folder, which then appears in a single step.
"""

import hashlib
import os
import re
import shutil
import sys
import tarfile
import time
from http.client import HTTPException, InvalidURL
from pathlib import Path, PureWindowsPath
from tempfile import TemporaryDirectory
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from tqdm import tqdm

HOST = "http://host.robots.ox.ac.uk/pascal/VOC/voc{year}/"
# Year: (file name, md5), as in torchvision's loader (torchvision/datasets/voc.py).
ARCHIVES = {
    2007: ("VOCtrainval_06-Nov-2007.tar", "c52e279531787c972589f7e41ab4ae64"),
    2008: ("VOCtrainval_14-Jul-2008.tar", "2629fa636546599198acfcfbfcf1904a"),
    2009: ("VOCtrainval_11-May-2009.tar", "59065e4b188729180974ef6572f6a212"),
    2010: ("VOCtrainval_03-May-2010.tar", "da459979d0c395079b5c75ee67908abb"),
    2011: ("VOCtrainval_25-May-2011.tar", "6c3384ef61512963050cb5d687e5bf1e"),
    2012: ("VOCtrainval_11-May-2012.tar", "6cd6e144f989b92b3379bac3b3de84fd"),
}
NEEDED = ("ImageSets/Segmentation/train.txt", "JPEGImages", "SegmentationClass")
TIMEOUT = 30  # seconds without a single byte
PAUSES = (1, 3, 10)  # seconds before each new try
CHUNK = 1 << 16  # bytes


def download_voc(data, year=2009, archive=None, mirror=None):
    """Bring the training and validation part of PASCAL VOC into a folder.

    An interrupted download is continued by the next call; a complete data set is left as it is.

    Args:
        data: folder that receives `VOCdevkit/VOC{year}`; made if absent. It needs room for the
            archive and its content at once (about twice the archive's size).
        year: 2007 to 2012.
        archive: the official tar file, where it is already on this machine; it is only read.
        mirror: http(s) URL to use instead of the official host: the folder that holds the archive
            under its official name, or the archive itself (ends in `.tar`).

    Returns:
        Path of the folder `data/VOCdevkit/VOC{year}`.

    Raises:
        ValueError: a bad argument, or an archive that is not the official one.
        OSError: no connection, no room, no such archive, or an incomplete folder in the way.

    Source: Everingham et al., "The PASCAL Visual Object Classes (VOC) Challenge", IJCV 2010.
    """
    if year not in ARCHIVES:
        raise ValueError(f"there is no VOC year {year!r}, expected one of {[*ARCHIVES]}")
    if archive is not None and mirror is not None:
        raise ValueError("--archive and --mirror were both given, expected at most one of them")
    if mirror is not None and not re.fullmatch("https?://[!-~]+", mirror, re.IGNORECASE):
        raise ValueError(f"--mirror is {mirror!r}, expected a URL that starts with http(s)://")
    folder = Path(data, "VOCdevkit", f"VOC{year}")
    missing = [name for name in NEEDED if not (folder / name).exists()]
    if not missing:
        return folder
    if os.path.lexists(folder):
        raise FileExistsError(
            f"{folder} exists but has no {missing[0]}: move or delete it, then call again"
        )
    if archive is not None and not Path(archive).is_file():
        raise FileNotFoundError(f"--archive {archive} is not a file, expected a VOC{year} tar file")
    try:
        tar = Path(archive) if archive is not None else _fetch(data, year, mirror)
        if (found := _md5(tar)) != (expected := ARCHIVES[year][1]):
            advice = f"a tar of another origin can be unpacked by hand into {data}"
            if archive is None:
                tar.unlink()
                advice = "it was deleted, call again, or use another --mirror or --archive"
            raise ValueError(
                f"{tar} is not the official VOC{year} archive (md5 {found}, expected {expected}): "
                f"{advice}"
            )
        _unpack(tar, folder)
        if archive is None:
            tar.unlink()
    except OSError as error:
        if error.errno is None:  # already one of this module's own sentences
            raise
        raise OSError(
            f"cannot store VOC{year} in {data} ({error}): make room there or choose another "
            "folder, then call again to continue"
        ) from error
    return folder


def _md5(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()


def _fetch(data, year, mirror):
    """Download the archive of a year, continuing what an earlier call left; return its path."""
    name, md5 = ARCHIVES[year]
    url = mirror or HOST.format(year=year)
    if not url.endswith(".tar"):
        url = f"{url.rstrip('/')}/{name}"
    part = Path(data, f"{name}.part")
    part.parent.mkdir(parents=True, exist_ok=True)
    if part.is_file() and _md5(part) == md5:  # an earlier call could not unpack it
        return part
    with open(part, "ab") as file:  # a failing write ends the call, a failing read is repeated
        file.writelines(_blocks(url, file))
    return part


def _blocks(url, file):
    """Yield the bytes of url that file still lacks; file is emptied if url cannot be resumed."""
    pauses = iter(PAUSES)
    while True:
        have = file.tell()
        try:
            request = Request(url, headers={"Range": f"bytes={have}-"} if have else {})
            with urlopen(request, timeout=TIMEOUT) as response:
                headers = response.headers
                if headers.get_content_type() == "text/html":  # the log-in page of a network
                    raise OSError("a web page came instead of the archive")
                if have and not headers.get("Content-Range", "").startswith(f"bytes {have}-"):
                    have = file.truncate(file.seek(0))  # the answer starts at byte 0
                length = headers.get("Content-Length")
                total = have + int(length) if length else None
                desc = url.rpartition("/")[2]
                with tqdm(desc=desc, total=total, initial=have, unit="B", unit_scale=True) as bar:
                    while block := response.read(CHUNK):
                        yield block
                        bar.update(len(block))
                if total and file.tell() < total:
                    raise OSError(f"cut off after {file.tell()} of {total} bytes")
            return
        except HTTPError as error:
            error.close()
            if error.code == 416 and have:  # no such range: not a beginning of this archive
                file.truncate(file.seek(0))
                continue
            reason = f"HTTP error {error.code} {error.reason}"
            if error.code < 500 and error.code not in (408, 429):  # asking again would not help
                raise OSError(f"{url}: {reason}: use another --mirror, or --archive") from None
        except (ValueError, InvalidURL) as error:
            raise ValueError(f"{url} is not a usable URL ({error}): check --mirror") from None
        except (OSError, HTTPException) as error:
            reason = " ".join(str(getattr(error, "reason", error)).split())
        pause = next(pauses, None)
        if pause is None:
            raise OSError(
                f"{url}: {reason}: call again to continue, or use another --mirror, or --archive"
            )
        tqdm.write(f"{reason}: trying again in {pause} s", file=sys.stderr)
        time.sleep(pause)


def _unpack(archive, folder):
    """Unpack the folder VOC{year} of a tar file to a place where nothing stands yet."""
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
                        f"{archive} holds {member.name!r}, which is a link, a device or outside "
                        "of the target folder: nothing was unpacked, use another archive"
                    )
            # Python's own filter came with 3.11.4; without it the check above stands alone.
            tar.extraction_filter = getattr(tarfile, "data_filter", None)
            tar.extractall(temporary, tqdm(members, desc=f"Unpacking {folder.name}", unit=" files"))
            if not all(Path(temporary, member.name).exists() for member in members):
                raise OSError(f"{folder.name} is being unpacked by another call, wait for its end")
            for root in ("VOCdevkit", "TrainVal/VOCdevkit"):  # the latter in 2011
                found = Path(temporary, root, folder.name)
                if all((found / name).exists() for name in NEEDED):
                    os.replace(found, folder)
                    return
    except tarfile.TarError as error:
        raise ValueError(f"{archive} is not a complete tar file: {error}") from None
    raise ValueError(f"{archive} holds no VOCdevkit/{folder.name} with {', '.join(NEEDED)}")
