"""Pictures of the fixture shop, from the catalogue to lists, explanations and refreshed items.

Each family of the shop has a ground and a shape in colours of its own. The CLIP model has random
weights, so only what survives a random projection can help: colours do.
"""

import csv
import itertools
import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from data_fixtures.small_shop import CATALOGUE_COLUMNS, generate
from recommender.build.contents import read_catalogue
from recommender.cli.main import run
from recommender.settings.loading import load
from tests.support.builds import make
from tests.support.clip_model import write_clip_model, write_picture
from tests.support.shop_files import SMALL_SHOP, write_small_shop

TRUTH = json.loads((SMALL_SHOP / "truth.json").read_text())
RED, GREEN, BLUE, YELLOW = (220, 30, 30), (30, 160, 40), (30, 60, 220), (240, 210, 30)
COLOURS = RED, GREEN, BLUE, YELLOW, (250, 250, 250), (20, 20, 20)
PAIRS = tuple(itertools.permutations(COLOURS, 2))
FAMILY = {item.item_id: item.family for item in generate().items}
FAMILIES = sorted(set(FAMILY.values()))
K = 10
SEEN = """
[[recipe.placements]]
name = "seen"
fusion = { use = "concatenation", weights = { images = 1.0 } }
candidates = ["nearest"]
ranker = "identity"
"""
BROKEN = "99000,Item 99000,,,,9.99,,true,pictures/gone.png\n"


def drawn(family: str, draw: random.Random) -> Image.Image:
    """A picture of an item of a family; no two are quite alike."""
    ground, shape = PAIRS[FAMILIES.index(family)]
    image = Image.new("RGB", (64, 48), ground)
    x, y = draw.randint(-4, 4), draw.randint(-3, 3)
    ImageDraw.Draw(image).rectangle((18 + x, 10 + y, 46 + x, 38 + y), fill=shape)
    return image


def write_shop(folder: Path, *, shuffled: bool = False, titled: bool = True) -> Path:
    """The fixture shop with a picture of each item, or with those of random other items.

    Without titles, items have no texts but their ids.
    """
    draw = random.Random(0)
    items = list(FAMILY)
    shown = dict(zip(items, draw.sample(items, len(items)) if shuffled else items, strict=True))
    for item in items:
        write_picture(folder / "pictures" / f"{item}.png", drawn(FAMILY[shown[item]], draw))
    with (SMALL_SHOP / "catalogue.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    nothing = dict.fromkeys(("description", "brand", "category"), "")
    with (folder / "catalogue.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, [*CATALOGUE_COLUMNS, "image"])
        writer.writeheader()
        for row in rows:
            item = row["item_id"]
            untitled = {} if titled else {"title": f"Item {item}", **nothing}
            writer.writerow(row | untitled | {"image": f"pictures/{item}.png"})
    config = write_small_shop(folder)
    given = json.dumps(str(SMALL_SHOP / "catalogue.csv"))
    config.write_text(config.read_text().replace(given, '"catalogue.csv"'))
    return config


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip_model(tmp_path_factory.mktemp("clip"))


def with_images(model: Path) -> str:
    return f"recipe.content.images={{use='images', model='{model}'}}"


def found_substitutes(config: Path, *assignments: str) -> float:
    """The share of what replaces a cold item that is among the first `K` of its list."""
    job = load(config, assignments).job()
    build, lists = make(job)
    ids, (related,) = read_catalogue(job.artifacts, build).ids, lists()
    shares = []
    for item in TRUTH["cold"]:
        first = {ids.ids[row] for row in related.of(ids.row(item)).rows[:K].tolist()}
        right = set(TRUTH["substitutes"][item])
        shares.append(len(first & right) / min(K, len(right)))
    return float(np.mean(shares))


@pytest.mark.parametrize(
    ("titled", "gain"), [pytest.param(True, 0.03, marks=pytest.mark.long), (False, 0.25)]
)
def test_they_help_cold_items(tmp_path: Path, model: Path, titled: bool, gain: float) -> None:
    config = write_shop(tmp_path, titled=titled)
    assert found_substitutes(config, with_images(model)) >= found_substitutes(config) + gain


def test_pictures_of_other_items_do_not_help(tmp_path: Path, model: Path) -> None:
    shuffled = write_shop(tmp_path, shuffled=True, titled=False)
    without = found_substitutes(shuffled)
    assert found_substitutes(shuffled, with_images(model)) <= without + 0.01


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory, model: Path) -> Path:
    """A shop with the placement `related` of all origins, and `seen` of pictures alone."""
    path = write_shop(tmp_path_factory.mktemp("shop"), titled=False)
    content = f'content.images = {{ use = "images", model = {json.dumps(str(model))} }}\n'
    text = path.read_text().replace("[recipe.interactions]", f"{content}[recipe.interactions]")
    path.write_text(f"{text}{SEEN}")
    with (path.parent / "catalogue.csv").open("a") as file:
        file.write(BROKEN)
    assert run(["reindex", "--config", str(path)]) == 0
    return path


class TestByName:
    def test_a_fusion_weighs_them(self, config: Path, capsys: pytest.CaptureFixture[str]) -> None:
        shares = []
        for item in TRUTH["cold"]:
            listed = shown(capsys, "related", item, "--placement", "seen", config=config)["items"]
            family = [FAMILY[one["id"]] == FAMILY[item] for one in listed[:8]]
            shares.append(sum(family) / 8)
            assert {one["evidence"] for one in listed} == {"text"}
        assert float(np.mean(shares)) > 0.6

    def test_explain_has_their_nearness(
        self, config: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        item = TRUTH["cold"][0]
        alike = min(set(TRUTH["substitutes"][item]) - set(TRUTH["cold"]))
        unlike = min(one for one in FAMILY if FAMILY[one] != FAMILY[item])
        cosines = {}
        for other in (alike, unlike):
            found = shown(capsys, "explain", item, other, config=config)["nearness"]
            by_origin = {one["origin"]: one for one in found}
            assert by_origin.keys() == {"text", "images", "behaviour"}
            assert by_origin["behaviour"]["cosine"] is None
            cosines[other] = by_origin["images"]["cosine"]
        assert cosines[alike] > 0.8 > cosines[unlike]
        broken = shown(capsys, "explain", item, "99000", config=config)["nearness"]
        assert {one["origin"]: one["cosine"] for one in broken}["images"] is None

    def test_the_run_reports_what_cannot_be_had(
        self, config: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert run(["reindex", "--force", "--config", str(config)]) == 0
        said = " ".join(capsys.readouterr().out.split())
        assert "1 without a vector in content.images" in said
        reason = "content.images: 1 items without a vector: no such file, such as pictures/gone.png"
        assert reason in said

    def test_a_refreshed_item_is_listed_by_its_picture(
        self, config: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        family = FAMILY[TRUTH["cold"][0]]
        write_picture(config.parent / "pictures" / "new.png", drawn(family, random.Random(7)))
        with (config.parent / "catalogue.csv").open("a") as file:
            file.write("99001,Item 99001,,,,9.99,,true,pictures/new.png\n")
        assert run(["refresh", "99001", "--config", str(config)]) == 0
        listed = shown(capsys, "related", "99001", "--placement", "seen", config=config)["items"]
        assert sum(FAMILY[one["id"]] == family for one in listed[:8]) > 4


def shown(capsys: pytest.CaptureFixture[str], *arguments: str, config: Path) -> dict[str, Any]:
    capsys.readouterr()
    assert run([*arguments, "--config", str(config), "--json"]) == 0
    answer: dict[str, Any] = json.loads(capsys.readouterr().out)
    return answer


def test_the_recipe_has_them_by_name(tmp_path: Path, model: Path) -> None:
    config = write_shop(tmp_path)
    text = config.read_text()
    config.write_text('recipe = "with-images"\n' + text[: text.index("[recipe]")])
    recipe = load(config, [f"recipe.content.images.model={model}"]).recipe.recipe()
    assert list(recipe.content) == ["text", "images"]
