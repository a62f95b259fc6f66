import pytest

from recommender.serving.codec import View
from recommender.serving.state import UNREAD, NotRead, first_layer

LAYERS = View((8, 7), ("related",))


@pytest.mark.fault(52)
def test_a_layer_that_could_not_be_asked_hides_those_below() -> None:
    with pytest.raises(NotRead):
        first_layer(9, LAYERS, [UNREAD, b"x\n\n\n"], "x")
    assert first_layer(9, LAYERS, [b"x\n\n\n", UNREAD], "x").generation == 8
    with pytest.raises(NotRead):
        first_layer(9, LAYERS, [None, UNREAD], "x")
    assert first_layer(9, LAYERS, [None, None], "x").stored is None
