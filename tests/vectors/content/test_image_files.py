"""Pictures behind paths and URLs, of which none is trusted."""

import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from recommender.errors import MissingExtra
from recommender.vectors.content import image_files
from recommender.vectors.content.image_files import MAX_REDIRECTS, ImageFault, ImageFiles
from tests.support.image_server import ImageServer, image_server

CONTENT = b"\x89PNG and so on"


def files(
    beside: Path | str = "",
    folder: str = "",
    bytes_max: int = 100_000,
    seconds_max: float = 20.0,
    *,
    private_addresses: bool = True,
) -> ImageFiles:
    return ImageFiles(folder, str(beside), bytes_max, seconds_max, private_addresses)


def fault(reader: ImageFiles, reference: str) -> str:
    with pytest.raises(ImageFault) as raised:
        reader.read(reference)
    return str(raised.value)


@pytest.fixture(scope="module")
def server() -> Iterator[ImageServer]:
    with image_server() as served:
        yield served


class TestPaths:
    def test_relative_ones_start_beside_the_catalogue(self, tmp_path: Path) -> None:
        (tmp_path / "one two.png").write_bytes(CONTENT)
        reader = files(tmp_path)
        path = tmp_path / "one two.png"
        for reference in ("one two.png", str(path), path.as_uri()):
            assert reader.read(reference) == CONTENT

    def test_with_a_folder_all_lie_below_it(self, tmp_path: Path) -> None:
        (tmp_path / "media" / "m").mkdir(parents=True)
        (tmp_path / "media" / "m" / "a.png").write_bytes(CONTENT)
        (tmp_path / "secret.png").write_bytes(CONTENT)
        (tmp_path / "media" / "link.png").symlink_to(tmp_path / "secret.png")
        reader = files(folder=str(tmp_path / "media"))
        assert reader.read("/m/a.png") == CONTENT
        assert fault(reader, "../secret.png") == "a path outside of the folder"
        assert fault(reader, "link.png") == "a path outside of the folder"
        assert fault(reader, str(tmp_path / "secret.png")) == "no such file"

    @pytest.mark.parametrize("reference", ["none.png", "folder", "a\x00b.png", "pipe"])
    def test_what_is_no_file_is_a_fault(self, tmp_path: Path, reference: str) -> None:
        (tmp_path / "folder").mkdir()
        os.mkfifo(tmp_path / "pipe")
        assert "file" in fault(files(tmp_path), reference)

    def test_a_file_that_is_too_large_is_a_fault(self, tmp_path: Path) -> None:
        (tmp_path / "a.png").write_bytes(b"x" * 11)
        assert fault(files(tmp_path, bytes_max=10), "a.png") == "more than 10 bytes"
        assert files(tmp_path, bytes_max=11).read("a.png") == b"x" * 11

    def test_the_state_changes_with_the_file(self, tmp_path: Path) -> None:
        path, reader = tmp_path / "a.png", files(tmp_path)
        assert reader.state("a.png") == ""
        path.write_bytes(CONTENT)
        before = reader.state("a.png")
        os.utime(path, ns=(1, 1))
        assert "" != before != reader.state("a.png")
        assert reader.state("https://x.example/a.png") == ""

    def test_nothing_named(self) -> None:
        assert fault(files(), "") == "no picture is named"


class TestOtherFileSystems:
    def test_their_urls_are_read(self, tmp_path: Path) -> None:
        with fsspec.open("memory://pictures/a.png", "wb") as file:
            file.write(CONTENT)
        assert files().read("memory://pictures/a.png") == CONTENT
        assert files("memory://pictures").read("a.png") == CONTENT
        assert files(folder="memory://pictures").read("/a.png") == CONTENT
        assert fault(files(), "memory://pictures/none.png") == "no such file"
        assert fault(files(bytes_max=3), "memory://pictures/a.png") == "more than 3 bytes"

    def test_chains_and_unknown_schemes_are_faults(self) -> None:
        assert fault(files(), "simplecache::http://127.0.0.1/a.png") == "no such file"
        assert fault(files(), "zip://a.png::http://127.0.0.1/b.zip") == "a chain of URLs"
        assert fault(files(), "nonsense://a.png") == "nonsense://: ValueError"

    def test_a_package_that_is_missing_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "s3fs", None)
        with pytest.raises(MissingExtra, match=r"recommender\[s3\]"):
            files().read("s3a://bucket/a.png")


class TestDownloads:
    def test_a_picture_arrives(self, server: ImageServer) -> None:
        url = server.put("/a b.png", CONTENT)
        assert files().read(url) == CONTENT
        assert files(server.url).read("a b.png?width=300&x=ä") == CONTENT
        assert files(f"{server.url}/feeds").read("/a b.png") == CONTENT
        assert files(folder=f"{server.url}/").read("/a b.png") == CONTENT

    @pytest.mark.parametrize("kind", ["image/jpeg; q=1", "application/octet-stream", ""])
    def test_types_of_pictures_or_none(self, server: ImageServer, kind: str) -> None:
        assert files().read(server.put("/typed.png", CONTENT, kind)) == CONTENT

    def test_redirects_are_followed(self, server: ImageServer) -> None:
        server.put("/target.png", CONTENT)
        server.redirect("/second", "/target.png")
        url = server.redirect("/first", f"{server.url}/second")
        assert files().read(url) == CONTENT

    def test_bad_answers_are_faults(self, server: ImageServer) -> None:
        reader = files(bytes_max=100)
        bad = {
            "HTTP 404": server.url + "/none.png",
            "HTTP 500": server.answer("/error", 500, {}),
            "content type text/html": server.put("/page", b"<html>", "text/html; charset=x"),
            "more than 100 bytes": server.put("/large.png", b"x" * 101),
            "an answer that is cut off": server.answer("/cut", 200, {"Content-Length": "9"}, b"x"),
            f"more than {MAX_REDIRECTS} redirects": server.redirect("/loop", "/loop"),
            "a malformed URL": "http://[oops/a.png",
            "ConnectionRefusedError": f"http://127.0.0.1:{free_port()}/a.png",
        }
        assert {reason: fault(reader, url) for reason, url in bad.items()} == {
            reason: reason for reason in bad
        }
        assert server.requests["/loop"] == MAX_REDIRECTS + 1

    def test_a_body_without_a_length_is_bounded(self, server: ImageServer) -> None:
        assert fault(files(), server.url + "/endless") == "more than 100,000 bytes"

    def test_a_body_that_does_not_end_in_time_is_a_fault(self, server: ImageServer) -> None:
        url = server.put("/slow", b"x" * 100)
        assert fault(files(seconds_max=0.3), url) == "no whole answer within 0.3 s"

    @pytest.mark.parametrize("target", ["file:///etc/hostname", "ftp://127.0.0.1/a", "memory://a"])
    def test_a_redirect_to_another_scheme_is_a_fault(
        self, server: ImageServer, target: str
    ) -> None:
        url = server.redirect("/elsewhere", target)
        assert fault(files(), url) == "a redirect to another scheme"


class TestAddresses:
    def test_private_ones_are_refused_unless_allowed(self, server: ImageServer) -> None:
        url = server.put("/private.png", CONTENT)
        reader = files(private_addresses=False)
        assert fault(reader, url).startswith("a private address")
        assert fault(reader, url.replace("127.0.0.1", "localhost")).startswith("a private address")
        assert "/private.png" not in server.requests

    @pytest.mark.parametrize(
        ("address", "public"),
        [
            ("93.184.215.14", True),
            ("2606:4700::1111", True),
            ("10.0.0.1", False),
            ("100.64.0.1", False),
            ("224.0.0.1", False),
            ("::1", False),
            ("::ffff:127.0.0.1", False),
            ("fd00::1", False),
        ],
    )
    def test_which_are_public(
        self, monkeypatch: pytest.MonkeyPatch, address: str, public: bool
    ) -> None:
        tried: list[object] = []

        def refuse(place: tuple[str, int], *_: object) -> None:
            tried.append(place[0])
            raise ConnectionRefusedError

        monkeypatch.setattr(socket, "create_connection", refuse)
        shown = f"[{address}]" if ":" in address else address
        fault(files(private_addresses=False), f"http://{shown}/a.png")
        assert bool(tried) == public

    def test_those_of_metadata_are_never_asked(self) -> None:
        reason = fault(files(private_addresses=True), "http://169.254.169.254/latest")
        assert reason == "a link-local or metadata address"

    def test_those_of_redirects_are_checked_too(
        self, server: ImageServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(image_files, "_is_public", lambda place: place == "127.0.0.1")
        url = server.redirect("/inside", server.url.replace("127.0.0.1", "127.0.0.2") + "/a.png")
        assert fault(files(private_addresses=False), url).startswith("a private address")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
