"""The download of PASCAL VOC, from a small server that runs here, on 127.0.0.1."""

import errno
import hashlib
import io
import os
import socket
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from helpers import other_process_in, sentence, snapshot

from voc_seg import download_voc
from voc_seg.data import download

FILES = {
    "ImageSets/Segmentation/train.txt": b"2009_000001\n",
    "ImageSets/Segmentation/val.txt": b"2009_000001\n",
    "JPEGImages/2009_000001.jpg": bytes(range(256)) * 20,
    "SegmentationClass/2009_000001.png": bytes(range(255, -1, -1)) * 20,
}
NAME = "tiny.tar"


def make_tar(root="VOCdevkit/VOC2009", files=FILES, extra=()):
    """A tar file as bytes: files under root, then the extra TarInfo members."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(f"{root}/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
        for member in extra:
            tar.addfile(member)
    return buffer.getvalue()


def publish(monkeypatch, body, year=2009):
    """Make body the official archive of a year."""
    monkeypatch.setitem(download.ARCHIVES, year, (NAME, hashlib.md5(body).hexdigest()))
    return body


class Handler(BaseHTTPRequestHandler):
    """Serves server.body with Range; each entry of server.script spoils one answer."""

    def do_GET(self):
        server, how = self.server, None
        server.requests.append((self.path, self.headers["Range"]))
        if server.script:
            how = server.script.pop(0)
        if isinstance(how, int):
            return self.send_error(how)
        if how == "hang":
            return server.stop.wait(10)
        start = int((self.headers["Range"] or "bytes=0-")[len("bytes=") : -1])
        start = 0 if how == "no range" else start
        if start >= len(server.body):
            return self.send_error(416)
        body = server.body[start:]
        body = body[::-1] if how == "wrong" else body
        self.send_response(206 if start else 200)
        if start:
            last, total = len(server.body) - 1, len(server.body)
            self.send_header("Content-Range", f"bytes {start}-{last}/{total}")
        self.send_header("Content-Type", "text/html" if how == "page" else "application/x-tar")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if how in ("cut", "stall") else body)
        if how == "stall":
            server.stop.wait(10)

    def log_message(self, *args):
        pass


@pytest.fixture
def server(monkeypatch):
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.body = publish(monkeypatch, make_tar())
        server.script, server.requests, server.stop = [], [], threading.Event()
        server.url = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setenv("no_proxy", "*")
        monkeypatch.setattr(download, "SOURCES", (server.url + "/voc{year}/",))
        monkeypatch.setattr(download, "PAUSES", (0, 0))
        monkeypatch.setattr(download, "CHUNK", 512)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.stop.set()
        server.shutdown()
        thread.join()


def fails(kind, match, *args, **kwargs):
    """`download_voc` raises exactly this kind of error, in one line."""
    with pytest.raises(kind, match=match) as caught:
        download_voc(*args, **kwargs)
    assert sentence(caught)
    assert type(caught.value).__module__ == "builtins"  # not one of urllib, http or tarfile


def test_the_archive_is_downloaded_and_unpacked_and_nothing_else_stays(server, tmp_path):
    data = tmp_path / "new" / "data"
    folder = download_voc(data)
    assert folder == data / "VOCdevkit" / "VOC2009"
    assert snapshot(folder) == FILES
    assert [*data.iterdir()] == [data / "VOCdevkit"] and [*folder.parent.iterdir()] == [folder]
    assert server.requests == [("/voc2009/tiny.tar", None)]


def test_the_progress_is_shown_on_stderr(server, tmp_path, capsys):
    download_voc(tmp_path)
    out, err = capsys.readouterr()
    assert out == "" and NAME in err and "Unpacking VOC2009" in err


def test_a_second_call_makes_no_request_and_touches_nothing(server, tmp_path):
    folder = download_voc(tmp_path)
    times = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*")}
    assert download_voc(tmp_path) == folder
    assert download_voc(tmp_path, archive=tmp_path / "long gone.tar") == folder
    assert {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*")} == times
    assert len(server.requests) == 1


def test_a_cut_off_download_is_continued_where_it_stopped(server, tmp_path):
    server.script = ["cut"]
    assert snapshot(download_voc(tmp_path)) == FILES
    half = len(server.body) // 2
    assert [asked for _, asked in server.requests] == [None, f"bytes={half}-"]


def test_a_later_call_continues_the_part_file_of_a_failed_one(server, tmp_path):
    server.script = ["cut", 503, 503]
    fails(OSError, "503.*call again to continue.*mirror.*archive", tmp_path)
    half = len(server.body) // 2
    assert (tmp_path / "tiny.tar.part").read_bytes() == server.body[:half]
    assert snapshot(download_voc(tmp_path)) == FILES
    assert server.requests[-1][1] == f"bytes={half}-"


def test_a_connection_that_always_breaks_is_named_as_cut_off(server, tmp_path):
    server.script = ["cut"] * 3
    fails(OSError, r"cut off after \d+ of \d+ bytes", tmp_path)
    assert not (tmp_path / "VOCdevkit").exists()


def test_a_server_that_ignores_range_sends_everything_again(server, tmp_path):
    server.script = ["cut", "no range"]
    assert snapshot(download_voc(tmp_path)) == FILES
    assert len(server.requests) == 2


def test_a_part_file_longer_than_the_archive_is_downloaded_again(server, tmp_path):
    (tmp_path / "tiny.tar.part").write_bytes(server.body + b"too much")
    assert snapshot(download_voc(tmp_path)) == FILES
    asked = [asked for _, asked in server.requests]
    assert asked == [f"bytes={len(server.body) + 8}-", None]


def test_a_404_is_not_tried_again(server, tmp_path):
    server.script = [404]
    fails(OSError, "tiny.tar.*404.*mirror", tmp_path)
    assert len(server.requests) == 1


def test_a_500_is_tried_again(server, tmp_path):
    server.script = [500]
    assert snapshot(download_voc(tmp_path)) == FILES
    assert len(server.requests) == 2


def test_a_log_in_page_does_not_replace_what_is_already_there(server, tmp_path):
    (tmp_path / "tiny.tar.part").write_bytes(server.body[:700])
    server.script = ["page"] * 3
    archive, server.body = server.body, b"<html>" * 200
    fails(OSError, "web page", tmp_path)
    assert (tmp_path / "tiny.tar.part").read_bytes() == archive[:700]


@pytest.mark.parametrize("how", ["hang", "stall"])
def test_a_server_that_falls_silent_is_given_up_after_the_time_out(
    server, tmp_path, monkeypatch, how
):
    monkeypatch.setattr(download, "TIMEOUT", 0.3)
    monkeypatch.setattr(download, "PAUSES", ())
    server.script = [how]
    fails(OSError, "timed out; call again", tmp_path)
    assert snapshot(download_voc(tmp_path)) == FILES


def test_a_server_that_is_down_is_one_sentence(server, tmp_path):
    fails(OSError, "127.0.0.1.*call again", tmp_path, mirror="http://127.0.0.1:1")


def test_a_corrupted_download_is_deleted_and_both_md5s_are_named(server, tmp_path):
    good = server.body
    server.body = good[:-1] + b"x"
    found, expected = (hashlib.md5(body).hexdigest() for body in (server.body, good))
    fails(ValueError, f"tiny.tar: .*{found}, expected {expected}.*deleted", tmp_path)
    assert [*tmp_path.iterdir()] == []
    server.body = good
    assert snapshot(download_voc(tmp_path)) == FILES


def test_a_call_after_one_killed_while_unpacking_needs_no_new_download(server, tmp_path):
    (tmp_path / "tiny.tar.part").write_bytes(server.body)
    stale = tmp_path / "VOCdevkit" / "unpacking-VOC2009-abc" / "VOCdevkit" / "VOC2009"
    stale.mkdir(parents=True)
    folder = download_voc(tmp_path)
    assert snapshot(folder) == FILES
    assert server.requests == [] and [*folder.parent.iterdir()] == [folder]


def test_a_disk_full_while_unpacking_leaves_only_the_archive(server, tmp_path, monkeypatch):
    makefile, made = tarfile.TarFile.makefile, []

    def full(tar, member, path):
        if made:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)
        made.append(path)
        makefile(tar, member, path)

    with monkeypatch.context() as patch:
        patch.setattr(tarfile.TarFile, "makefile", full)
        fails(OSError, "No space left.*call again", tmp_path)
    assert made and [*(tmp_path / "VOCdevkit").iterdir()] == []
    assert snapshot(download_voc(tmp_path)) == FILES
    assert len(server.requests) == 1


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")
def test_a_disk_full_while_downloading_is_not_taken_for_a_bad_connection(server, tmp_path):
    (tmp_path / "tiny.tar.part").symlink_to("/dev/full")
    fails(OSError, "VOC2009 cannot be stored there .*No space left", tmp_path)
    assert len(server.requests) == 1


def test_files_that_vanish_while_unpacking_are_an_error(server, tmp_path, monkeypatch):
    def removed_by_another_call(tar, member, path):
        pass

    monkeypatch.setattr(tarfile.TarFile, "makefile", removed_by_another_call)
    monkeypatch.setattr(tarfile.TarFile, "chmod", lambda *args: None)
    monkeypatch.setattr(tarfile.TarFile, "utime", lambda *args: None)
    fails(ValueError, "holds no complete VOCdevkit/VOC2009", tmp_path)
    assert [*(tmp_path / "VOCdevkit").iterdir()] == []


def member(name, kind=tarfile.REGTYPE, target=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


@pytest.mark.parametrize(
    "bad",
    [
        member("../x"),
        member("VOCdevkit/../../x"),
        member("..\\x"),
        member("/abs"),
        member("C:\\x"),
        member("VOCdevkit/VOC2009/link", tarfile.SYMTYPE, "../../../.."),
        member("VOCdevkit/VOC2009/link", tarfile.SYMTYPE, "JPEGImages"),
        member("VOCdevkit/VOC2009/link", tarfile.LNKTYPE, "/etc/passwd"),
        member("VOCdevkit/VOC2009/tty", tarfile.CHRTYPE),
        member("VOCdevkit/VOC2009/pipe", tarfile.FIFOTYPE),
    ],
    ids=lambda bad: f"{bad.name} {bad.linkname}",
)
def test_an_archive_with_a_member_that_could_reach_outside_is_refused(tmp_path, monkeypatch, bad):
    tar = tmp_path / "bad.tar"
    tar.write_bytes(publish(monkeypatch, make_tar(extra=[bad])))
    data = tmp_path / "one" / "data"
    with pytest.raises(ValueError, match="link, a device or outside") as caught:
        download_voc(data, archive=tar)
    assert repr(bad.name) in str(caught.value)
    assert sorted(tmp_path.rglob("*")) == [tar, data.parent, data, data / "VOCdevkit"]


def test_a_mirror_may_be_a_folder_or_the_archive_itself(server, tmp_path):
    for i, mirror in enumerate(["/voc", "/voc/", "/voc/other.tar"]):
        assert snapshot(download_voc(tmp_path / str(i), mirror=server.url + mirror)) == FILES
    assert [path for path, _ in server.requests] == ["/voc/tiny.tar"] * 2 + ["/voc/other.tar"]


@pytest.mark.parametrize(
    "mirror", ["file:///etc", "ftp://a/b", "a/b", "", "http://a b", "http://é"]
)
def test_a_mirror_that_is_not_a_web_address_is_refused(tmp_path, mirror):
    fails(ValueError, "^mirror: found", tmp_path, mirror=mirror)
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize("mirror", ["http://[::1", "http://127.0.0.1:port"])
def test_a_malformed_web_address_is_one_sentence(server, tmp_path, mirror):
    fails(ValueError, "not a usable URL", tmp_path, mirror=mirror)


def test_a_local_archive_is_unpacked_and_kept(server, tmp_path):
    tar = tmp_path / "mine.tar"
    tar.write_bytes(server.body)
    before = tar.stat()
    assert snapshot(download_voc(tmp_path / "data", archive=str(tar))) == FILES
    assert tar.read_bytes() == server.body and tar.stat().st_mtime_ns == before.st_mtime_ns
    assert server.requests == []


def test_a_local_archive_with_another_md5_is_refused_and_kept(server, tmp_path):
    tar = tmp_path / "mine.tar"
    tar.write_bytes(b"other")
    found, expected = (hashlib.md5(body).hexdigest() for body in (b"other", server.body))
    message = f"mine.tar.*{found}, expected {expected}.*by hand"
    fails(ValueError, message, tmp_path / "data", archive=tar)
    assert snapshot(tmp_path) == {"mine.tar": b"other"}


def test_the_archive_of_2011_has_an_extra_folder(tmp_path, monkeypatch):
    tar = tmp_path / "2011.tar"
    tar.write_bytes(publish(monkeypatch, make_tar("TrainVal/VOCdevkit/VOC2011"), 2011))
    folder = download_voc(tmp_path, 2011, archive=tar)
    assert folder == tmp_path / "VOCdevkit" / "VOC2011" and snapshot(folder) == FILES
    assert not (tmp_path / "TrainVal").exists()


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"not a tar file", "not a complete tar file"),
        (b"", "not a complete tar file"),
        (make_tar()[:3000], "not a complete tar file"),
        (make_tar("VOCdevkit/VOC2008"), "holds no complete VOCdevkit/VOC2009"),
        (make_tar(files={"JPEGImages/a.jpg": b"a"}), "holds no complete VOCdevkit/VOC2009"),
    ],
    ids=["text", "empty", "truncated", "another year", "no masks"],
)
def test_an_archive_without_a_complete_data_set_is_refused(tmp_path, monkeypatch, body, message):
    tar = tmp_path / "odd.tar"
    tar.write_bytes(publish(monkeypatch, body))
    fails(ValueError, f"odd.tar.*{message}", tmp_path, archive=tar)
    assert [*(tmp_path / "VOCdevkit").iterdir()] == []


def test_an_incomplete_folder_is_an_error_and_left_untouched(server, tmp_path):
    folder = tmp_path / "VOCdevkit" / "VOC2009"
    (folder / "JPEGImages").mkdir(parents=True)
    (folder / "JPEGImages" / "mine.jpg").write_bytes(b"mine")
    fails(FileExistsError, "VOC2009: is incomplete.*ImageSets", tmp_path)
    assert snapshot(tmp_path) == {"VOCdevkit/VOC2009/JPEGImages/mine.jpg": b"mine"}
    assert server.requests == []


def test_data_that_is_a_file_is_an_error(server, tmp_path):
    (tmp_path / "data").write_bytes(b"mine")
    fails(ValueError, "data: is a file", tmp_path / "data")
    assert (tmp_path / "data").read_bytes() == b"mine"


@pytest.mark.parametrize("part", ["JPEGImages", "SegmentationClass"])
def test_a_data_set_that_lacks_a_listed_file_is_not_taken_for_complete(server, tmp_path, part):
    folder = download_voc(tmp_path)
    (lost,) = (folder / part).iterdir()
    lost.unlink()
    fails(FileExistsError, "VOC2009: is incomplete.*2009_000001", tmp_path)
    assert len(server.requests) == 1


def test_two_processes_do_not_download_to_the_same_place(server, tmp_path):
    with other_process_in(tmp_path):
        with pytest.raises(BlockingIOError, match="another process"):
            download_voc(tmp_path)
        assert server.requests == []
    assert snapshot(download_voc(tmp_path)) == FILES


def test_an_unknown_year_names_the_known_ones(tmp_path):
    fails(ValueError, "2013.*2007, 2008, 2009, 2010, 2011, 2012", tmp_path, year=2013)


def test_archive_and_mirror_together_are_an_error(tmp_path):
    fails(ValueError, "^archive, mirror: found both", tmp_path, archive="a.tar", mirror="http://a")


def test_an_archive_that_is_not_a_file_is_an_error(tmp_path):
    fails(FileNotFoundError, "^archive: .* is not a file", tmp_path, archive=tmp_path)


@pytest.fixture
def two_sources(server, monkeypatch):
    """Two sources on the server, asked once each: SERVER/a and SERVER/b."""
    monkeypatch.setattr(download, "SOURCES", (f"{server.url}/a", f"{server.url}/b/"))
    monkeypatch.setattr(download, "PAUSES", ())
    return server


@pytest.mark.parametrize("how", [404, 403, 500, "page", "wrong"])
def test_where_a_source_fails_the_next_one_is_asked(two_sources, tmp_path, how):
    two_sources.script = [how]
    assert snapshot(download_voc(tmp_path)) == FILES
    assert [path for path, _ in two_sources.requests] == ["/a/tiny.tar", "/b/tiny.tar"]


def test_what_came_from_one_source_is_continued_at_the_next(two_sources, tmp_path):
    two_sources.script = ["cut"]
    assert snapshot(download_voc(tmp_path)) == FILES
    half = len(two_sources.body) // 2
    assert two_sources.requests == [("/a/tiny.tar", None), ("/b/tiny.tar", f"bytes={half}-")]


def test_a_source_that_does_not_answer_is_left_for_the_next(two_sources, tmp_path, monkeypatch):
    with socket.socket() as closed:  # a port where nobody listens
        closed.bind(("127.0.0.1", 0))
        dead = f"http://127.0.0.1:{closed.getsockname()[1]}/a"
    monkeypatch.setattr(download, "SOURCES", (dead, f"{two_sources.url}/b"))
    assert snapshot(download_voc(tmp_path)) == FILES


def test_the_last_message_names_every_source(two_sources, tmp_path):
    two_sources.script = [404, 503]
    message = r"/a/tiny\.tar: HTTP error 404 .*/b/tiny\.tar: HTTP error 503 .*call again"
    fails(OSError, message, tmp_path)
    two_sources.script = ["wrong", 404]
    fails(ValueError, r"/a/tiny\.tar: is not the official archive .*/b/.*404", tmp_path)
    assert not [*tmp_path.glob("*.part")]


def test_the_sources_have_the_archives_under_their_official_names():
    for source in download.SOURCES:
        name = download.ARCHIVES[2012][0]
        url = download.archive_url(source.format(year=2012), name)
        assert url.startswith("http") and url.endswith(f"/{name}") and "{" not in url
    assert download.SOURCES[0].startswith("https://")
