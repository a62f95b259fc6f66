"""The release after this one, with a schema 2 of its own: in a process of its own.

    publish URL SHOP BUILD    publishes lists of schema 2
    read URL SHOP ITEM        looks an item up; reads schema 2, and schema 1 as well

Schema 2 has ids joined by a space, and a pointer that says so.
"""

import json
import sys
from contextlib import closing

from recommender.publishing.publisher import Publisher
from recommender.publishing.staging import SomeLists
from recommender.serving import codec
from recommender.serving.connection import open_store
from recommender.serving.lookup import RelatedItems
from tests.serving import builds

_decode_pointer, _decode_list = codec.decode_pointer, codec.decode_list
_encoded = SomeLists.encoded


def _pointer_of_either(raw: object) -> codec.Pointer:
    if isinstance(raw, bytes):
        raw = raw.replace(b'"schema":1', b'"schema":2')
    return _decode_pointer(raw)


def _list_of_either(raw: object, item: str) -> codec.StoredList:
    if isinstance(raw, bytes):
        raw = raw.replace(b" ", b"\t")
    return _decode_list(raw, item)


def _encoded_as_two(lists: SomeLists) -> dict[str, bytes]:
    return {name: value.replace(b"\t", b" ") for name, value in _encoded(lists).items()}


def main(act: str, url: str, shop: str, argument: str) -> None:
    codec.SCHEMA = 2
    codec.decode_pointer = _pointer_of_either
    codec.decode_list = _list_of_either
    SomeLists.encoded = _encoded_as_two  # type: ignore[method-assign, assignment]
    if act == "publish":
        with open_store(url) as store:
            made = builds.publish(Publisher(store, shop, grace_s=0.0), int(argument))
        sys.stdout.write(json.dumps({"generation": made.id}))
        return
    with closing(RelatedItems(url, shop, deadline_s=5.0)) as lookup:
        answer = lookup.get(argument, n=3)
    result = {"generation": answer.generation, "status": answer.status, "ids": answer.ids}
    sys.stdout.write(json.dumps(result))


if __name__ == "__main__":
    main(*sys.argv[1:])
