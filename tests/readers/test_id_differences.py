"""What ids that do not meet differ in, as the message of the join says it."""

import pytest

from recommender.errors import DataError
from recommender.readers.joining import require_joined
from tests.readers.test_joining import join_of

CAUSES = [
    (["4001.0"], ["4001"], "'4001.0' against '4001'", "ids = { strip_suffix = '.0' }"),
    (["1", "20"], ["000001", "000020"], "lost the zeros", "ids = { pad = 6 }"),
    (["1.0"], ["000001"], "'1.0' against '000001'", "{ strip_suffix = '.0', pad = 6 }"),
    (["0042"], ["42"], "the catalogue lost the zeros", "catalogue.ids = { pad = 4 }"),
    (["p1"], ["P1"], "differ in case: 'p1' against 'P1'", "ids = { fold_case = true }"),
    (["P1|P2"], ["P1", "P2", "P3"], "'P1|P2' against 'P1'", "ids = { split = '|' }"),
    (["4.00638E+12"], ["4006381333931"], "a spreadsheet wrote ids as rounded", ""),
    (["00000401"], ["401.0"], "end in .0, and differ", "{ strip_suffix = '.0', pad = 8 }"),
    (["S1|P4|EU"], ["P4"], "one of several fields: 'S1|P4|EU'", "ids = { extract = '"),
    (["SKU401"], ["401"], "'SKU401' against '401'", "ids = { extract = '\\D+(\\d.*)' }"),
    (["https://a.example/p/P4?ref=1"], ["P4"], "against 'P4'", "{ extract = '.*/([^/?#]+)' }"),
    (["P4"], ["'P4'"], "the catalogue have something around them", "catalogue.ids = { extract"),
    (["P4"], ["\u200bP4"], "the catalogue have something around them", "catalogue.ids = { extract"),
    (["KN0401"], ["KN-0401"], "differ in marks, zeros or case: export them alike", ""),
    (["4006381333931"], ["4.00638E+12"], "wrote ids of the catalogue as rounded", ""),
    (['[{"sku": "P1", "n": 1}, {"sku": "P2"}]'], ["P1", "P2"], "as JSON", "{ split = '{', extract"),
    (["gid://shop/42"], ["42"], "'gid://shop/42' against '42'", "ids = { extract = '"),
]


@pytest.mark.fault(76)
@pytest.mark.parametrize(("sold", "listed", "what", "setting"), CAUSES)
def test_the_likely_cause_is_shown_with_examples_and_the_setting(
    sold: list[str], listed: list[str], what: str, setting: str
) -> None:
    join = join_of(sold, listed)
    (cause,) = join.causes
    assert what in str(cause)
    assert setting in str(cause)
    assert cause.events == len(sold)
    with pytest.raises(DataError, match="interactions does not fit the catalogue: 0 of"):
        require_joined([join], 0.1, lambda _: "")


@pytest.mark.parametrize("sold", ["P9", "12", "knife-7"])
def test_ids_that_are_in_no_catalogue_have_no_cause(sold: str) -> None:
    assert join_of([sold], ["P4", "W-1", "31"]).causes == ()
