"""The line as a library: what is reused, what is refused."""

from pathlib import Path

from tests.build.small_jobs import BASKETS, job, stages
from tests.support.builds import make
from tests.support.shop_files import orders, write_shop


def test_a_stage_runs_again_only_when_what_it_depends_on_changes(tmp_path: Path) -> None:
    write_shop(tmp_path, orders(*BASKETS))
    first = job(tmp_path)
    build, lists = make(first)
    assert not any(stages(first).values())
    again = job(tmp_path)
    assert make(again)[0].key == build.key
    assert stages(again).pop("check inputs") is False
    assert sum(stages(again).values()) == len(stages(again)) - 1
    other_text = job(tmp_path, "recipe.content.text.dimensions=32")
    assert make(other_text)[0].key != build.key
    assert stages(other_text)["read"]
    assert stages(other_text)["fit co-occurrence-svd"]
    assert not stages(other_text)["embed text"]
    assert not stages(other_text)["fuse gated"]
    assert len(lists()[0]) == 3


def test_two_runs_give_the_same_bytes(tmp_path: Path) -> None:
    write_shop(tmp_path / "one", orders(*BASKETS))
    write_shop(tmp_path / "two", orders(*BASKETS))
    key = "state.user_key=0123456789abcdef"
    for folder in ("one", "two"):
        make(job(tmp_path / folder, key))
    one, two = (
        {
            path.relative_to(tmp_path / folder): path.read_bytes()
            for path in (tmp_path / folder / ".recommender" / "artifacts").rglob("*")
            if path.is_file()
        }
        for folder in ("one", "two")
    )
    assert one == two
    assert len(one) > 20
