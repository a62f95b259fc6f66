"""Pictures as a model sees them, and their vectors."""

import dataclasses
import importlib.util
import io
import logging
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from recommender.core.arrays import FloatMatrix
from recommender.core.catalogue import Catalogue
from recommender.core.ids import ItemIds
from recommender.core.telemetry import silent
from recommender.errors import ConfigError, MissingExtra
from recommender.vectors.content import images, model_folder
from recommender.vectors.content.image_files import ImageFault
from recommender.vectors.content.images import BATCH, LONGEST, SHORT_SIDE, ImageEncoder, picture_of
from tests.support.clip_model import encoded, picture, write_clip_model, write_picture

RED, BLUE = (200, 30, 30), (20, 40, 210)
PIXELS = 50_000_000


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip_model(tmp_path_factory.mktemp("clip"))


def with_images(*references: str) -> Catalogue:
    ids = ItemIds(tuple(f"i{place}" for place in range(len(references))))
    return dataclasses.replace(Catalogue.of_titles(ids, ("",) * len(ids)), image=references)


def fault(content: bytes, pixels_max: int = PIXELS) -> str:
    with pytest.raises(ImageFault) as raised:
        picture_of(content, pixels_max)
    return str(raised.value)


def png_header(width: int, height: int) -> bytes:
    """A PNG file that says how large it is, and has next to nothing."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        )

    size = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = chunk(b"IDAT", zlib.compress(b"\0" * 1000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + rows + chunk(b"IEND", b"")


class TestPictures:
    @pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP"])
    def test_formats_of_the_web(self, kind: str) -> None:
        made = picture_of(encoded(picture(RED), kind), PIXELS)
        assert (made.mode, made.size) == ("RGB", (64, 48))
        red, green, _ = np.asarray(made)[24, 30].tolist()
        assert red > 150 > 100 > green

    def test_what_is_transparent_is_white(self) -> None:
        clear = Image.new("RGBA", (40, 40), (0, 0, 0, 0))
        assert picture_of(encoded(clear), PIXELS).getpixel((5, 5)) == (255, 255, 255)
        palette = Image.new("P", (40, 40), 0)
        palette.info["transparency"] = 0
        assert picture_of(encoded(palette, "GIF"), PIXELS).getpixel((5, 5)) == (255, 255, 255)

    def test_the_turn_of_a_camera_is_undone(self) -> None:
        stream, exif = io.BytesIO(), Image.Exif()
        exif[0x0112] = 6
        picture(RED).save(stream, "JPEG", exif=exif)
        assert picture_of(stream.getvalue(), PIXELS).size == (48, 64)

    def test_large_ones_are_reduced_and_long_ones_cut(self) -> None:
        wide = picture_of(encoded(Image.new("RGB", (4000, 3000)), "JPEG"), PIXELS)
        assert SHORT_SIDE <= min(wide.size) < 2 * SHORT_SIDE
        long = Image.new("RGB", (10_000, 10), RED)
        long.paste(BLUE, (4990, 0, 5010, 10))
        cut = picture_of(encoded(long), PIXELS)
        assert cut.size == (10 * LONGEST, 10)
        assert cut.getpixel((5 * LONGEST, 5)) == BLUE, "the middle"

    def test_too_many_pixels_are_not_decoded(self) -> None:
        assert fault(encoded(picture(RED)), 64 * 48 - 1) == "more than 3,071 pixels"
        assert fault(png_header(8_000, 8_000)) == "more than 50,000,000 pixels"
        assert fault(png_header(60_000, 60_000)) == "more than 50,000,000 pixels"

    def test_what_cannot_be_decoded_is_a_fault(self) -> None:
        whole = encoded(Image.effect_noise((64, 64), 90))
        assert fault(whole[: len(whole) // 2]) == "a picture that is broken"
        assert fault(png_header(40, 40)) == "a picture that is broken"
        assert fault(b"<svg xmlns='http://www.w3.org/2000/svg'/>").startswith("no picture in JPEG")
        assert fault(b"").startswith("no picture in JPEG")
        assert fault(encoded(picture(RED), "TIFF")).startswith("no picture in JPEG")


class TestEncoder:
    def test_equal_pictures_have_equal_vectors(self, model: Path, tmp_path: Path) -> None:
        for name, colour in (("a", RED), ("b", BLUE), ("c", RED)):
            write_picture(tmp_path / f"{name}.png", picture(colour))
        encoder = ImageEncoder(str(model), beside=str(tmp_path))
        made = encoder.embed(with_images("a.png", "b.png", "c.png", "", "none.png"), silent)
        assert made.support.tolist() == [1, 1, 1, 0, 0]
        assert (made.matrix[0] == made.matrix[2]).all()
        assert float(made.matrix[0] @ made.matrix[1]) < 0.99

    def test_faults_are_logged(
        self, model: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        encoder = ImageEncoder(str(model), beside=str(tmp_path))
        with caplog.at_level(logging.WARNING):
            encoder.embed(with_images("none.png", "other.png", ""), silent)
        assert "reason='no such file' images=2" in caplog.text
        assert "no picture is named" not in caplog.text

    def test_contents_are_encoded_once_and_known_ones_not_at_all(
        self, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for place in range(2 * BATCH + 3):
            write_picture(tmp_path / f"{place}.png", picture((7 * (place // 2), 0, 99)))
        encoder = ImageEncoder(str(model), beside=str(tmp_path))
        documents = encoder.documents(with_images(*(f"{n}.png" for n in range(2 * BATCH + 3))))
        seen: list[int] = []
        own = ImageEncoder._vectors

        def counted(encoder: ImageEncoder, pictures: Sequence[Image.Image]) -> FloatMatrix:
            seen.append(len(pictures))
            return own(encoder, pictures)

        monkeypatch.setattr(ImageEncoder, "_vectors", counted)
        first = encoder.encode(documents, (), silent)
        assert sum(seen) == BATCH + 2 == len(set(first.contents))
        assert first.fresh.all()
        assert first.matrix.any(axis=1).all()
        known = set(first.contents) - {first.contents[-1]}
        again = encoder.encode(documents, known, silent)
        assert sum(seen) == BATCH + 3
        assert again.contents == first.contents
        assert np.flatnonzero(again.fresh).tolist() == [2 * BATCH + 2]
        assert (again.matrix[-1] == first.matrix[-1]).all()
        assert not again.matrix[:-1].any()

    def test_documents_change_with_files_and_version(self, model: Path, tmp_path: Path) -> None:
        path = write_picture(tmp_path / "a.png", picture(RED))
        items = with_images("a.png", "https://x.example/a.png", "")
        encoder = ImageEncoder(str(model), beside=str(tmp_path))
        file, url, none = encoder.documents(items)
        assert none == ""
        write_picture(path, picture(BLUE), modified=12)
        changed, same, _ = encoder.documents(items)
        assert changed != file
        assert same == url
        other = ImageEncoder(str(model), beside=str(tmp_path), version="2")
        assert other.documents(items)[1] != url

    def test_an_attribute_may_be_the_column(self, model: Path) -> None:
        items = dataclasses.replace(with_images(""), attributes={"photo": ("x.png",)})
        (document,) = ImageEncoder(str(model), column="photo").documents(items)
        assert document.startswith("x.png")
        with pytest.raises(ConfigError, match=r"column = 'pic': .*attributes: photo"):
            ImageEncoder(str(model), column="pic").documents(items)

    @pytest.mark.parametrize(
        "parameters",
        [{"model": ""}, {"column": ""}, {"bytes_max": 0}, {"connections": 0}, {"seconds_max": 0.0}],
    )
    def test_values_out_of_range_are_refused(self, parameters: dict[str, Any]) -> None:
        (name,) = parameters
        with pytest.raises(ConfigError, match=f"images: {name}"):
            ImageEncoder(**parameters)


class TestModels:
    def test_the_fingerprint_covers_the_files(self, model: Path, tmp_path: Path) -> None:
        other = write_clip_model(tmp_path / "clip", seed=1)
        prints = {ImageEncoder(str(one)).fingerprint() for one in (model, other)}
        assert len(prints) == 2
        assert ImageEncoder(str(model), bytes_max=9).fingerprint() in prints

    def test_a_model_of_texts_alone_is_refused(
        self, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class TextModel:
            modalities = ("text",)

        monkeypatch.setattr(model_folder, "load", lambda *_: TextModel())
        images._loaded.cache_clear()
        with pytest.raises(ConfigError, match=r"encodes text, not images; name a CLIP model"):
            ImageEncoder(str(model)).embed(with_images(""), silent)

    def test_a_model_that_is_not_here_is_named(self) -> None:
        with pytest.raises(ConfigError, match=r"clip-none.* is not on this machine"):
            ImageEncoder("clip-none").fingerprint()

    def test_without_pillow_the_extra_is_named(
        self, model: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        found = importlib.util.find_spec
        monkeypatch.setattr(
            importlib.util, "find_spec", lambda name: None if name == "PIL" else found(name)
        )
        with pytest.raises(MissingExtra, match=r"pip install 'recommender\[images\]'"):
            ImageEncoder(str(model)).fingerprint()
        with pytest.raises(MissingExtra, match=r"pip install 'recommender\[images\]'"):
            ImageEncoder(str(model)).embed(with_images(""), silent)
