"""An OpenAI-compatible text API: OpenAI, or any server that answers POST /embeddings alike."""

from __future__ import annotations

import hashlib
import json
import logging
import random
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from recommender.core.api_budget import TextApi, Till
from recommender.core.arrays import FloatMatrix, text_codes, unit_rows
from recommender.core.progress import Progress
from recommender.errors import ArtifactError, ConfigError, DataError, ProviderFailed
from recommender.vectors.content.endpoint import Question
from recommender.vectors.content.http_client import Errand, sent
from recommender.vectors.content.http_sender import OK

OWN_DIMENSIONS = {
    "text-embedding-3-small": 1536,
    "text-embedding-3-large": 3072,
    "text-embedding-ada-002": 1536,
}
BATCH_TOKENS = 100_000
"""OpenAI takes 300,000 tokens and 2,048 texts in one request."""
BYTES_PER_TOKEN = 3
ANSWER_BYTES = 1_000_000
NUMBER_BYTES = 32
LONGEST_WAIT_S = 60.0
AGAIN = frozenset({408, 409, 425, 429})
NO_MONEY = "insufficient_quota"
FORMAT = 1

_log = logging.getLogger(__name__)


def estimated_tokens(text: str) -> int:
    """A third of the text's bytes in UTF-8, rounded up: English takes fewer tokens, code more."""
    return -(-len(text.encode()) // BYTES_PER_TOKEN)


@dataclass(frozen=True, slots=True)
class Batch:
    """Texts of one request, how often it was sent before, and what it may cost."""

    texts: tuple[str, ...]
    sent: int = 0

    @property
    def tokens(self) -> int:
        """The estimate of its tokens."""
        return sum(map(estimated_tokens, self.texts))


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
        """What is asked, and what that may cost, for `doctor`."""
        host, budget = urlsplit(self.api.url).hostname, self.api.budget
        return [
            f"{self.model} at {host}, {self._dimensions} dimensions",
            f"{budget.price:g} per million tokens, at most {budget.money:g} a run, "
            f"{budget.calls:,} calls",
            "with a key" if self.api.key else "no key: RECOMMENDER_TEXT_API__KEY sets one",
        ]

    def paying(self, till: Till) -> OpenAIEncoder:
        """The same encoder, which pays at this till."""
        return replace(self, api=replace(self.api, till=till))

    def encode(self, documents: Sequence[str], progress: Progress) -> FloatMatrix:
        """Vectors (n, d); a blank document is not sent and has a zero row.

        What a till kept is not asked for again, and every answer is kept there before more is
        sent than `concurrency`. Raises: ProviderFailed; what was paid for stays kept.
        """
        codes, distinct = text_codes(documents)
        texts = [text for text in distinct if text.strip()]
        rows = np.zeros((len(distinct), self._dimensions), dtype=np.float32)
        folder = self.api.till.folder if self.api.till else None
        if texts or (folder is not None and folder.exists()):
            known = self._known(texts, progress)
            for row, text in enumerate(distinct):
                if text.strip():
                    rows[row] = known[text]
        return rows[codes]

    def _known(self, texts: Sequence[str], progress: Progress) -> Mapping[str, np.ndarray]:
        till = self.api.opened()
        with progress("encode texts", len(texts)) as advance, sent(till.folder) as errand:
            delivery = Delivery(self, errand, till)
            delivery.take_in()
            known = till.drawer.found(texts)
            advance(len(known))
            for done in delivery.run([text for text in texts if text not in known]):
                advance(done)
            known = till.drawer.found(texts)
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

    def question(self, texts: Sequence[str]) -> Question:
        """The request for some texts."""
        body: dict[str, Any] = {"model": self.model, "input": texts, "encoding_format": "float"}
        if self._shortened:
            body["dimensions"] = self._dimensions
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self.api.key:
            headers["Authorization"] = f"Bearer {self.api.key}"
        return Question(
            url=f"{self.api.url.rstrip('/')}/embeddings",
            headers=headers,
            body=json.dumps(body),
            timeout_s=self.api.timeout_s,
            limit=ANSWER_BYTES + len(texts) * self._dimensions * NUMBER_BYTES,
            link_local=self.api.link_local,
        )

    def read(self, content: bytes) -> tuple[list[str], FloatMatrix, int]:
        """Texts, vectors (n, d) and tokens of a question and its answer, on two lines.

        Raises: DataError where the answer is not whole: count, order, dimensions or numbers.
        """
        asked, _, answered = content.partition(b"\n")
        texts = [str(text) for text in json.loads(asked)["input"]]
        try:
            answer = json.loads(answered, parse_constant=_no_number)
            entries, usage = answer["data"], answer.get("usage") or {}
            places = [entry["index"] for entry in entries]
            vectors = [entry["embedding"] for entry in entries]
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise DataError(f"no whole JSON answer ({type(error).__name__})") from error
        if len(entries) != len(texts):
            raise DataError(f"{len(entries)} vectors for {len(texts)} texts")
        order = list(range(len(texts)))
        if any(type(place) is not int for place in places) or sorted(places) != order:
            raise DataError("vectors whose order is not told")
        matrix = np.zeros((len(texts), self._dimensions), dtype=np.float32)
        for place, vector in zip(places, vectors, strict=True):
            matrix[place] = self._vector(vector)
        return texts, unit_rows(matrix), _tokens(usage)

    def _vector(self, vector: object) -> np.ndarray:
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


class Delivery:
    """The texts of one call on their way: what waits, what is sent, when more may be sent."""

    def __init__(self, encoder: OpenAIEncoder, errand: Errand, till: Till) -> None:
        self.encoder, self.api, self.errand, self.till = encoder, encoder.api, errand, till
        self.sent: dict[str, Batch] = {}
        self.not_before = 0.0
        self.jitter = random.Random()

    def take_in(self) -> None:
        """Keep the answers that another run left in the folder, if they are whole."""
        for path in self.errand.left():
            try:
                texts, vectors, _ = self.encoder.read(path.read_bytes())
                self.till.drawer.keep(texts, vectors)
            except (ValueError, KeyError, TypeError, DataError):
                _log.warning("event=answer_refused file=%s", path.name)
            path.unlink()

    def run(self, texts: Sequence[str]) -> Iterator[int]:
        """Send texts until all have a vector; yields how many got one. Raises: ProviderFailed."""
        waiting = deque(batches(texts, self.encoder.batch_texts))
        while waiting or self.sent:
            pause = self.not_before - time.monotonic()
            free = len(self.sent) < self.api.concurrency
            if waiting and free and pause <= 0:
                self._send(waiting.popleft())
                continue
            answer = self.errand.answer(max(pause, 0.0) if waiting and free else None)
            if answer is None:
                continue
            batch = self.sent.pop(str(answer["id"]))
            reason = self._kept(answer, batch)
            if reason is None:
                yield len(batch.texts)
            else:
                self._pause(answer, batch, reason)
                waiting.appendleft(batch)

    def _send(self, batch: Batch) -> None:
        self.till.purse.take(batch.tokens)
        question = self.encoder.question(batch.texts)
        self.sent[self.errand.send(question)] = Batch(batch.texts, batch.sent + 1)

    def _kept(self, answer: Mapping[str, Any], batch: Batch) -> str | None:
        """Keep an answer that is whole; else why it was none. Raises: ProviderFailed."""
        if answer["status"] != OK:
            return self._refusal(answer)
        path = self.errand.folder / str(answer["id"])
        try:
            texts, vectors, tokens = self.encoder.read(path.read_bytes())
        except DataError as error:
            path.unlink()
            return f"the answer was refused: {error}"
        self.till.drawer.keep(texts, vectors)
        path.unlink()
        if tokens:
            self.till.purse.correct(tokens - batch.tokens)
        return None

    def _refusal(self, answer: Mapping[str, Any]) -> str:
        """Why a request failed. Raises: ProviderFailed where asking again is no use."""
        status, told = int(answer["status"]), self._scrubbed(str(answer["body"]))
        if not status:
            reason = self._scrubbed(str(answer["reason"]))
            if answer["refused"]:
                raise self._failed(reason)
            return reason
        if 300 <= status < 400:
            place = urlsplit(str(answer["headers"].get("location", ""))).hostname
            raise self._failed(f"{status}, a redirect to {place or 'elsewhere'}: none is followed")
        reason = f"{status} {told}".strip()
        if (status not in AGAIN and status < 500) or NO_MONEY in told:
            raise self._failed(reason)
        return reason

    def _pause(self, answer: Mapping[str, Any], batch: Batch, reason: str) -> None:
        """Let some time pass before anything is sent. Raises: ProviderFailed."""
        if batch.sent >= self.api.attempts:
            raise self._failed(f"{batch.sent} times in vain, the last time: {reason}")
        wait = _asked_wait(answer.get("headers") or {})
        if wait is not None and wait > LONGEST_WAIT_S:
            raise self._failed(f"{reason}; it asks to wait {wait:.0f} s, run again then")
        grown = min(self.api.wait_s * 2 ** (batch.sent - 1), LONGEST_WAIT_S)
        drawn = grown * self.jitter.uniform(0.5, 1.0)
        pause = drawn if wait is None else wait + drawn / 4
        self.not_before = max(self.not_before, time.monotonic() + pause)
        _log.warning("event=text_api_again attempt=%d wait_s=%.1f %s", batch.sent, pause, reason)

    def _failed(self, reason: str) -> ProviderFailed:
        host = urlsplit(self.api.url).hostname
        hint = "" if self.api.key else " (text_api.key is empty: RECOMMENDER_TEXT_API__KEY sets it)"
        return ProviderFailed(f"text API at {host}: {reason}{hint}")

    def _scrubbed(self, told: str) -> str:
        """An excerpt of what a server said, without the key."""
        if self.api.key:
            told = told.replace(self.api.key, "***")
        return " ".join(told.split())[:200]


def batches(texts: Sequence[str], most: int) -> Iterator[Batch]:
    """The texts in order, at most `most` and `BATCH_TOKENS` estimated tokens in one batch."""
    gathered: list[str] = []
    tokens = 0
    for text in texts:
        estimate = estimated_tokens(text)
        if gathered and (len(gathered) == most or tokens + estimate > BATCH_TOKENS):
            yield Batch(tuple(gathered))
            gathered, tokens = [], 0
        gathered.append(text)
        tokens += estimate
    if gathered:
        yield Batch(tuple(gathered))


def _asked_wait(headers: Mapping[str, str]) -> float | None:
    """Seconds that a server asks to wait, None where it does not or in no known way."""
    try:
        if headers.get("retry-after-ms"):
            return max(float(headers["retry-after-ms"]) / 1000, 0.0)
        told = headers.get("retry-after", "").strip()
        if not told:
            return None
        if told.replace(".", "", 1).isdigit():
            return float(told)
        return max(parsedate_to_datetime(told).timestamp() - time.time(), 0.0)
    except ValueError:
        return None


def _tokens(usage: object) -> int:
    """The tokens that an answer was paid with, 0 where it does not say."""
    told = usage.get("total_tokens") if isinstance(usage, dict) else None
    return told if isinstance(told, int) and not isinstance(told, bool) and told > 0 else 0


def _no_number(literal: str) -> float:
    raise ValueError(literal)
