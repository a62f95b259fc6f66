"""What must hold in every run, whatever fails.

The first four are looked at whenever the server has executed a command, or a reader has an answer:

- the live pointer moves to higher fences alone, and to generations that are complete and whole;
- a generation is declared complete by who holds the lease, and nobody deletes what is live;
- an answer is whole: one live pointer, not older than readers may trust it, explains all its lists;
- what has been hidden for longer than that is in no answer from the store.

At the end, when nothing fails any more, the shop is live and whole, from the newest generation that
was published.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from recommender.core.related import RelatedList
from recommender.serving import codec
from recommender.serving.codec import Pointer, View
from recommender.serving.core import MAX_AGE_S
from recommender.serving.keys import list_name
from tests.simulation.shop import KEYS
from tests.simulation.store import SimulatedServer
from tests.simulation.world import Violation, World

SLACK_S = 0.01
"""How long after a poll began its first command may arrive, and an answer after its last."""

LIVE, LEASE, HIDDEN = KEYS.live.encode(), KEYS.lease.encode(), KEYS.hidden.encode()
DESCRIPTION = KEYS.generation(0).encode()[:-1]
LIST = f"rec:{KEYS.shop}:".encode()


@dataclass
class Invariants:
    """Watches the server and the answers of readers. `lists` has what builds and overlays hold."""

    world: World
    server: SimulatedServer
    lists: dict[str, Mapping[str, bytes]]
    generations: dict[int, Mapping[str, bytes]] = field(default_factory=dict)
    pointers: list[tuple[float, Pointer | None]] = field(default_factory=list)
    highest: int = 0
    damaged_at: float = float("-inf")
    healed_at: float = float("-inf")
    hidden_since: dict[str, float] = field(default_factory=dict)
    ever_hidden: set[str] = field(default_factory=set)
    evicted: set[int] = field(default_factory=set)
    n_answers: int = 0
    n_swaps: int = 0

    def changed(self, key: bytes, before: object) -> None:
        """Look at a key that was written. Raises: Violation."""
        after = self.server.data.get(key)
        if key == LIVE:
            self._moved(after)
        elif key == HIDDEN:
            self._hidden(after)
        elif key.startswith(DESCRIPTION) and isinstance(after, dict):
            self._described(int(key.removeprefix(DESCRIPTION)), before, after)
        elif key.startswith(LIST) and after is None and not self.damaged:
            generation = int(key.split(b":")[2])
            if generation in self._layers(self.live):
                self.fail(f"{key.decode()}, which is live, was deleted")

    @property
    def live(self) -> Pointer | None:
        """The live pointer."""
        return self.pointers[-1][1] if self.pointers else None

    @property
    def damaged(self) -> bool:
        """Whether the server lost data, and nothing was published since."""
        return self.damaged_at > self.healed_at

    def damage(self, *, pointer_lost: bool) -> None:
        """Expect that data is missing until something else is published."""
        self.damaged_at = self.world.now
        if pointer_lost:
            self._hidden(self.server.data.get(HIDDEN))
            raw = self.server.data.get(LIVE)
            pointer = codec.decode_pointer(raw) if raw else None
            self.pointers.append((self.world.now, pointer))
            self.highest = pointer.fence if pointer else 0

    def fail(self, what: str) -> None:
        """Raise Violation."""
        violation = Violation(what)
        self.world.violation = violation
        raise violation

    def _moved(self, raw: object) -> None:
        if raw is None:
            self.fail("the live pointer was deleted")
        pointer = codec.decode_pointer(raw)
        if pointer.fence <= self.highest:
            self.fail(f"the live pointer went from fence {self.highest} to {pointer.fence}")
        self.highest = pointer.fence
        self.pointers.append((self.world.now, pointer))
        self.n_swaps += 1
        faults = [fault for layer in sorted(self._layers(pointer)) for fault in self._faults(layer)]
        if not faults:
            self.healed_at = self.world.now
        elif self.evicted & self._layers(pointer):
            self.damaged_at = self.world.now
        elif not self.damaged:
            self.fail(f"pointer {pointer.fence} goes live over what is not whole: {faults[0]}")

    def _hidden(self, members: object) -> None:
        names = members if isinstance(members, dict) else {}
        hidden = {name[1:].decode() for name in names if name.startswith(b"+")}
        self.ever_hidden |= hidden
        self.hidden_since = {
            item: self.hidden_since.get(item, self.world.now) for item in sorted(hidden)
        }

    def _described(self, number: int, before: object, after: Mapping[bytes, bytes]) -> None:
        self.generations[number] = self.lists[after[b"lists_key"].decode()]
        was = before.get(b"state") if isinstance(before, dict) else None
        if was != b"complete" == after[b"state"]:
            holder = self.server.data.get(LEASE)
            if holder != after[b"owner"]:
                self.fail(f"generation {number} was declared complete while {holder!r} publishes")

    def _faults(self, generation: int) -> list[str]:
        """What keeps a generation from being whole."""
        fields = self.server.data.get(DESCRIPTION + b"%d" % generation)
        if not isinstance(fields, dict) or fields.get(b"state") != b"complete":
            return [f"generation {generation} is not complete"]
        prefix = KEYS.prefix(generation)
        return [
            f"{prefix}{name} is {self.server.data.get((prefix + name).encode())!r:.40}"
            for name, value in self.generations[generation].items()
            if self.server.data.get((prefix + name).encode()) != value
        ]

    @staticmethod
    def _layers(pointer: Pointer | None) -> set[int]:
        if pointer is None:
            return set()
        return {*pointer.live.layers, *(pointer.canary.layers if pointer.canary else ())}

    # Answers

    def answered(self, answers: Sequence[RelatedList], asked_at: float) -> None:
        """Look at what a reader answered to one question. Raises: Violation."""
        self.n_answers += 1
        earliest = asked_at - MAX_AGE_S - SLACK_S
        read = [answer for answer in answers if answer.status in {"ok", "topped_up"}]
        for answer in read:
            for entry in answer.items:
                if self.hidden_since.get(entry.id, self.world.now) < earliest:
                    self.fail(f"{entry.id} is shown, hidden since {self.hidden_since[entry.id]}")
        if self.damaged or self.healed_at >= earliest > self.damaged_at - MAX_AGE_S * 10:
            return
        unknown = [answer for answer in answers if answer.status.startswith("unknown")]
        if unknown:
            self.fail(f"{unknown[0].item!r} is {unknown[0].status} in {unknown[0].generation}")
        if read and not any(
            all(self._explains(view, answer) for answer in read) for view in self._views(earliest)
        ):
            shown = ", ".join(f"{one.item} of {one.generation}" for one in read)
            self.fail(f"no live pointer explains {shown}: {read}")

    def _views(self, earliest: float) -> list[View]:
        """The views that were live at some time since then."""
        views: list[View] = []
        for at, pointer in reversed(self.pointers):
            if pointer is not None:
                views += [pointer.live, *([pointer.canary] if pointer.canary else [])]
            if at < earliest:
                break
        return views

    def _explains(self, view: View, answer: RelatedList) -> bool:
        """Whether this is the list that a view has for the item, without what was ever hidden."""
        name = list_name("related", answer.item)
        for layer in view.layers:
            value = self.generations[layer].get(name)
            if value is not None:
                listed = codec.decode_list(value, answer.item).items()
                shown = [entry for entry in listed if entry in answer.items]
                missing = {entry.id for entry in listed} - {*answer.ids}
                whole = list(answer.items) == shown and missing <= self.ever_hidden
                return answer.generation == layer and whole
        return False

    def ended(self, published: Sequence[int]) -> None:
        """Look at the shop when nothing fails any more. Raises: Violation."""
        pointer = self.live
        if pointer is None:
            if published:
                self.fail("nothing is live although something was published")
            return
        for layer in sorted(self._layers(pointer)):
            for fault in self._faults(layer):
                self.fail(f"at the end, {fault}")
        newest = max(published, default=0)
        if pointer.fence < newest:
            self.fail(f"run {newest} was published, and pointer {pointer.fence} is live")
