import json

from hypothesis import given
from hypothesis import strategies as st

from recommender.core.related import EVIDENCE, Evidence, RelatedItem, RelatedList
from recommender.service.answers import BundleAnswer, RelatedAnswer
from recommender.service.responses import (
    bundle_json,
    error_response,
    etag,
    in_language,
    json_response,
    with_token,
    without_token,
)
from recommender.serving.bundles import Bundle


def test_an_answer_is_not_kept_unless_that_is_said() -> None:
    assert json_response("{}").headers["cache-control"] == "no-store"
    kept = json_response("{}", {"cache-control": "public"})
    assert (kept.headers["cache-control"], kept.media_type) == ("public", "application/json")


def test_only_who_is_to_come_later_is_told_when() -> None:
    busy, refused = error_response(503, "busy"), error_response(400, "n: give a number")
    assert (busy.headers["retry-after"], "retry-after" in refused.headers) == ("1", False)
    assert json.loads(bytes(refused.body)) == {"detail": "n: give a number"}


def test_a_wait_is_told_in_whole_seconds() -> None:
    assert error_response(429, "often", retry_after_s=0.01).headers["retry-after"] == "1"
    assert error_response(429, "often", retry_after_s=6.2).headers["retry-after"] == "7"


@given(item=st.text(max_size=9), entry=st.text(max_size=9), evidence=st.sampled_from(EVIDENCE))
def test_a_list_is_the_json_of_its_model(item: str, entry: str, evidence: Evidence) -> None:
    answer = RelatedList(item, "related", 7, "ok", (RelatedItem(entry, 0.25, evidence),), "t")
    written = with_token(without_token(answer), answer)
    assert written.isascii()
    shown = json.loads(written)
    assert RelatedAnswer.model_validate(shown, strict=True).items[0].id == entry
    assert {*shown, "dropped", "heading"} == set(RelatedAnswer.model_fields)
    assert (shown["item"], shown["token"], shown["items"][0]["score"]) == (item, "t", 0.25)


def test_headings_and_new_items_are_shown_where_there_are_some() -> None:
    items = (RelatedItem("a", 0.5, "both"), RelatedItem("b", 0.25, "rule"))
    answer = RelatedList("x", "related", 7, "ok", items, heading='Dies & "das"', explored=("b",))
    shown = json.loads(with_token(without_token(answer), answer))
    assert shown["heading"] == 'Dies & "das"'
    assert [entry.get("explore") for entry in shown["items"]] == [None, True]
    RelatedAnswer.model_validate(shown, strict=True)


def test_a_bundle_is_the_json_of_its_model() -> None:
    bundle = Bundle("\ud800", "with", 7, ("\ud800",), ({"id": "\ud800"},), 200, 100, "EUR", 0.5)
    written = bundle_json(bundle)
    assert written.isascii()
    assert json.loads(written)["items"] == [{"id": "\ud800", "record": {"id": "\ud800"}}]
    assert set(json.loads(written)) == set(BundleAnswer.model_fields)


def test_a_language_is_said_where_there_is_one() -> None:
    assert in_language("") == {}
    assert in_language("de") == {"content-language": "de", "vary": "accept-language"}


def test_a_lone_surrogate_is_written_as_an_escape() -> None:
    answer = RelatedList("\ud800", "related", 7, "ok", (), "t")
    assert '"item":"\\ud800"' in without_token(answer)


def test_the_tag_changes_with_the_generation_and_the_content_alone() -> None:
    assert etag(7, "x") == etag(7, "x")
    assert len({etag(7, "x"), etag(8, "x"), etag(7, "y")}) == 3
    assert etag(7, "x").startswith('W/"7-')
