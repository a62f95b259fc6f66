"""Images from the column of a catalogue to vectors: what is read and encoded when, and what not."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from recommender.artifacts.store import Artifact
from recommender.build.contents import catalogue_of
from recommender.build.image_steps import CENTRED_LEAST, KnownImages
from recommender.build.job import Job, pinned, pins_of
from recommender.build.repair import discard_damaged
from recommender.build.text_shards import SHARD, Ledger
from recommender.build.vector_steps import content_steps
from recommender.core.arrays import FloatMatrix
from recommender.core.telemetry import Progress, silent
from recommender.errors import ConfigError, DataError
from recommender.pipeline import read_and_planned
from recommender.settings.loading import load
from recommender.vectors.content.images import EncodedImages, ImageEncoder
from tests.support.builds import make
from tests.support.clip_model import encoded, picture, write_clip_model, write_picture
from tests.support.image_server import ImageServer, image_server
from tests.support.shop_files import orders, write_shop


class Shop:
    """A shop of a few items, whose images a test chooses."""

    def __init__(self, folder: Path, model: Path) -> None:
        self.folder, self.model = folder, model
        self.images: dict[str, str] = {}
        self.more: list[tuple[str, ...]] = []

    def job(self, *assignments: str, **parameters: object) -> Job:
        rows = [f"{item},Title {item},{image}" for item, image in self.images.items()]
        catalogue = "\n".join(["item_id,title,image", *rows]) + "\n"
        config = write_shop(
            self.folder, orders(tuple(self.images), *self.more), catalogue=catalogue
        )
        given = {"use": "images", "model": str(self.model), **parameters}
        table = ", ".join(f"{name} = {json.dumps(value)}" for name, value in given.items())
        return load(config, [f"recipe.content.images={{{table}}}", *assignments]).job()

    def build(self, *assignments: str, **parameters: object) -> Artifact:
        return make(self.job(*assignments, **parameters))[0]

    def vectors(self, **parameters: object) -> dict[str, FloatMatrix]:
        """The vector of each item in the build of the files as they are."""
        job = pinned(self.job(**parameters))
        read = read_and_planned(job).read
        step = content_steps(job, read, read.artifact().summary["documents"])["images"]
        matrix = step.artifact().columns("matrix")["matrix"]
        return dict(zip(catalogue_of(read.artifact()).ids.ids, matrix, strict=True))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip_model(tmp_path_factory.mktemp("clip"))


@pytest.fixture
def shop(tmp_path: Path, model: Path) -> Shop:
    return Shop(tmp_path, model)


@pytest.fixture
def server() -> Iterator[ImageServer]:
    with image_server() as served:
        for name, colour in (("a", (200, 0, 0)), ("b", (0, 0, 200)), ("c", (0, 150, 0))):
            served.put(f"/{name}.png", encoded(picture(colour)))
        yield served


@pytest.fixture
def n_encoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many pictures each call of the model was for."""
    counts: list[int] = []
    own = ImageEncoder._vectors

    def counted(*given: object) -> object:
        counts.append(len(given[1]))  # type: ignore[arg-type]
        return own(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(ImageEncoder, "_vectors", counted)
    return counts


class TestFaults:
    def test_they_are_counted_with_reason_and_example(
        self, shop: Shop, server: ImageServer
    ) -> None:
        write_picture(shop.folder / "d.png", picture((9, 9, 9)))
        (shop.folder / "e.png").write_bytes(b"nothing")
        shop.images = {
            "a": server.url + "/a.png",
            "b": server.url + "/gone.png?token=hidden",
            "c": server.url + "/gone.png?token=hidden",
            "d": "d.png",
            "e": "e.png",
            "f": "",
        }
        build = shop.build(private_addresses=True)
        report = build.summary["report"]
        assert report["without_vector"] == {"images": 4}
        missing, broken = report["images"]["images"]["faults"]
        assert report["images"]["images"]["without"] == 1
        assert (missing["reason"], missing["items"]) == ("HTTP 404", 2)
        assert missing["example"].startswith(f"{server.url}/gone.png?token=")
        assert "hidden" not in missing["example"]
        assert broken["example"] == "e.png of item e"
        assert broken["reason"].startswith("no picture in JPEG")

    def test_an_error_where_no_picture_can_be_had(self, shop: Shop) -> None:
        shop.images = {"a": "a.png", "b": "b.png", "c": ""}
        message = (
            r"content\.images: none of the pictures of 2 items can be had; most frequent: no such "
            r"file, such as [ab]\.png of item [ab]\. Correct catalogue\.columns\.image"
        )
        with pytest.raises(DataError, match=message):
            shop.build()
        write_picture(shop.folder / "a.png", picture((9, 9, 9)))
        assert shop.build().summary["report"]["without_vector"] == {"images": 2}

    def test_an_error_where_no_item_names_one(self, shop: Shop) -> None:
        shop.images = {"a": "", "b": ""}
        with pytest.raises(ConfigError, match=r"no item has a picture; set catalogue\.columns"):
            shop.build()

    def test_they_are_tried_again_in_the_next_build(self, shop: Shop, server: ImageServer) -> None:
        shop.images = {name: f"{server.url}/{name}.png" for name in "abcd"}
        shop.build(private_addresses=True)
        shop.more.append(("a", "d"))
        assert shop.build(private_addresses=True).summary["report"]["without_vector"] == {
            "images": 1
        }
        server.put("/d.png", encoded(picture((90, 90, 0))))
        shop.more.append(("b", "d"))
        assert shop.build(private_addresses=True).summary["report"]["without_vector"] == {
            "images": 0
        }
        assert dict(server.requests) == {"/a.png": 1, "/b.png": 1, "/c.png": 1, "/d.png": 3}


class TestCache:
    def test_an_unchanged_run_makes_nothing_and_a_new_item_is_read_alone(
        self, shop: Shop, server: ImageServer, n_encoded: list[int]
    ) -> None:
        shop.images = {name: f"{server.url}/{name}.png" for name in "ab"}
        shop.build(private_addresses=True)
        unchanged = shop.job(private_addresses=True)
        make(unchanged)
        assert all(c.reused for c in unchanged.stopwatch.costs if c.stage != "check inputs")
        shop.images["c"] = f"{server.url}/c.png"
        shop.build(private_addresses=True)
        assert dict(server.requests) == {"/a.png": 1, "/b.png": 1, "/c.png": 1}
        assert n_encoded == [2, 1]

    def test_a_picture_under_another_name_is_not_encoded_again(
        self, shop: Shop, server: ImageServer, n_encoded: list[int]
    ) -> None:
        shop.images = {name: f"{server.url}/{name}.png" for name in "abc"}
        shop.build(private_addresses=True)
        before = shop.vectors(private_addresses=True)
        shop.images["a"] += "?v=2"
        shop.images["d"] = f"{server.url}/b.png?v=2"
        shop.build(private_addresses=True)
        after = shop.vectors(private_addresses=True)
        assert n_encoded == [3]
        assert server.requests["/a.png"] == 2
        assert (after["a"] == before["a"]).all()
        assert (after["d"] == before["b"]).all()

    def test_a_file_that_was_replaced_is_read_again(self, shop: Shop) -> None:
        for name, shade in (("a", 10), ("b", 90)):
            write_picture(shop.folder / f"{name}.png", picture((shade, 0, 0)), modified=1)
        shop.images = {"a": "a.png", "b": "b.png"}
        shop.build()
        before = shop.vectors()
        write_picture(shop.folder / "a.png", picture((0, 250, 0)), modified=2)
        shop.more.append(("a", "b"))
        shop.build()
        after = shop.vectors()
        assert (after["b"] == before["b"]).all()
        assert (after["a"] != before["a"]).any()

    def test_a_run_that_was_killed_keeps_its_shards(
        self, shop: Shop, server: ImageServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        shop.images = {name: f"{server.url}/{name}.png" for name in "abc"}
        own = ImageEncoder.encode

        def killed(
            self: ImageEncoder, documents: list[str], known: KnownImages, progress: Progress
        ) -> EncodedImages:
            if len(documents) == 1:
                raise KeyboardInterrupt
            return own(self, documents, known, progress)

        with monkeypatch.context() as patch:
            patch.setattr(ImageEncoder, "encode", killed)
            with pytest.raises(KeyboardInterrupt):
                shop.build("limits.shard_texts=2", private_addresses=True)
        assert sum(server.requests.values()) == 2
        shop.build("limits.shard_texts=2", private_addresses=True)
        assert dict(server.requests) == {"/a.png": 1, "/b.png": 1, "/c.png": 1}

    def test_other_bounds_try_again_what_failed(self, shop: Shop, server: ImageServer) -> None:
        shop.images = {name: f"{server.url}/{name}.png" for name in "ab"}
        server.put("/b.png", encoded(picture((0, 0, 200))) + b"\0" * 5_000)
        small = shop.build(private_addresses=True, bytes_max=4_000)
        assert small.summary["report"]["without_vector"] == {"images": 1}
        large = shop.build(private_addresses=True)
        assert large.summary["report"]["without_vector"] == {"images": 0}
        assert server.requests["/a.png"] == 1

    def test_a_shard_that_was_damaged_is_made_again(self, shop: Shop, server: ImageServer) -> None:
        shop.images = {name: f"{server.url}/{name}.png" for name in "ab"}
        job = pinned(shop.job(private_addresses=True))
        make(job)
        ledger = Ledger(job.artifacts, pins_of(job).content["images"])
        (key,) = ledger.keys(ledger.end())
        job.artifacts.storage.remove(f"{job.artifacts.folder(SHARD[0], key)}/matrix.npy")
        job = pinned(shop.job(private_addresses=True))
        assert discard_damaged(read_and_planned(job).goal)
        shop.images["c"] = f"{server.url}/c.png"
        assert shop.build(private_addresses=True).summary["report"]["without_vector"] == {
            "images": 0
        }


class TestCentre:
    def test_vectors_are_relative_to_the_mean_of_all_pictures(self, shop: Shop) -> None:
        for place in range(CENTRED_LEAST):
            write_picture(shop.folder / f"{place}.png", picture((15 * place, 0, 240 - 15 * place)))
        shop.images = {f"i{place}": f"{place}.png" for place in range(CENTRED_LEAST)}
        shop.images |= {"again": "0.png", "none": "none.png"}
        shop.build()
        found = shop.vectors()
        assert (found["again"] == found["i0"]).all()
        assert not found["none"].any()
        own = np.stack([found[f"i{place}"] for place in range(CENTRED_LEAST)])
        assert np.linalg.norm(own, axis=1) == pytest.approx(1, abs=1e-5)
        cosines = own @ own.T
        assert float(cosines.mean()) < 0.3, "0.9 without a centre"

    def test_few_pictures_have_none(self, shop: Shop) -> None:
        write_picture(shop.folder / "a.png", picture((10, 0, 0)))
        shop.images = {"a": "a.png", "b": ""}
        shop.build()
        encoder = ImageEncoder(str(shop.model), beside=str(shop.folder))
        plain = encoder.embed(
            catalogue_of(read_and_planned(pinned(shop.job())).read.artifact()), silent
        )
        assert shop.vectors()["a"].tobytes() in {row.tobytes() for row in plain.matrix}
