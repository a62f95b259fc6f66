import json

from recommender.service.responses import error_response, json_response


def test_an_answer_is_not_kept_unless_that_is_said() -> None:
    assert json_response("{}").headers["cache-control"] == "no-store"
    kept = json_response("{}", {"cache-control": "public"})
    assert (kept.headers["cache-control"], kept.media_type) == ("public", "application/json")


def test_only_who_is_to_come_later_is_told_when() -> None:
    busy, refused = error_response(503, "busy"), error_response(400, "n: give a number")
    assert (busy.headers["retry-after"], "retry-after" in refused.headers) == ("1", False)
    assert json.loads(bytes(refused.body)) == {"detail": "n: give a number"}
