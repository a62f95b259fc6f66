"""A job: what is pinned when a run of it begins."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from recommender.artifacts.runs import Run
from recommender.build.job import (
    forgotten_of,
    pinned,
    pins_of,
    resumed,
    text_encoders,
    with_content_pinned,
)
from recommender.core.recipe import Choice
from recommender.errors import ArtifactError, ConfigError
from recommender.settings.loading import load
from tests.build.small_jobs import BASKETS, RULES, job, lists_by_item, with_rules
from tests.support.builds import make
from tests.support.shop_files import orders, write_shop, write_small_shop


def test_rules_are_those_of_the_day_on_which_a_run_begins(tmp_path: Path) -> None:
    write_shop(tmp_path, orders(*BASKETS, ("c", "d")))
    (tmp_path / "rules.yaml").write_text(RULES)
    spring = lists_by_item(with_rules(tmp_path, "2026-05-31"))
    assert not any("b" in rows for rows in spring.values())
    june = lists_by_item(with_rules(tmp_path, "2026-06-15"))
    assert not any("b" in rows for rows in june.values())
    assert june["a"][0] == "c"
    summer = lists_by_item(with_rules(tmp_path, "2026-07-01"))
    assert "b" in summer["a"]
    assert summer["a"][0] == "c"
    assert lists_by_item(job(tmp_path))["a"] != summer["a"]


def test_who_goes_on_with_a_run_applies_the_rules_of_its_first_day(tmp_path: Path) -> None:
    write_shop(tmp_path, orders(*BASKETS))
    (tmp_path / "rules.yaml").write_text(RULES)
    begun = pinned(with_rules(tmp_path, "2026-05-01"))
    assert begun.pins is not None
    run = Run("acme", 1, "running", {}, json.loads(json.dumps(asdict(begun.pins))))
    worker = resumed(job(tmp_path, "merchandising.rules=rules.yaml"), run)
    assert make(worker)[0].key == make(begun)[0].key


def test_pins_of_a_run_of_the_version_before_are_understood(tmp_path: Path) -> None:
    made = pinned(load(write_small_shop(tmp_path)).job())
    assert made.pins is not None
    pins = json.loads(json.dumps(asdict(made.pins)))
    (encoder,), (end,) = pins.pop("content").values(), pins.pop("ledger_ends").values()
    old = Run("acme", 1, "running", {}, pins | {"encoder": encoder, "ledger_end": end})
    assert resumed(made, old).pins == made.pins


def test_a_job_without_pins_is_not_planned(tmp_path: Path) -> None:
    write_shop(tmp_path, orders(*BASKETS))
    with pytest.raises(ArtifactError, match="a job is planned once it is pinned"):
        pins_of(job(tmp_path))


def test_pins_stay_whatever_happens_to_the_files(tmp_path: Path) -> None:
    write_shop(tmp_path, orders(*BASKETS))
    begun = pinned(job(tmp_path))
    (tmp_path / "orders.csv").write_text(orders(*BASKETS, ("a", "c")))
    assert pinned(begun) is begun
    assert with_content_pinned(begun) is begun
    assert pinned(job(tmp_path)).pins != begun.pins


def test_who_reads_no_files_pins_content_alone(tmp_path: Path) -> None:
    write_shop(tmp_path, orders(*BASKETS))
    whole = pins_of(pinned(job(tmp_path)))
    (tmp_path / "orders.csv").unlink()
    content = pins_of(with_content_pinned(job(tmp_path)))
    assert not content.inputs
    assert (content.content, content.ledger_ends) == (whole.content, whole.ledger_ends)
    assert list(content.content) == ["text"]


def test_without_valid_rules_a_day_is_pinned_and_no_digest(tmp_path: Path) -> None:
    write_shop(tmp_path, orders(*BASKETS))
    (tmp_path / "rules.yaml").write_text(RULES)
    pins = [pins_of(pinned(with_rules(tmp_path, day))) for day in ("2026-06-15", "2026-07-01")]
    assert len({one.rules for one in pins}) == 2
    (tmp_path / "rules.yaml").write_text("rules: []")
    none = pins_of(pinned(with_rules(tmp_path, "2026-06-15")))
    assert (none.rules, none.rules_on) == ("", "2026-06-15")
    plain = pins_of(pinned(job(tmp_path)))
    assert (plain.rules, plain.rules_on) == ("", "")


def test_users_that_are_forgotten_later_do_not_count_in_a_run(tmp_path: Path) -> None:
    write_shop(tmp_path, orders(*BASKETS))
    begun = pinned(job(tmp_path))
    forgotten_of(begun).add(["customer-0"])
    assert pins_of(begun).forgotten_end == 0
    assert pins_of(pinned(job(tmp_path))).forgotten_end == 1


@pytest.mark.fault(47)
def test_another_model_than_the_pinned_one_is_refused(tmp_path: Path) -> None:
    write_shop(tmp_path, orders(*BASKETS))
    encoder = text_encoders(pinned(job(tmp_path)))["text"]
    assert encoder.encoder().fingerprint() == encoder.ledger.encoder
    other = replace(encoder, choice=Choice("hashing", {"dimensions": 32}))
    with pytest.raises(ConfigError, match=r"recipe\.content\.text: the model here is .*; install"):
        other.encoder()
