"""A lookup without Redis that records its queries."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from recommender.core.related import RelatedItem, RelatedList, Status
from recommender.serving.aio import AsyncRelatedItems
from recommender.serving.bundles import Bundle

ENTRIES = (
    RelatedItem("b", 0.75, "both"),
    RelatedItem("c/ü {1}", 0.5, "text"),
    RelatedItem('"d"', 0.25, "popular"),
)


class FakeLookup(AsyncRelatedItems):
    """Answers every query with the first n of `items` under `status`."""

    def __init__(self, status: Status = "ok", items: tuple[RelatedItem, ...] = ENTRIES) -> None:
        self.status = status
        self.items = items
        self.generation = 8
        self.asked: list[tuple[object, ...]] = []
        self.closed = False
        self.waited_s = 0.0
        self._tokens = 0

    async def get(
        self,
        item_id: str,
        placement: str = "related",
        n: int = 12,
        exclude: Collection[str] = (),
        **options: Any,  # noqa: ANN401
    ) -> RelatedList:
        asked = ("get", item_id, placement, n, tuple(exclude))
        self.asked.append((*asked, options["min_score"], options["key"]))
        answer = self._answer(item_id, placement, n)
        if not options["records"]:
            return answer
        records = tuple({"id": entry.id, "title": "\u2028<b>"} for entry in answer.items)
        language = "de" if options["language"].startswith("de") else "en"
        dropped = {options["where"]: 3}
        return replace(answer, records=records, dropped=dropped, language=language)

    async def get_many(self, item_ids: Collection[str], *query: Any, **options: Any) -> Any:  # noqa: ANN401
        placement, n, exclude = (options[name] for name in ("placement", "n", "exclude"))
        asked = ("get_many", tuple(item_ids), placement, n, tuple(exclude))
        self.asked.append((*asked, options["distinct"]))
        return [self._answer(item, placement, n) for item in item_ids]

    async def for_items(self, item_ids: Collection[Any], *query: Any, **options: Any) -> Any:  # noqa: ANN401
        placement, n, exclude = (options[name] for name in ("placement", "n", "exclude"))
        asked = ("for_items", tuple(item_ids), placement, n, tuple(exclude))
        self.asked.append((*asked, options["decay"]))
        return self._answer("", placement, n)

    async def page(
        self,
        item_id: str,
        placements: Collection[str],
        n: int = 12,
        exclude: Collection[str] = (),
        **_: Any,  # noqa: ANN401
    ) -> list[RelatedList]:
        self.asked.append(("page", item_id, tuple(placements), n))
        return [
            replace(self._answer(item_id, placement, n), heading=f"<{placement}>", language="en")
            for placement in placements
        ]

    async def bundle(self, item_id: str, n: int = 3, *_: Any, **options: Any) -> Bundle:  # noqa: ANN401
        self.asked.append(("bundle", item_id, n, options["placement"], options["store"]))
        if item_id == "lone":
            return Bundle(item_id, "with", self.generation, reason="alone", dropped={"stock": 2})
        items = (item_id, *(entry.id for entry in self.items[:n]))
        records = tuple({"id": item, "price_minor": 100} for item in items)
        prices: dict[str, Any] = {"full_price_minor": 400, "price_minor": 300, "discount": 0.25}
        language = "de" if options["language"].startswith("de") else "en"
        return Bundle(item_id, "with", 8, items, records, **prices, language=language)

    async def wait_ready(self, timeout_s: float = 5.0) -> bool:
        self.waited_s = timeout_s
        return False

    def ready(self) -> bool:
        return self.status not in {"stale", "fallback", "degraded"}

    def stats(self) -> Mapping[str, int]:
        return {"asked": len(self.asked)}

    async def aclose(self) -> None:
        self.closed = True

    def _answer(self, item: str, placement: str, n: int) -> RelatedList:
        self._tokens += 1
        items = self.items[:n]
        return RelatedList(
            item, placement, self.generation, self.status, items, f"token-{self._tokens}"
        )
