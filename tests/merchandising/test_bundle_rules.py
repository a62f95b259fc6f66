import pytest

from recommender.merchandising.rule_file import parsed
from recommender.merchandising.rule_set import BundleRules, RuleSet


def test_the_terms_are_read_as_they_are_written() -> None:
    text = (
        "bundles:\n  discount: 10%\n  min_score: 0.05\n  placement: with\n"
        "  categories: { Garden>Tools: 15 %, Kitchen: 0 }\n"
    )
    rules, faults = parsed(text)
    assert faults == ()
    assert rules.bundles == BundleRules(0.1, {"Garden > Tools": 0.15, "Kitchen": 0.0}, 0.05, "with")
    assert rules.bundles.line == 2
    assert rules.bundles.plain() == {
        "discount": 0.1,
        "min_score": 0.05,
        "placement": "with",
        "categories": {"Garden > Tools": 0.15, "Kitchen": 0.0},
    }


def test_what_is_not_written_is_not_said() -> None:
    rules, _ = parsed("rules:\nbundles: { discount: 0% }\n")
    assert rules.bundles is not None
    assert rules.bundles.plain() == {"discount": 0.0}
    assert parsed("rules:\n")[0].bundles is None


def test_terms_are_no_rules() -> None:
    """A discount that changes makes other answers, not other lists."""
    rules, _ = parsed("bundles: { discount: 10% }\n")
    assert rules.digest == RuleSet().digest


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("discount: ten", "line 2: discount 'ten' is no share; write it as 10% or 0.1"),
        ("discount: 110%", "discount '110%' is no share"),
        ("discount: nan", "discount 'nan' is no share"),
        ("discont: 10%", "line 2: unknown key 'discont'; did you mean 'discount'?"),
        ("categories: [a]", "categories is a table of"),
        ("categories: { A > B: 1%, A>B: 2% }", "A > B stands twice"),
        ("categories: { A: much }", "A 'much' is no share"),
        ("placement: [a]", "one value is expected here"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(text: str, reason: str) -> None:
    rules, faults = parsed(f"bundles:\n  {text}\n")
    assert rules.bundles is None
    assert reason in str(faults[0])
