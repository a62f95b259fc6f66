"""Threads side by side: each takes one pack at a time through the model, alone.

Two threads that share every product wait for each other at its end, longer the busier the machine
is. A pack is computed by one thread in any case, so that the vectors do not depend on how many
there are.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from recommender.core.arrays import FloatMatrix, blocks
from recommender.core.cpu import torch_threads
from recommender.vectors.content.token_packs import Pack

if TYPE_CHECKING:
    from recommender.vectors.content.text_model import TextModel

CHUNK = 1024
AHEAD = 4

Encoded = tuple[NDArray[np.intp], FloatMatrix]


def side_by_side(model: TextModel, texts: Sequence[str]) -> Iterator[Encoded]:
    """Places (b,) among the texts, best given in order of length, and their vectors (b, d).

    As many threads as torch would use for one product; while they work, the next texts are cut
    into tokens.
    """
    import torch

    threads = torch.get_num_threads()
    waiting: deque[tuple[NDArray[np.intp], Future[FloatMatrix]]] = deque()
    with torch_threads() as pool:
        for block in blocks(len(texts), CHUNK):
            features, lengths, behind = model.tokens(texts[block])
            for pack in model.packs(lengths):
                made = pool.submit(model.vectors, features, pack, behind=behind)
                waiting.append((block.start + _places(pack), made))
                while len(waiting) > AHEAD * threads:
                    places, made = waiting.popleft()
                    yield places, made.result()
        for places, made in waiting:
            yield places, made.result()


def _places(pack: Pack) -> NDArray[np.intp]:
    return np.concatenate([group.places for group in pack.groups])
