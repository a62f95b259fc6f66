"""An OpenAI-compatible text API: OpenAI, or any server that answers POST /embeddings alike."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from recommender.core.api_budget import PaidInMemory, PaidTexts, TextApi
from recommender.core.arrays import FloatMatrix, FloatVector, text_codes, unit_rows
from recommender.core.telemetry import Progress
from recommender.errors import ArtifactError, ConfigError, DataError
from recommender.vectors.content.batch_client import BatchClient
from recommender.vectors.content.http_post import HttpRequest

OWN_DIMENSIONS = {
    "text-embedding-3-small": 1536,
    "text-embedding-3-large": 3072,
    "text-embedding-ada-002": 1536,
}
ANSWER_BYTES = 1_000_000
NUMBER_BYTES = 32
FORMAT = 1


@dataclass(frozen=True, slots=True)
class OpenAIEncoder:
    """Vectors of `dimensions` from the API that the settings name; 0 are the model's own.

    Models that are not OpenAI's need `dimensions`; they are asked to shorten their vectors to so
    many only with `shorten`. A batch has at most `batch_texts` texts and 100,000 estimated tokens.
    """

    model: str = "text-embedding-3-small"
    dimensions: int = 0
    shorten: bool = False
    batch_texts: int = 256
    api: TextApi = field(default=TextApi(), metadata={"recipe": False})

    def __post_init__(self) -> None:
        if not self.model:
            raise ConfigError("openai: model is empty; name one")
        if not self.dimensions and self.model not in OWN_DIMENSIONS:
            raise ConfigError(f"openai: say how many dimensions {self.model!r:.80} gives")
        if not 0 <= self.dimensions <= 65_536:
            raise ConfigError(f"openai: dimensions = {self.dimensions} is not in 0..65536")
        if not 1 <= self.batch_texts <= 2048:
            raise ConfigError(f"openai: batch_texts = {self.batch_texts} is not in 1..2048")

    def fingerprint(self) -> str:
        """Address, model and dimensions: another of these is another space."""
        decides = [FORMAT, self.api.url.rstrip("/"), self.model, self._dimensions, self._shortened]
        digest = hashlib.sha256(json.dumps(decides).encode()).hexdigest()
        return f"openai-{self._dimensions}-{digest}"

    def cost(self) -> list[str]:
        """The model, and what it may cost, for `doctor`."""
        host, budget = urlsplit(self.api.url).hostname, self.api.budget
        return [
            f"{self.model} at {host}, {self._dimensions} dimensions",
            f"{budget.price:g} per million tokens, at most {budget.money:g} a run, "
            f"{budget.calls:,} calls",
            "with a key" if self.api.key else "no key: RECOMMENDER_TEXT_API__KEY sets one",
        ]

    def paying(self, paid: PaidTexts) -> OpenAIEncoder:
        """The same encoder with this ledger of what was paid for."""
        return replace(self, api=replace(self.api, paid=paid))

    def encode(self, documents: Sequence[str], progress: Progress) -> FloatMatrix:
        """Vectors (n, d); a blank document is not sent and has a zero row.

        Texts that the ledger has a vector for are not sent. Raises: ProviderFailed; answers that
        arrived before stay in the ledger.
        """
        codes, distinct = text_codes(documents)
        texts = [text for text in distinct if text.strip()]
        rows = np.zeros((len(distinct), self._dimensions), dtype=np.float32)
        if texts:
            vectors = self._vectors(texts, progress)
            for row, text in enumerate(distinct):
                if text.strip():
                    rows[row] = vectors[text]
        return rows[codes]

    def _vectors(self, texts: Sequence[str], progress: Progress) -> Mapping[str, FloatVector]:
        paid = self.api.paid or PaidInMemory(self.api.budget)
        with progress("encode texts", len(texts)) as advance:
            known = paid.found(texts)
            advance(len(known))
            client = BatchClient(self.api, paid, self.request, self.read)
            unknown = [text for text in texts if text not in known]
            for count in client.send(unknown, self.batch_texts):
                advance(count)
        known = paid.found(texts)
        if lost := [text for text in texts if text not in known]:
            raise ArtifactError(f"{len(lost)} answers of the text API went away; run again")
        return known

    @property
    def _dimensions(self) -> int:
        return self.dimensions or OWN_DIMENSIONS[self.model]

    @property
    def _shortened(self) -> bool:
        """Whether the request asks for fewer dimensions than the model's own."""
        own = OWN_DIMENSIONS.get(self.model)
        return self.shorten or (own is not None and own != self._dimensions)

    def request(self, texts: Sequence[str]) -> HttpRequest:
        """The request for some texts."""
        body: dict[str, Any] = {"model": self.model, "input": texts, "encoding_format": "float"}
        if self._shortened:
            body["dimensions"] = self._dimensions
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self.api.key:
            headers["Authorization"] = f"Bearer {self.api.key}"
        return HttpRequest(
            url=f"{self.api.url.rstrip('/')}/embeddings",
            headers=headers,
            body=json.dumps(body),
            timeout_s=self.api.timeout_s,
            limit=ANSWER_BYTES + len(texts) * self._dimensions * NUMBER_BYTES,
            link_local=self.api.link_local,
        )

    def read(self, body: bytes, n_texts: int) -> tuple[FloatMatrix, int]:
        """The vectors (n, d) of a response for n texts, and the tokens that the server counted.

        Raises: DataError where the response is not whole: count, order, dimensions or numbers.
        """
        try:
            answer = json.loads(body, parse_constant=_no_number)
            entries, usage = answer["data"], answer.get("usage") or {}
            places = [entry["index"] for entry in entries]
            vectors = [entry["embedding"] for entry in entries]
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise DataError(f"no whole JSON answer ({type(error).__name__})") from error
        if len(entries) != n_texts:
            raise DataError(f"{len(entries)} vectors for {n_texts} texts")
        order = list(range(n_texts))
        if any(type(place) is not int for place in places) or sorted(places) != order:
            raise DataError("vectors without their order")
        matrix = np.zeros((n_texts, self._dimensions), dtype=np.float32)
        for place, vector in zip(places, vectors, strict=True):
            matrix[place] = self._vector(vector)
        return unit_rows(matrix), _tokens(usage)

    def _vector(self, vector: object) -> FloatVector:
        if not isinstance(vector, list) or not all(type(x) in {int, float} for x in vector):
            raise DataError("a vector that holds something else than numbers")
        if len(vector) != self._dimensions:
            raise DataError(
                f"a vector of {len(vector)} dimensions, not {self._dimensions}; "
                "set recipe.content.text.dimensions to what the model gives, or shorten = true"
            )
        try:
            with np.errstate(over="ignore"):
                row = np.array(vector, dtype=np.float64).astype(np.float32)
        except OverflowError as error:
            raise DataError("a vector whose numbers are too large") from error
        if not np.isfinite(row).all() or not row.any():
            raise DataError("a vector that is not finite, or zero")
        return row


def _tokens(usage: object) -> int:
    """The tokens that a server counted, 0 where it does not say."""
    count = usage.get("total_tokens") if isinstance(usage, dict) else None
    return count if isinstance(count, int) and not isinstance(count, bool) and count > 0 else 0


def _no_number(literal: str) -> float:
    raise ValueError(literal)
