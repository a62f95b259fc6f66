"""Batch client: sends texts to a text API in batches, and keeps every answer at once.

An answer is written to the ledger of paid texts as soon as it arrives. A run that is killed
therefore pays again at most for the batches in flight, which cost less than a cent.
"""

from __future__ import annotations

import logging
import random
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from recommender.core.api_budget import PaidTexts, TextApi
from recommender.core.arrays import FloatMatrix
from recommender.errors import DataError, ProviderFailed
from recommender.vectors.content.http_post import HttpRequest, HttpResponse, post

BATCH_TOKENS = 100_000
"""OpenAI takes 300,000 tokens and 2,048 texts in one request."""
BYTES_PER_TOKEN = 3
EXCERPT = 4096
LONGEST_WAIT_S = 60.0
OK = 200
AGAIN = frozenset({408, 409, 425, 429})
NO_MONEY = "insufficient_quota"

_log = logging.getLogger(__name__)


def estimated_tokens(text: str) -> int:
    """A third of the text's bytes in UTF-8, rounded up: English takes fewer tokens, code more."""
    return -(-len(text.encode()) // BYTES_PER_TOKEN)


@dataclass(frozen=True, slots=True)
class TextBatch:
    """The texts of one request, and how often it was sent before."""

    texts: tuple[str, ...]
    sent: int = 0

    @property
    def tokens(self) -> int:
        """The estimate of its tokens."""
        return sum(map(estimated_tokens, self.texts))


@dataclass(slots=True)
class BatchClient:
    """Sends the batches of one call, pauses and repeats where it must, and keeps their answers.

    `request` makes the request for some texts; `read` returns the vectors and the tokens of a
    response for so many texts.
    """

    api: TextApi
    paid: PaidTexts
    request: Callable[[Sequence[str]], HttpRequest]
    read: Callable[[bytes, int], tuple[FloatMatrix, int]]
    in_flight: dict[Future[HttpResponse], TextBatch] = field(default_factory=dict)
    not_before: float = 0.0

    def send(self, texts: Sequence[str], batch_texts: int) -> Iterator[int]:
        """Send texts until all have a vector; yields how many got one. Raises: ProviderFailed."""
        waiting = deque(batches(texts, batch_texts))
        with ThreadPoolExecutor(self.api.concurrency) as pool:
            try:
                while waiting or self.in_flight:
                    pause = max(self.not_before - time.monotonic(), 0.0)
                    free = len(self.in_flight) < self.api.concurrency
                    if waiting and free and not pause:
                        self._submit(pool, waiting.popleft())
                        continue
                    for response, batch in self._arrived(pause if waiting and free else None):
                        reason = self._kept(response, batch)
                        if reason is None:
                            yield len(batch.texts)
                        else:
                            self._pause(response, batch, reason)
                            waiting.appendleft(batch)
            finally:
                self._keep_rest()

    def _submit(self, pool: ThreadPoolExecutor, batch: TextBatch) -> None:
        self.paid.reserve(batch.tokens)
        future = pool.submit(post, self.request(batch.texts))
        self.in_flight[future] = TextBatch(batch.texts, batch.sent + 1)

    def _arrived(self, timeout_s: float | None) -> Iterator[tuple[HttpResponse, TextBatch]]:
        """The responses that are there, after the first one or the time."""
        if not self.in_flight and timeout_s:
            time.sleep(timeout_s)
        for future in wait(self.in_flight, timeout_s, FIRST_COMPLETED).done:
            yield future.result(), self.in_flight.pop(future)

    def _kept(self, response: HttpResponse, batch: TextBatch) -> str | None:
        """Keep a whole answer; returns why another was refused. Raises: ProviderFailed."""
        if response.status != OK:
            return self._refusal(response)
        try:
            vectors, tokens = self.read(response.body, len(batch.texts))
        except DataError as error:
            return f"the answer was refused: {error}"
        self.paid.keep(batch.texts, vectors)
        if tokens:
            self.paid.settle(tokens - batch.tokens)
        return None

    def _keep_rest(self) -> None:
        """Wait for the batches in flight after a failure, and keep the answers, which are paid."""
        for future, batch in self.in_flight.items():
            with suppress(ProviderFailed):
                self._kept(future.result(), batch)

    def _refusal(self, response: HttpResponse) -> str:
        """Why a request failed. Raises: ProviderFailed where sending it again is no use."""
        status = response.status
        if not status:
            reason = self._scrubbed(response.reason)
            if response.refused:
                raise self._failed(reason)
            return reason
        if 300 <= status < 400:
            place = urlsplit(response.headers.get("location", "")).hostname
            raise self._failed(f"{status}, a redirect to {place or 'elsewhere'}: none is followed")
        excerpt = self._scrubbed(response.body[:EXCERPT].decode(errors="replace"))
        reason = f"{status} {excerpt}".strip()
        if (status not in AGAIN and status < 500) or NO_MONEY in excerpt:
            raise self._failed(reason)
        return reason

    def _pause(self, response: HttpResponse, batch: TextBatch, reason: str) -> None:
        """Send nothing for some time. Raises: ProviderFailed after the last attempt."""
        if batch.sent >= self.api.attempts:
            raise self._failed(f"{batch.sent} times in vain, the last time: {reason}")
        asked = _asked_wait(response.headers)
        if asked is not None and asked > LONGEST_WAIT_S:
            raise self._failed(f"{reason}; it asks to wait {asked:.0f} s, run again then")
        grown = min(self.api.wait_s * 2 ** (batch.sent - 1), LONGEST_WAIT_S)
        drawn = grown * random.uniform(0.5, 1.0)
        pause = drawn if asked is None else asked + drawn / 4
        self.not_before = max(self.not_before, time.monotonic() + pause)
        _log.warning("event=text_api_again attempt=%d wait_s=%.1f %s", batch.sent, pause, reason)

    def _failed(self, reason: str) -> ProviderFailed:
        host = urlsplit(self.api.url).hostname
        hint = "" if self.api.key else " (text_api.key is empty: RECOMMENDER_TEXT_API__KEY sets it)"
        return ProviderFailed(f"text API at {host}: {reason}{hint}")

    def _scrubbed(self, text: str) -> str:
        """An excerpt of what a server wrote, without the key."""
        if self.api.key:
            text = text.replace(self.api.key, "***")
        return " ".join(text.split())[:200]


def batches(texts: Sequence[str], most: int) -> Iterator[TextBatch]:
    """The texts in order, at most `most` and `BATCH_TOKENS` estimated tokens in one batch."""
    gathered: list[str] = []
    tokens = 0
    for text in texts:
        estimate = estimated_tokens(text)
        if gathered and (len(gathered) == most or tokens + estimate > BATCH_TOKENS):
            yield TextBatch(tuple(gathered))
            gathered, tokens = [], 0
        gathered.append(text)
        tokens += estimate
    if gathered:
        yield TextBatch(tuple(gathered))


def _asked_wait(headers: Mapping[str, str]) -> float | None:
    """Seconds that a server asks to wait, None where it does not or in no known way."""
    try:
        if headers.get("retry-after-ms"):
            return max(float(headers["retry-after-ms"]) / 1000, 0.0)
        value = headers.get("retry-after", "").strip()
        if not value:
            return None
        if value.replace(".", "", 1).isdigit():
            return float(value)
        return max(parsedate_to_datetime(value).timestamp() - time.time(), 0.0)
    except ValueError:
        return None
