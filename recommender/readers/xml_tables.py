"""XML tables: product feeds in RSS, Atom and other dialects, of elements such as <product>.

Attributes of an item, as in <offer id="7">, are columns too.

A feed is parsed as it is read. Document types are refused, and entities with them, because they
can make a small file large.
"""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import BinaryIO, NoReturn
from xml.parsers import expat

from recommender.errors import DataError
from recommender.readers.blocks import BLOCK_CHARACTERS, Block, Record, gather_blocks
from recommender.readers.columns import Header
from recommender.readers.compression import unpacked
from recommender.readers.files import InputFile
from recommender.readers.lines import MAX_LINE
from recommender.readers.tables import Table

ITEMS = frozenset(
    {"item", "entry", "product", "offer", "shopitem", "article", "produkt", "artikel"}
)
"""The elements of items, in lower case: of RSS, Atom, and other dialects of product feeds."""
SEVERAL = frozenset({"product_type", "category"})
"""The elements of which an item may have several."""
NAMING_ROWS = 1_000
MAX_COLUMNS = 1_000
_CHUNK = 2**16
Item = tuple[int, dict[str, str]]


class XmlTable:
    """The items of a feed; its columns are the names in its first items, without namespaces.

    Of an element that is repeated in an item, the first with a text counts, or all of `SEVERAL`,
    one a line. Elements within one,
    such as the price of `g:shipping`, are left out.
    """

    def __init__(self, shown: str, raw: BinaryIO, stream: BinaryIO) -> None:
        self.characters = 0
        self._shown = shown
        self._raw = raw
        self._stream = stream
        self._begin()
        items = self._read()
        first = []
        for item in items:
            first.append(item)
            if len(first) == NAMING_ROWS or self.characters > BLOCK_CHARACTERS:
                break
        self._items = chain(first, items)
        names = tuple(dict.fromkeys(name for _, texts in first for name in texts))
        if not names:
            raise DataError(f"{shown}: no feed of items: no <item>, <entry>, <product> or <offer>")
        self.header = Header(shown, names)

    def position(self) -> int:
        """The number of bytes of the file, compressed or not, that were read so far."""
        return self._raw.tell()

    def blocks(self, names: Sequence[str], ids: Collection[str]) -> Iterator[Block]:
        """The named columns, as in `Table`; every cell is text, so `ids` has no effect."""
        places = {name: place for place, name in enumerate(names)}
        return gather_blocks(self._records(names), self, len(names), places)

    def _records(self, names: Sequence[str]) -> Iterator[Record]:
        for line, texts in self._items:
            yield line, [texts.get(name, "") for name in names]

    def _begin(self) -> None:
        self._parser = expat.ParserCreate(namespace_separator=" ")
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._take
        self._parser.StartDoctypeDeclHandler = self._refuse
        self._depth = 0
        self._inside = 0
        self._item: Item = (0, {})
        self._text: list[str] = []
        self._length = 0
        self._done: list[Item] = []

    def _read(self) -> Iterator[Item]:
        try:
            while chunk := self._stream.read(_CHUNK):
                self._parser.Parse(chunk, False)
                yield from self._finished()
            self._parser.Parse(b"", True)
        except (expat.ExpatError, LookupError, ValueError) as error:  # or of its encoding
            raise DataError(f"{self._shown} is not XML: {error}; export it again") from error
        yield from self._finished()

    def _finished(self) -> list[Item]:
        done, self._done = self._done, []
        return done

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth == self._inside + 1 and self._inside:
            self._text, self._length = [], 0
        elif not self._inside and name.rpartition(" ")[2].casefold() in ITEMS:
            self._inside = self._depth
            self._item = (self._parser.CurrentLineNumber, dict(attributes))

    def _take(self, text: str) -> None:
        if self._inside and self._depth == self._inside + 1:
            self._length += len(text)
            self.characters += len(text)
            if self._length > MAX_LINE:
                raise DataError(
                    f"{self._shown} line {self._parser.CurrentLineNumber:,}: a text longer than "
                    f"{MAX_LINE:,} characters; is an element not closed?"
                )
            self._text.append(text)

    def _end(self, name: str) -> None:
        if self._depth == self._inside:
            self._done.append(self._item)
            self._inside = 0
        elif self._inside and self._depth == self._inside + 1:
            texts, column = self._item[1], name.rpartition(" ")[2]
            if len(texts) < MAX_COLUMNS:
                text, known = "".join(self._text).strip(), texts.get(column, "")
                several = column in SEVERAL and known and text
                texts[column] = f"{known}\n{text}" if several else known or text
            self._text = []
        self._depth -= 1

    def _refuse(self, *_: object) -> NoReturn:
        raise DataError(f"{self._shown}: has a document type, which is refused; export it without")


@contextmanager
def open_xml_table(file: InputFile) -> Iterator[Table]:
    """Open a feed. Raises: DataError where it is not XML, or has no items."""
    with unpacked(file.path, file.shown, file.compression) as (raw, stream):
        yield XmlTable(file.shown, raw, stream)
