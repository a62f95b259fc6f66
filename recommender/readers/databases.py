"""Databases: the result of a query, written to a Parquet file of texts.

SQLAlchemy reads it by a server-side cursor where the database has one, a few thousand rows at a
time, in a transaction that is read-only where the dialect knows that, and never committed.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from recommender.core.redaction import conceal_url, redacted, redacted_url
from recommender.errors import ConfigError, DataError, MissingExtra
from recommender.readers.cells import cell_text

ROWS = 2_000
"""How many rows are fetched at a time."""
GROUP_ROWS = 50_000
GROUP_CHARACTERS = 32 * 2**20
CONNECT_TIMEOUT_S = 10
_LIBPQ = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}
_TIMEOUTS: Mapping[str, Mapping[str, int]] = {
    "psycopg": {"connect_timeout": CONNECT_TIMEOUT_S, **_LIBPQ},
    "psycopg2": {"connect_timeout": CONNECT_TIMEOUT_S, **_LIBPQ},
    "pymysql": {"connect_timeout": CONNECT_TIMEOUT_S},
    "mysqldb": {"connect_timeout": CONNECT_TIMEOUT_S},
}
"""How drivers are told not to wait for a server that does not answer; the URL may say otherwise."""
_WHOLE = 2**128


def write_result(url: str, query: str, path: Path, *, what: str, rows_max: int = 0) -> str:
    """Write the rows of a query, at most `rows_max` unless 0, as texts to a Parquet file.

    Returns a digest of the column names and of the rows in any order, because a query without
    `order by` may return the same rows in another. `what` names the settings in messages.

    Raises: MissingExtra without SQLAlchemy or the driver; ConfigError where the URL or the query
    is wrong; DataError where the database cannot be reached or a value is no text.
    """
    conceal_url(url)
    with (
        _connected(url, what) as connection,
        closing(_executed(connection, query, what)) as result,
    ):
        names = _names(result, what)
        digest = int.from_bytes(hashlib.blake2b(repr(names).encode(), digest_size=16).digest())
        schema = pa.schema([(name, pa.string()) for name in names])
        with pq.ParquetWriter(path, schema) as writer:
            for rows in _groups(_rows(result, names, what, rows_max)):
                digest += sum(map(_row_digest, rows))
                writer.write_table(_table(rows, schema))
    return f"{digest % _WHOLE:032x}"


def _table(rows: Sequence[tuple[str | None, ...]], schema: pa.Schema) -> pa.Table:
    columns = [pa.array(column, pa.string()) for column in zip(*rows, strict=True)]
    return pa.Table.from_arrays(columns, schema=schema)


def _row_digest(row: tuple[str | None, ...]) -> int:
    return int.from_bytes(hashlib.blake2b(repr(row).encode(), digest_size=16).digest())


def _groups(rows: Iterator[tuple[str | None, ...]]) -> Iterator[list[tuple[str | None, ...]]]:
    """The rows in lists that are bounded by their number and their characters."""
    group, characters = [], 0
    for row in rows:
        group.append(row)
        characters += sum(map(len, filter(None, row)))
        if len(group) == GROUP_ROWS or characters > GROUP_CHARACTERS:
            yield group
            group, characters = [], 0
    if group:
        yield group


def _rows(
    result: Any,  # noqa: ANN401
    names: Sequence[str],
    what: str,
    rows_max: int,
) -> Iterator[tuple[str | None, ...]]:
    from sqlalchemy.exc import SQLAlchemyError

    number = 0
    try:
        for rows in result.partitions(ROWS):
            for row in rows:
                number += 1
                yield _texts(row, names, what, number)
                if number == rows_max:
                    return
    except SQLAlchemyError as error:
        raise DataError(
            f"{what}: the database failed after {number:,} rows: {_cause(error)}; run again"
        ) from None


def _texts(
    row: Sequence[object], names: Sequence[str], what: str, number: int
) -> tuple[str | None, ...]:
    try:
        return tuple(map(cell_text, row))
    except DataError:
        for name, value in zip(names, row, strict=True):
            try:
                cell_text(value)
            except DataError as error:
                raise DataError(f"{what} row {number:,}: column {name!r} has {error}") from None
        raise


def _names(result: Any, what: str) -> tuple[str, ...]:  # noqa: ANN401
    if not result.returns_rows:
        raise ConfigError(f"{what}: the query returns no rows; write a select")
    names = tuple(result.keys())
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ConfigError(f"{what}: two columns are named {repeated[0]!r}; rename one by `as`")
    return names


def _executed(connection: Any, query: str, what: str) -> Any:  # noqa: ANN401
    from sqlalchemy.exc import SQLAlchemyError

    try:
        return connection.exec_driver_sql(query)
    except SQLAlchemyError as error:
        raise ConfigError(f"{what}: the query fails: {_cause(error)}; correct it") from None


@contextmanager
def _connected(url: str, what: str) -> Iterator[Any]:
    """A connection that streams. The driver's errors are shown by their message alone."""
    try:
        import sqlalchemy
        from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError
    except ImportError as error:
        raise MissingExtra(
            "reading a database needs SQLAlchemy: pip install 'recommender[databases]'"
        ) from error
    shown = redacted_url(url)
    try:
        parsed = sqlalchemy.make_url(url)
        timeouts = _TIMEOUTS.get(parsed.get_driver_name(), {})
        arguments = {name: value for name, value in timeouts.items() if name not in parsed.query}
        engine = sqlalchemy.create_engine(
            parsed, poolclass=sqlalchemy.pool.NullPool, connect_args=arguments
        )
    except (ArgumentError, ValueError) as error:
        known = isinstance(error, NoSuchModuleError)
        why = "no such dialect or driver is installed" if known else "not a URL of a database"
        raise ConfigError(
            f"{what}: {shown}: {why}; write dialect+driver://user:password@host/database, such as "
            "postgresql+psycopg://, and install its driver"
        ) from None
    except ImportError as error:
        raise MissingExtra(
            f"{what}: {shown} needs the driver {error.name}: pip install it, or for PostgreSQL "
            "pip install 'recommender[databases]'"
        ) from None
    try:
        connection = engine.connect()
    except SQLAlchemyError as error:
        raise DataError(
            f"{what}: {shown} cannot be connected to: {_cause(error)}; check that the server runs, "
            "and the host, user, password and database of the URL"
        ) from None
    try:
        yield connection.execution_options(
            stream_results=True, max_row_buffer=ROWS, no_parameters=True, postgresql_readonly=True
        )
    finally:
        with suppress(SQLAlchemyError):
            connection.close()


def _cause(error: Exception) -> str:
    """What a driver says, in one line and without secrets; SQLAlchemy would add the query."""
    said = str(getattr(error, "orig", None) or error)
    return redacted(" ".join(said.split()))[:300]
