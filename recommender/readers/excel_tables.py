"""Excel tables: the first sheet of an .xlsx file, read row by row."""

import warnings
import zipfile
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import islice
from typing import Any

from recommender.errors import DataError, MissingExtra
from recommender.readers.blocks import Block, Record, gather_blocks
from recommender.readers.cells import cell_text
from recommender.readers.columns import Header
from recommender.readers.compression import require_bounded
from recommender.readers.files import InputFile
from recommender.readers.layouts import TextLayout
from recommender.readers.row_accounting import RefusedRow, RowAccounting
from recommender.readers.tables import Table

Row = tuple[object, ...]
ROWS_MAX = 2**20
"""Rows of a sheet, as Excel has them."""


class ExcelTable:
    """A sheet whose first row with a value, or the layout, names its columns.

    Rows without a value are skipped, and a row with a value beyond the columns is refused.
    """

    def __init__(
        self, shown: str, rows: Iterator[Row], layout: TextLayout, accounting: RowAccounting
    ) -> None:
        self.characters = 0
        self._accounting = accounting
        self._rows = islice(enumerate(rows, start=1), layout.skip_lines, None)
        if layout.header:
            self.header = Header(shown, layout.header)
            return
        first = next((texts for _, texts in self._texts() if any(texts)), None)
        if first is None:
            raise DataError(f"{shown}: the first sheet is empty; put the table there")
        while not first[-1]:
            first.pop()
        self.header = Header(shown, tuple(name.strip() for name in first))

    def position(self) -> int:
        """Always 0: the file is not read from its start to its end."""
        return 0

    def blocks(self, names: Sequence[str], ids: Collection[str]) -> Iterator[Block]:
        """The named columns, as in `Table`; every cell is read as text, so `ids` has no effect."""
        places = {name: self.header.columns.index(name) for name in names}
        return gather_blocks(self._records(), self, len(self.header.columns), places)

    def _records(self) -> Iterator[Record]:
        width = len(self.header.columns)
        for number, texts in self._texts():
            if any(texts[width:]):
                reason = f"{len(texts)} fields, {width} expected"
                self._accounting.refuse(RefusedRow(number, reason))
            elif any(texts):
                yield number, texts[:width] + [""] * (width - len(texts))

    def _texts(self) -> Iterator[Record]:
        for number, row in self._rows:
            texts = [cell_text(value) or "" for value in row]
            self.characters += sum(map(len, texts))
            yield number, texts


@contextmanager
def open_excel_table(
    file: InputFile, layout: TextLayout, accounting: RowAccounting
) -> Iterator[Table]:
    """Open an Excel file.

    Raises: MissingExtra without openpyxl; DataError where it is none, broken or empty.
    """
    try:
        from openpyxl import load_workbook
    except ImportError as error:
        raise MissingExtra(
            f"{file.shown}: Excel files need openpyxl: pip install 'recommender[excel]'"
        ) from error
    with ExitStack() as stack:
        with _unbroken(file.shown):
            archive = stack.enter_context(zipfile.ZipFile(file.path))
            unpacked = sum(each.file_size for each in archive.infolist())
        require_bounded(file.path, file.shown, unpacked)
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")  # openpyxl's, about styles
        stream = stack.enter_context(file.path.open("rb"))
        with _unbroken(file.shown):
            book = load_workbook(stream, read_only=True, data_only=True)
            sheet = book.worksheets[0]
            sheet.reset_dimensions()
        yield ExcelTable(file.shown, _rows(file.shown, sheet), layout, accounting)


def _rows(shown: str, sheet: Any) -> Iterator[Row]:  # noqa: ANN401 - openpyxl has no types
    with _unbroken(shown):
        for number, row in enumerate(sheet.iter_rows(values_only=True)):
            # openpyxl fills the gap before a row, whatever number the file gives to it.
            if number == ROWS_MAX:
                raise DataError(f"{shown}: more than {ROWS_MAX:,} rows, which Excel never writes")
            yield row


@contextmanager
def _unbroken(shown: str) -> Iterator[None]:
    """Raises: DataError in place of what openpyxl happens to raise for a broken file."""
    try:
        yield
    except DataError:
        raise
    except Exception as error:
        raise DataError(
            f"{shown} is not an .xlsx file, or a broken or protected one; save it as .xlsx or .csv"
        ) from error
