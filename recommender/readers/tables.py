"""Tables: a file of any format, opened with its ledger and watched while it is read."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field

from recommender.core.telemetry import Advance
from recommender.readers.blocks import Block, Table
from recommender.readers.delimited import opened_delimited
from recommender.readers.files import InputFile, fingerprint, unchanged
from recommender.readers.json_lines import opened_json
from recommender.readers.parquet import opened_parquet
from recommender.readers.quarantine import Quarantine
from recommender.readers.report import FileReport
from recommender.readers.row_accounting import Ledger


@dataclass(frozen=True, slots=True)
class Intake:
    """What the files of one run are read with; `reports` grows by one as each file ends."""

    quarantine: Quarantine
    advance: Advance
    refused_share_max: float
    reports: list[FileReport] = field(default_factory=list)

    @contextmanager
    def opened(self, file: InputFile, delimiter: str, encoding: str) -> Iterator["OpenFile"]:
        """Open a file; at the end check that nobody wrote to it, and its share of refused rows.

        Raises: ConfigError or DataError naming the file, what is wrong with it and what to do.
        """
        before = fingerprint(file)
        ledger = Ledger(file, self.quarantine)
        with unchanged(file, before), _opened(file, delimiter, encoding, ledger) as table:
            opened = OpenFile(table, ledger, self.advance)
            yield opened
        self.advance(before.size - opened.position)
        self.reports.append(ledger.report(before, self.refused_share_max))


class OpenFile:
    """A table with its ledger; `position` is the number of bytes that progress knows of."""

    def __init__(self, table: Table, ledger: Ledger, advance: Advance) -> None:
        self.header = table.header
        self.ledger = ledger
        self.position = 0
        self._table = table
        self._advance = advance

    def blocks(self, names: Sequence[str], ids: Collection[str]) -> Iterator[Block]:
        """The blocks of the table; progress advances by a block's bytes when it was used."""
        for block in self._table.blocks(names, ids):
            yield block
            self._advance(block.position - self.position)
            self.position = block.position


def _opened(
    file: InputFile, delimiter: str, encoding: str, ledger: Ledger
) -> AbstractContextManager[Table]:
    if file.format == "jsonl":
        return opened_json(file, encoding, ledger)
    if file.format == "parquet":
        return opened_parquet(file)
    return opened_delimited(file, delimiter, encoding, ledger)
