import pytest
from pydantic import ValidationError

from recommender.service.answers import RelatedAnswer, RelatedEntry


def test_records_and_what_was_dropped_may_be_left_out() -> None:
    entry = {"id": "b", "score": 0.5, "evidence": "both"}
    answer = RelatedAnswer.model_validate(
        {"item": "a", "placement": "related", "generation": 1, "status": "ok", "items": [entry]}
        | {"token": "t"}
    )
    assert (answer.dropped, answer.items[0].record) == (None, None)


def test_evidence_has_a_name() -> None:
    with pytest.raises(ValidationError):
        RelatedEntry.model_validate({"id": "b", "score": 0.5, "evidence": "luck"})
