from recommender.core.scripts import script_shares


def test_scripts_of_letters_alone_the_largest_first() -> None:
    assert script_shares(["Wok 12!", "", "鍋"]) == {"LATIN": 0.75, "CJK": 0.25}
    assert [*script_shares(["Нож", "ab"])] == ["CYRILLIC", "LATIN"]
    assert script_shares(["12 €", ""]) == {}
