"""Tables: files of any format, read in blocks of text cells with the line number of each row."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

from recommender.core.telemetry import Advance
from recommender.errors import DataError
from recommender.readers.blocks import Block
from recommender.readers.columns import Header
from recommender.readers.files import InputFile, described, fingerprint, unchanged
from recommender.readers.layouts import TextLayout
from recommender.readers.row_accounting import FileReport, Quarantine, RowAccounting

ROWS_MAX = 500_000_000


class Table(Protocol):
    """An open file of any format, which is read once from start to end."""

    header: Header

    def blocks(self, names: Sequence[str], ids: Collection[str]) -> Iterator[Block]:
        """The named columns in blocks; a missing value is an empty text.

        Malformed rows are refused instead. Columns in `ids` hold ids, which are texts or whole
        numbers. Raises: DataError where the rest of the file cannot be read.
        """
        ...


class OpenTable:
    """An open table with the accounting of its rows."""

    def __init__(
        self,
        table: Table,
        accounting: RowAccounting,
        advance: Advance,
        *,
        rows_max: int,
        sample: bool = False,
    ) -> None:
        self.header = table.header
        self.accounting = accounting
        self.sample = sample
        self.position = 0
        """The number of bytes that were reported as progress."""
        self._table = table
        self._advance = advance
        self._rows_max = rows_max

    def blocks(self, names: Sequence[str], ids: Collection[str]) -> Iterator[Block]:
        """The blocks of the table, or the first of a sample; progress advances after each.

        Raises: DataError where there are more rows than may be.
        """
        n_rows = 0
        for block in self._table.blocks(names, ids):
            n_rows += len(block.lines)
            if n_rows > self._rows_max:
                raise DataError(
                    f"{self.header.file}: more rows than limits.rows_max; raise it if that is right"
                )
            yield block
            self._advance(block.position - self.position)
            self.position = block.position
            if self.sample:
                return


@dataclass(frozen=True, slots=True)
class TableReader:
    """Opens the files of one run; `reports` gets a report at the end of each file."""

    quarantine: Quarantine
    advance: Advance
    refused_share_max: float
    rows_max: int = ROWS_MAX
    """The most rows of all files together."""
    reports: list[FileReport] = field(default_factory=list)

    @contextmanager
    def open(
        self, file: InputFile, layout: TextLayout, *, sample: bool = False
    ) -> Iterator[OpenTable]:
        """Open a file; at the end check that it did not change, and its share of refused rows.

        A `sample` is its first block alone; it has no digest.

        Raises: ConfigError or DataError naming the file, what is wrong with it and what to do.
        """
        before = described(file) if sample else fingerprint(file)
        accounting = RowAccounting(file, self.quarantine)
        with unchanged(file, before), _open(file, layout, accounting) as table:
            left = self.rows_max - sum(report.rows for report in self.reports)
            opened = OpenTable(table, accounting, self.advance, rows_max=left, sample=sample)
            yield opened
        self.advance(before.size - opened.position)
        self.reports.append(accounting.report(before, self.refused_share_max))


@contextmanager
def open_sample(file: InputFile, layout: TextLayout) -> Iterator[OpenTable]:
    """Open a file for its header and its first block; refused rows are counted and forgotten.

    Raises: ConfigError or DataError where the file cannot be read.
    """
    with TemporaryDirectory() as folder:
        quarantine = Quarantine(Path(folder, "quarantine"))
        reader = TableReader(quarantine, lambda _units: None, refused_share_max=1.0)
        try:
            with reader.open(file, layout, sample=True) as table:
                yield table
        finally:
            quarantine.end(keep=False)


def _open(
    file: InputFile, layout: TextLayout, accounting: RowAccounting
) -> AbstractContextManager[Table]:
    # A format is imported when a file needs it: formats use this module, and pyarrow loads slowly.
    if file.format == "parquet":
        from recommender.readers.parquet import open_parquet

        return open_parquet(file)
    if file.format in {"json", "jsonl"}:
        from recommender.readers.json_tables import open_json_table

        return open_json_table(file, layout, accounting)
    if file.format == "xlsx":
        from recommender.readers.excel_tables import open_excel_table

        return open_excel_table(file, layout, accounting)
    if file.format == "xml":
        from recommender.readers.xml_tables import open_xml_table

        return open_xml_table(file)
    from recommender.readers.text_tables import open_text_table

    return open_text_table(file, layout, accounting)
