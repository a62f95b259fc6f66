"""The generations that a shop has in Redis: which there are, which is live, which may go."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import chain
from typing import Literal, cast

from redis import Redis

from recommender.generation import Generation
from recommender.serving import codec
from recommender.serving.codec import Pointer
from recommender.serving.keys import Keys
from recommender.serving.scripts import RETIRE, Scripts

Role = Literal["live", "previous", ""]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Generations:
    """Reads and deletes the generations of one shop. Its errors are those of redis-py."""

    store: Redis
    keys: Keys
    batch: int

    def live(self) -> Pointer | None:
        """The live pointer, None where there is none that this schema can read."""
        return self._pointer(self.keys.live)

    def previous(self) -> Pointer | None:
        """The pointer before it."""
        return self._pointer(self.keys.previous)

    def numbers(self) -> list[int]:
        """The numbers of all generations that have keys, newest first."""
        members = cast("list[bytes]", self.store.zrevrange(self.keys.generations, 0, -1))
        return [int(member) for member in members]

    def all(self) -> list[Generation]:
        """All generations that are described, newest first, with their roles."""
        roles: dict[int, Role] = {}
        for pointer, role in ((self.previous(), "previous"), (self.live(), "live")):
            if pointer:
                roles[pointer.generation] = cast("Role", role)
        found = (self.described(number) for number in self.numbers())
        return [
            replace(generation, role=roles.get(generation.id, ""))
            for generation in found
            if generation
        ]

    def described(self, number: int) -> Generation | None:
        """One generation without its role, None where its description is missing or malformed."""
        fields = cast("dict[bytes, bytes]", self.store.hgetall(self.keys.generation(number)))
        try:
            return codec.decode_generation(number, fields)
        except ValueError as error:
            log.warning("event=generation_skipped shop=%s reason=%s", self.keys.shop, error)
            return None

    def begin(self, generation: Generation, owner: str) -> None:
        """Write down what is about to be staged, before any list: what a collector goes by."""
        fields = codec.encode_generation(generation) | {"owner": owner}
        with self.store.pipeline(transaction=True) as steps:
            steps.hset(self.keys.generation(generation.id), items=[*chain(*fields.items())])
            steps.zadd(self.keys.generations, {str(generation.id): generation.id})
            steps.execute()

    def retire(self, scripts: Scripts, numbers: list[int], owner: str = "") -> dict[int, bool]:
        """Take back those generations that are neither live, nor previous, nor being staged.

        `owner` may retire what it stages itself. From here on no swap accepts what is retired.
        Returns their numbers, and whether readers may have seen them.
        """
        control = [self.keys.live, self.keys.previous, self.keys.lease]
        described = [self.keys.generation(number) for number in numbers]
        retired = scripts.run(RETIRE, control + described, [owner, *numbers])
        pairs = cast("list[tuple[bytes, bytes]]", retired)
        return {int(number): state == b"complete" for number, state in pairs}

    def delete(self, number: int, tick: Callable[[], None] = lambda: None) -> None:
        """Unlink the lists of one generation, then its description; `tick` after every batch."""
        names: list[bytes] = []
        for name in self.store.scan_iter(match=self.keys.related_lists(number), count=self.batch):
            names.append(name)
            if len(names) == self.batch:
                self.store.unlink(*names)
                names.clear()
                tick()
        if names:
            self.store.unlink(*names)
        # One by one: Redis queues no transaction at full memory, which is when deleting matters.
        self.store.unlink(self.keys.generation(number))
        self.store.zrem(self.keys.generations, str(number))

    def _pointer(self, key: str) -> Pointer | None:
        raw = self.store.get(key)
        if raw is None:
            return None
        try:
            return codec.decode_pointer(raw)
        except ValueError as error:
            log.warning("event=pointer_unreadable key=%s reason=%s", key, error)
            return None
