"""Documents of JSON of any size, in bounded memory."""

import json
import tracemalloc

import pytest

from recommender.errors import DataError
from recommender.readers import blocks, json_documents, json_tables, lines
from tests.readers.shop_folder import Folder


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "_CHUNK", 7)


@pytest.mark.parametrize("indent", [None, 1])
def test_records_are_whole_wherever_chunks_end(folder: Folder, indent: int | None) -> None:
    records = [{"item_id": f"{n}", "title": f'T "{n}" é', "price": n} for n in range(50)]
    plain = json.dumps(records, indent=indent, ensure_ascii=False)
    document = {"page": 12, "next": None, "items": records, "meta": {"a": [1]}}
    folder.put("a.json", plain)
    folder.put("b.json", json.dumps(document, indent=1))
    one, other = folder.read("a.json"), folder.read("b.json")
    assert len(one.catalogue) == 50
    assert one.catalogue.title == other.catalogue.title
    assert one.catalogue.price.tolist() == other.catalogue.price.tolist()


def test_a_refused_record_is_named_by_its_line(folder: Folder) -> None:
    folder.put("a.json", '\n[{"item_id": "a", "title": "Ant"},\n\n  3,\n4]\n')
    folder.read("a.json")
    assert [row["line"] for row in folder.refused()] == [4, 5]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[{"item_id": "a"}\n{"item_id": "b"}]', "is not JSON: line 2: ',' expected"),
        ('[{"item_id": "a"},\n{"item_id" 3}]', "is not JSON: line 2: Expecting ':' delimiter"),
        ('[{"item_id": "a"}', "is not JSON: line 1: ',' expected"),
        ('[{"item_id": "a"}]\n[]', "is not JSON: line 2: more than one value"),
        ('{"a": [{"item_id": "a"}],\n"b": []}', "neither JSON lines, an array, nor an object"),
        ('{"a": 1,\n"b": 2}', "neither JSON lines, an array, nor an object"),
        ('["' + "x" * 3000 + '"]', "is not JSON: line 1: Unterminated string"),
    ],
)
def test_a_broken_document_is_named(
    folder: Folder, text: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_documents, "MAX_LINE", 2000)
    folder.put("a.json", text)
    with pytest.raises(DataError, match=said):
        folder.read("a.json")


def test_the_memory_is_that_of_a_block(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line of 18 MB, of which little is kept."""
    monkeypatch.undo()
    for module in (json_tables, blocks):
        monkeypatch.setattr(module, "BLOCK_CHARACTERS", 10**6)
    record = '{"item_id": "a", "order_id": "1", "page": "' + "x" * 6000 + '"}'
    folder.put("a.json", "[" + ",".join([record] * 3_000) + "]")
    folder.put("b.json", f"[{record}]")
    folder.read(interactions="b.json")  # what it imports is not measured
    tracemalloc.start()
    assert len(folder.read(interactions="a.json").interactions) == 3_000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 12e6, peak
