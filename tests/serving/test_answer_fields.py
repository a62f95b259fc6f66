import asyncio
import random
from collections.abc import Iterator
from contextlib import closing

import pytest
from redis import Redis

from recommender.core.related import RelatedList
from recommender.serving import codec
from recommender.serving.aio import AsyncRelatedItems
from recommender.serving.codec import Pointer, View
from recommender.serving.keys import Keys
from recommender.serving.lookup import RelatedItems
from tests.serving.servers import until
from tests.serving.storefronts import catalogue, publish, ranked

PLACEMENTS = ["similar", "bought_together", "next"]
FRONT = {
    "language": "en",
    "languages": ["de"],
    "headings": {
        "similar": {"": "Similar items", "de": "Ähnliche Artikel"},
        "next": {"en": "For you", "de": "Für dich"},
    },
}


@pytest.fixture
def reader(store: Redis, shop: str, server_url: str) -> Iterator[RelatedItems]:
    lists = {
        "similar": {"a": ranked("bcd"), "": ranked("xyz")},
        "bought_together": {"a": ranked("cde")},
        "next": {"a": ranked("bdfg")},
    }
    publish(store, shop, lists, catalogue("abcdefgxyz"), FRONT)
    with closing(RelatedItems(server_url, shop, deadline_s=5.0)) as reader:
        assert reader.wait_ready()
        yield reader


class TestPage:
    def test_each_list_has_the_heading_of_its_placement(self, reader: RelatedItems) -> None:
        page = reader.page("a", PLACEMENTS, n=2)
        assert [one.heading for one in page] == ["Similar items", "", "For you"]
        assert [one.ids for one in page] == [("b", "c"), ("d", "e"), ("f", "g")]
        assert {one.language for one in page} == {"en"}
        assert reader.get("a", "similar").heading == ""

    def test_headings_and_titles_are_in_the_language_of_the_page(
        self, reader: RelatedItems
    ) -> None:
        page = reader.page("a", PLACEMENTS, n=1, records=True, language="fr, de-CH;q=0.8")
        assert [one.heading for one in page] == ["Ähnliche Artikel", "", "Für dich"]
        assert [one.records[0]["title"] for one in page] == ["Titel b", "Titel c", "Titel d"]
        assert {one.language for one in page} == {"de"}

    def test_six_placements_show_no_item_twice_whatever_their_lists_share(
        self, store: Redis, shop: str, server_url: str
    ) -> None:
        rng, names = random.Random(5), [f"p{number}" for number in range(6)]
        items = [f"i{number}" for number in range(20)]
        lists = {name: {"a": ranked(rng.sample(items, 12)), "": ranked(items)} for name in names}
        publish(store, shop, lists, catalogue([*items, "a"]), {})
        with closing(RelatedItems(server_url, shop, deadline_s=5.0)) as fresh:
            assert fresh.wait_ready()
            for where in ("", "price > 1"):
                page = fresh.page("a", names, n=3, records=True, where=where)
                assert [one.placement for one in page] == names
                shown = [item for one in page for item in one.ids]
                assert len(shown) == len(set(shown)) == 18
                assert [r["id"] for one in page for r in one.records] == shown
                for one in page:
                    own = [item for item in lists[one.placement]["a"] if item in one.ids]
                    assert list(one.ids)[: len(own)] == own

    def test_it_costs_one_round_trip_more_than_a_list_at_most(
        self, store: Redis, shop: str, server_url: str, reader: RelatedItems
    ) -> None:
        """Counted on a connection of its own: a poll is an MGET of control keys."""
        del reader

        def lists_read(fresh: RelatedItems, records: bool) -> int:
            """The commands that read lists or records, without those of polls."""
            with store.monitor() as monitor:  # type: ignore[no-untyped-call]
                fresh.page("a", PLACEMENTS, records=records)
                store.echo("end")
                found = 0
                for command in monitor.listen():
                    text = command["command"]
                    found += text.startswith("MGET") and f"rec:{shop}:" in text
                    if text == "ECHO end":
                        return found
            return found

        for records, most in ((False, 1), (True, 2)):
            with closing(RelatedItems(server_url, shop, deadline_s=5.0)) as fresh:
                assert fresh.wait_ready()
                assert lists_read(fresh, records) == most

    def test_asyncio_answers_alike(self, reader: RelatedItems, shop: str, server_url: str) -> None:
        async def asked() -> list[RelatedList]:
            lookup = AsyncRelatedItems(server_url, shop, deadline_s=5.0)
            assert await lookup.wait_ready()
            page = await lookup.page("a", PLACEMENTS, n=2, language="de", records=True)
            await lookup.aclose()
            return page

        other, page = asyncio.run(asked()), reader.page("a", PLACEMENTS, n=2, language="de")
        assert [(one.heading, one.ids) for one in other] == [(one.heading, one.ids) for one in page]


class TestLanguages:
    def test_the_title_is_in_the_language_that_is_preferred(self, reader: RelatedItems) -> None:
        german = reader.get("a", "similar", n=1, records=True, language="de")
        assert german.records[0]["title"] == "Titel b"
        assert german.language == "de"
        for language in ("", "en", "it", "\x00"):
            answer = reader.get("a", "similar", n=1, records=True, language=language)
            assert answer.records[0]["title"] == "Title b"
            assert answer.language == "en"
            assert "titles" not in answer.records[0]
        again = reader.get("a", "similar", n=1, records=True, language="de")
        assert (again.records[0]["title"], again.language) == ("Titel b", "de")

    def test_a_condition_sees_the_title_that_is_shown(self, reader: RelatedItems) -> None:
        where = "'Titel' in title"
        assert reader.get("a", "similar", where=where, language="de").ids[0] == "b"
        assert reader.get("a", "similar", where=where).ids == ()

    def test_a_language_alone_reads_no_records(self, reader: RelatedItems) -> None:
        answer = reader.get("a", "similar", language="de")
        assert (answer.records, answer.language) == ((), "")
        distinct = reader.get_many(["a", "a"], "similar", distinct=True, language="de")
        assert [one.ids for one in distinct] == [("b", "c", "d"), ()]


def test_a_storefront_goes_with_its_generation(
    reader: RelatedItems, store: Redis, shop: str
) -> None:
    keys = Keys(shop)
    value = codec.encode_list("a", ["b"], [0.5], [1])
    store.set(keys.related_list(2, "similar", "a"), value)
    store.set(keys.live, codec.encode_pointer(Pointer(2, View((2,), ("similar",)))))
    until(lambda: reader.page("a", ["similar"])[0].heading == "")
    store.set(keys.live, codec.encode_pointer(Pointer(3, View((1,), tuple(PLACEMENTS)))))
    until(lambda: reader.page("a", ["similar"])[0].heading == "Similar items")


class TestFilterCounts:
    def test_what_conditions_drop_is_counted_by_placement(self, reader: RelatedItems) -> None:
        reader.get("a", "similar", n=2, where="not id in ['b']")
        reader.page("a", ["next"], n=3, where="id != 'b' and id != 'd'", boost="price")
        shown = reader.get("a", "similar", n=5, where="id != 'x' and id != 'b'")
        assert shown.ids == ("c", "d", "y", "z"), "best sellers meet the condition too"
        reader.get("nothing", "similar", where="id == 'x'")
        reader.get("a", "nowhere", where="id == 'x'")
        reader.for_items(["a"], "similar", where="id == 'x'")
        found = {name: n for name, n in reader.stats().items() if name.startswith("filtered")}
        assert found == {
            "filtered_answers.similar": 2,
            "filtered_looked_at.similar": 6,
            "filtered_dropped.similar": 2,
            "filtered_short.similar": 1,
            "filtered_tenths_4.similar": 2,
            "filtered_answers.next": 1,
            "filtered_looked_at.next": 4,
            "filtered_dropped.next": 2,
            "filtered_short.next": 1,
            "filtered_tenths_5.next": 1,
        }
