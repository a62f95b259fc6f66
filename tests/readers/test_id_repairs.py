import pytest

from recommender.readers.id_repairs import IdRepairs, by_folded_case


def test_by_default_ids_stay_as_they_are() -> None:
    texts = ["00123", "NA", "1e5", "4001.0", ""]
    assert IdRepairs().repaired(texts, {"na": "Na"}) == (tuple(texts), [""] * 5)


@pytest.mark.parametrize(
    ("repairs", "text", "value", "change"),
    [
        (IdRepairs(strip_suffix=".0"), "4001.0", "4001", "suffix removed"),
        (IdRepairs(strip_suffix=".0"), ".0", ".0", "suffix removed"),
        (IdRepairs(pad=6), "1", "000001", "zeros added"),
        (IdRepairs(pad=6), "A1", "A1", ""),
        (IdRepairs(strip_suffix=".0", pad=4), "7.0", "0007", "suffix removed, zeros added"),
        (IdRepairs(fold_case=True), "p1", "P1", "case folded"),
        (IdRepairs(extract=".*/(.+)"), "gid://shop/42", "42", "extracted"),
        (IdRepairs(extract=".*/(.+)"), "42", "42", ""),
    ],
)
def test_repairs(repairs: IdRepairs, text: str, value: str, change: str) -> None:
    values, changes = repairs.repaired([text], {"p1": "P1"})
    assert values == (value,)
    assert changes == [f"item id: {change}" if change else ""]


def test_ids_that_differ_only_in_case_are_not_folded() -> None:
    assert by_folded_case(["P1", "a", "A", "P1"]) == {"p1": "P1"}


@pytest.mark.parametrize("values", [{"pad": -1}, {"extract": "x"}, {"extract": "("}])
def test_a_wrong_setting_is_named(values: dict[str, int | str]) -> None:
    with pytest.raises(ValueError, match=f"ids.{next(iter(values))}"):
        IdRepairs(**values)  # type: ignore[arg-type]
