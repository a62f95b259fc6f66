"""An OpenAI-compatible text API: OpenAI, or any server that answers POST /embeddings alike."""

from __future__ import annotations

import hashlib
import json
import logging
import random
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from threading import Event, Lock
from typing import Annotated, Any
from urllib.parse import urlsplit

import numpy as np
from pydantic import BaseModel, ConfigDict, FailFast, ValidationError

from recommender.core.api_budget import PaidInMemory, PaidTexts, TextApi
from recommender.core.arrays import FloatMatrix, text_codes, unit_rows
from recommender.core.telemetry import Progress
from recommender.errors import ConfigError, DataError, ProviderFailed
from recommender.vectors.content.http_post import HttpRequest, HttpResponse, post

OWN_DIMENSIONS = {
    "text-embedding-3-small": 1536,
    "text-embedding-3-large": 3072,
    "text-embedding-ada-002": 1536,
}
ANSWER_BYTES = 1_000_000
NUMBER_BYTES = 32
FORMAT = 1
BATCH_TOKENS = 100_000
"""OpenAI takes 300,000 tokens and 2,048 texts in one request."""
BYTES_PER_TOKEN = 3
EXCERPT = 4096
LONGEST_WAIT_S = 60.0
OK = 200
AGAIN = frozenset({408, 409, 425, 429})
NO_MONEY = "insufficient_quota"

Answer = tuple[Sequence[str], FloatMatrix]
"""The texts of a batch, and their vectors (b, d)."""

_log = logging.getLogger(__name__)


class _Entry(BaseModel):
    """A vector, and which of the texts it belongs to."""

    model_config = ConfigDict(strict=True)

    index: int
    embedding: Annotated[list[float], FailFast()]


class _Answer(BaseModel):
    """The part of a response that is read."""

    data: Annotated[list[_Entry], FailFast()]
    usage: Any = None

    def tokens(self) -> int:
        """The tokens that the server counted, 0 where it does not say."""
        count = self.usage.get("total_tokens") if isinstance(self.usage, dict) else 0
        return max(count, 0) if type(count) is int else 0


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
        paid = self.api.paid or PaidInMemory(self.api.budget)
        with progress("encode texts", len(texts)) as advance:
            vectors = paid.found(texts)
            advance(len(vectors))
            unknown = [text for text in texts if text not in vectors]
            for batch, answered in BatchClient(self, paid).send(unknown):
                vectors.update(zip(batch, answered, strict=True))
                advance(len(batch))
        blank = np.zeros(self._dimensions, dtype=np.float32)
        rows: FloatMatrix = np.stack([vectors.get(text, blank) for text in distinct] or [blank])
        return rows[codes]

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
            answer = _Answer.model_validate_json(body)
        except ValidationError as error:
            reason = error.errors(include_url=False, include_input=False)[0]["msg"]
            raise DataError(f"no whole answer in JSON ({reason})") from error
        entries = sorted(answer.data, key=lambda entry: entry.index)
        if [entry.index for entry in entries] != list(range(n_texts)):
            raise DataError(f"{len(entries)} vectors for {n_texts} texts, or without their order")
        for entry in entries:
            if len(entry.embedding) != self._dimensions:
                raise DataError(
                    f"a vector of {len(entry.embedding)} dimensions, not {self._dimensions}; "
                    "set recipe.content.text.dimensions to what the model gives, or shorten = true"
                )
        with np.errstate(over="ignore"):
            matrix = np.array([entry.embedding for entry in entries]).astype(np.float32)
        if not np.isfinite(matrix).all() or not matrix.any(axis=1).all():
            raise DataError("a vector that is not finite, or zero")
        return unit_rows(matrix), answer.tokens()


@dataclass(slots=True)
class BatchClient:
    """Sends the batches of one call, pauses and repeats where it must, and keeps their answers.

    An answer is written to the ledger of paid texts as soon as it arrives. A run that is killed
    therefore pays again at most for the batches in flight, which cost less than a cent. `ended` is
    set when a batch failed for good; nothing is sent before the moment `not_before`.
    """

    encoder: OpenAIEncoder
    paid: PaidTexts
    ledger: Lock = field(default_factory=Lock)
    ended: Event = field(default_factory=Event)
    not_before: float = 0.0

    def send(self, texts: Sequence[str]) -> Iterator[Answer]:
        """The texts of each batch and their vectors (b, d), as they arrive.

        Raises: ProviderFailed, once the batches in flight are answered and kept: they are paid.
        """
        cut = batches(texts, self.encoder.batch_texts)
        with ThreadPoolExecutor(self.encoder.api.concurrency) as pool:
            try:
                sent = [pool.submit(self._answer, batch) for batch in cut]
                for future in as_completed(sent):
                    if (answer := future.result()) is not None:
                        yield answer
            finally:
                self.ended.set()

    def _answer(self, texts: Sequence[str]) -> Answer | None:
        """The whole answer to a batch; None where it was not sent, since another one failed."""
        estimate = sum(map(estimated_tokens, texts))
        try:
            for attempt in range(1, self.encoder.api.attempts + 1):
                if self.ended.wait(max(self.not_before - time.monotonic(), 0.0)):
                    break
                with self.ledger:
                    self.paid.reserve(estimate)
                response = post(self.encoder.request(texts))
                try:
                    if response.status == OK:
                        vectors, tokens = self.encoder.read(response.body, len(texts))
                        with self.ledger:
                            self.paid.keep(texts, vectors, tokens - estimate if tokens else 0)
                        return texts, vectors
                    reason = self._refusal(response)
                except DataError as error:
                    reason = f"the answer was refused: {error}"
                self._pause(response, attempt, reason)
        except BaseException:
            self.ended.set()
            raise
        return None

    def _refusal(self, response: HttpResponse) -> str:
        """Why a request failed. Raises: ProviderFailed where sending it again is no use."""
        status = response.status
        if 300 <= status < 400:
            place = urlsplit(response.headers.get("location", "")).hostname
            reason = f"{status}, a redirect to {place or 'elsewhere'}: none is followed"
        elif status:
            excerpt = self._scrubbed(response.body[:EXCERPT].decode(errors="replace"))
            reason = f"{status} {excerpt}".strip()
        else:
            reason = self._scrubbed(response.reason)
        passes = not status or status in AGAIN or status >= 500
        if response.refused or NO_MONEY in reason or not passes:
            raise self._failed(reason)
        return reason

    def _pause(self, response: HttpResponse, attempt: int, reason: str) -> None:
        """Let nothing be sent for some time. Raises: ProviderFailed after the last attempt."""
        if attempt >= self.encoder.api.attempts:
            raise self._failed(f"{attempt} times in vain, the last time: {reason}")
        asked = response.asked_wait()
        if asked is not None and asked > LONGEST_WAIT_S:
            raise self._failed(f"{reason}; it asks to wait {asked:.0f} s, run again then")
        grown = min(self.encoder.api.wait_s * 2 ** (attempt - 1), LONGEST_WAIT_S)
        drawn = grown * random.uniform(0.5, 1.0)
        pause = drawn if asked is None else asked + drawn / 4
        with self.ledger:
            self.not_before = max(self.not_before, time.monotonic() + pause)
        _log.warning("event=text_api_again attempt=%d wait_s=%.1f %s", attempt, pause, reason)

    def _failed(self, reason: str) -> ProviderFailed:
        api = self.encoder.api
        hint = "" if api.key else " (text_api.key is empty: RECOMMENDER_TEXT_API__KEY sets it)"
        return ProviderFailed(f"text API at {urlsplit(api.url).hostname}: {reason}{hint}")

    def _scrubbed(self, text: str) -> str:
        """An excerpt of what a server wrote, without the key."""
        if self.encoder.api.key:
            text = text.replace(self.encoder.api.key, "***")
        return " ".join(text.split())[:200]


def batches(texts: Sequence[str], most: int) -> Iterator[Sequence[str]]:
    """The texts in order, at most `most` and `BATCH_TOKENS` estimated tokens in one batch."""
    start = tokens = 0
    for end, text in enumerate(texts):
        estimate = estimated_tokens(text)
        if end > start and (end - start == most or tokens + estimate > BATCH_TOKENS):
            yield texts[start:end]
            start, tokens = end, 0
        tokens += estimate
    if texts:
        yield texts[start:]


def estimated_tokens(text: str) -> int:
    """A third of the text's bytes in UTF-8, rounded up: English takes fewer tokens, code more."""
    return -(-len(text.encode()) // BYTES_PER_TOKEN)
