"""Input checks: what a reindex would read of the files, from their headers and a sample."""

import re
import secrets
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import fields, replace
from datetime import UTC, datetime
from pathlib import Path

from recommender.core.interactions import DAY_S
from recommender.core.recipe import Choice
from recommender.core.scripts import script_shares
from recommender.core.telemetry import Progress, silent
from recommender.errors import RecommenderError
from recommender.insights.diagnosis import Diagnosis, Verdict
from recommender.readers.assembly import ShopData
from recommender.readers.columns import (
    CatalogueMapping,
    InteractionMapping,
    map_catalogue,
    map_interactions,
)
from recommender.readers.files import InputFile
from recommender.readers.interactions import HashedUsers
from recommender.readers.joining import require_joined
from recommender.readers.row_accounting import FileReport
from recommender.readers.shop import better_columns_of, read_shop
from recommender.readers.shop_source import ShopSource
from recommender.readers.sources import CatalogueSource, InteractionSource
from recommender.readers.tables import open_sample
from recommender.readers.usual_words import NULLS
from recommender.readers.values import truth_values

SHOWN = 4
SAMPLED_TITLES = 5_000
UNKNOWN_SHARE = 0.3
"""The share of letters in scripts that a text model does not know, above which to warn."""
ENGLISH = frozenset({"all-MiniLM-L6-v2", "all-MiniLM-L12-v2", "all-mpnet-base-v2"})
"""Models of sentence-transformers that know English alone; the first is the default."""
MULTILINGUAL = "paraphrase-multilingual-MiniLM-L12-v2"
ORDER_STATUS = re.compile(r"status|state\b|cancel", re.IGNORECASE)
CANCELLED = re.compile(r"(?i)(wc-)?(cancel|refund|void|fail|closed|returned|storn)")
CANCELLED_AT = re.compile(
    r"(?i)cancel|void(ed)?[ _]?(at|on)|storn|annul|is[ _]?(returned|refunded|void)"
)
COUNTED = re.compile(r"(?i)qty|quantity|amount|total|price|reason|items|count|by$|menge")
_KIND = re.compile(r"kind (.*) has no weight")


def read_sample(source: ShopSource, quarantine: Path, progress: Progress = silent) -> ShopData:
    """The catalogue and a sample of the interactions, whether or not they meet.

    Raises: ConfigError and DataError as `read_shop`.
    """
    users = HashedUsers(secrets.token_bytes(32))
    free = replace(source, joined_share_min=0.0, sample=True)
    return read_shop(free, users, quarantine=quarantine, progress=progress, sample=True)


def examine_shop(
    source: ShopSource,
    content: Mapping[str, Choice],
    quarantine: Path,
    now: float,
    progress: Progress = silent,
) -> Iterator[Diagnosis]:
    """What a reindex would read, and what is wrong with it; `now` is in epoch seconds."""
    catalogue, interactions = source.files()
    parts: list[tuple[CatalogueSource | InteractionSource, tuple[InputFile, ...]]] = []
    parts += [(source.catalogue, catalogue)] if catalogue else []
    parts += zip(source.interactions, interactions, strict=True)
    for part, files in parts:
        yield examine_mapping(part, files[0], with_titles=not catalogue)
        if isinstance(part, InteractionSource):
            yield from examine_cancellations(part, files[0])
    try:
        data = read_sample(source, quarantine, progress)
    except (RecommenderError, OSError) as error:
        yield from _faults(source, quarantine, str(error))
        return
    yield from map(_rows, data.report.files)
    yield from examine_kinds(source, data.report.files)
    yield from _joins(source, data)
    yield from examine_times(data, now)
    yield from examine_scripts(content, data.catalogue.title)


def mapping_of(
    part: CatalogueSource | InteractionSource, file: InputFile, *, with_titles: bool
) -> dict[str, str]:
    """The columns of a file that each field is read from, as text.

    Raises: ConfigError and DataError where the file lacks a column or cannot be read.
    """
    with open_sample(file, part.layout) as table:
        mapping: CatalogueMapping | InteractionMapping
        if isinstance(part, CatalogueSource):
            mapping = map_catalogue(table.header, part.columns, (*part.only, *part.hidden))
        else:
            mapping = map_interactions(table.header, part, file.setting, with_titles)
    found: dict[str, tuple[str, ...]] = {}
    for each in fields(mapping):
        value = getattr(mapping, each.name)
        columns = value if isinstance(value, dict) else {each.name: value}
        found |= {name: (c,) if isinstance(c, str) else c for name, c in columns.items()}
    texts = {name: " + ".join(filter(None, columns)) for name, columns in found.items()}
    return {name: text for name, text in texts.items() if text and name != "matched"}


def examine_mapping(
    part: CatalogueSource | InteractionSource, file: InputFile, *, with_titles: bool
) -> Diagnosis:
    """Which column of a file each field is read from."""
    try:
        found = mapping_of(part, file, with_titles=with_titles)
    except RecommenderError as error:
        return Diagnosis("columns", "fault", str(error))
    text = ", ".join(f"{name} = {columns}" for name, columns in found.items())
    return Diagnosis("columns", "ok", f"{file.path.name}: {text}")


def examine_cancellations(part: InteractionSource, file: InputFile) -> list[Diagnosis]:
    """Whether a file has cancelled orders that the settings do not leave out."""
    if part.cancellations:
        return []
    try:
        with open_sample(file, part.layout) as table:
            kind = part.columns.kind or "kind"
            names = [name for name in table.header.columns if name not in {kind, ""}]
            block = next(iter(table.blocks(names, ())), None)
    except RecommenderError:
        return []
    cells = {} if block is None else {name: block.cells[name].tolist() for name in names}
    found = cancelled_orders(cells)
    if not found:
        return []
    column, words = found
    shown = ", ".join(f"{word!r} ({count:,})" for word, count in words.most_common(SHOWN))
    pattern = cancelled_pattern(words)
    setting = f'cancelled = {{ column = "{column}", pattern = "{pattern}" }}'
    text = (
        f"{file.path.name}: column {column!r} has {shown}, and these orders count as purchases; "
        f"set {setting} in [interactions]"
    )
    return [Diagnosis("cancelled", "warning", text)]


def cancelled_orders(
    cells: Mapping[str, Sequence[str]],
) -> tuple[str, Counter[str]] | None:
    """The column of the status of orders, with its words for cancelled; None without one."""
    for name, texts in cells.items():
        if ORDER_STATUS.search(name):
            words = Counter(text.strip() for text in texts if CANCELLED.match(text.strip()))
            if words:
                return name, words
    for name, texts in cells.items():
        if CANCELLED_AT.search(name) and not COUNTED.search(name):
            words = Counter(text.strip() for text in texts)
            marks = Counter({text: n for text, n in words.items() if _is_mark(text)})
            if marks and len(marks) < len(words):
                return name, marks
    return None


def cancelled_pattern(words: Collection[str]) -> str:
    """A pattern of the words for cancelled; of dates, of which there are many, any date."""
    if all(word[:1].isdigit() and len(word) > 1 for word in words):
        return r"\d*[1-9]"
    return "|".join(map(re.escape, sorted(words)))


def _is_mark(text: str) -> bool:
    """Whether a text is a date, or a word for yes."""
    if not text or text in NULLS:
        return False
    values, faults = truth_values([text], "")
    return bool(values[0]) or (bool(faults[0]) and any(digit in text for digit in "123456789"))


def _faults(source: ShopSource, quarantine: Path, first: str) -> Iterator[Diagnosis]:
    """Why the whole cannot be read, and its parts."""
    found = {first: ""}
    for what in ("catalogue", "interactions"):
        alone = {
            "catalogue": {"interactions": ()},
            "interactions": {"catalogue": CatalogueSource()},
        }
        try:
            part = replace(source, **alone[what])  # type: ignore[arg-type]
            read_sample(part, quarantine)
        except RecommenderError as error:
            if "nothing to read" not in str(error):
                found[str(error)] = what
        except OSError as error:
            found[str(error)] = what
    for text, what in found.items():
        yield Diagnosis(what or "files", "fault", text)


def _rows(file: FileReport) -> Diagnosis:
    """How many rows of a file are kept, and what is done with the others."""
    parts = [f"{file.name}: {file.kept:,} of {file.rows:,} rows kept"]
    for verb, reasons in (
        ("left out", file.left_out),
        ("refused", file.refused),
        ("noted", file.noted),
    ):
        most = sorted(reasons.items(), key=lambda each: -each[1])[:SHOWN]
        if most:
            listed = ", ".join(f"{reason} ({count:,})" for reason, count in most)
            parts.append(f"{verb}: {listed}")
    examples = {each.reason: each for each in (*file.examples, *file.noted_examples) if each.value}
    if examples:
        first = next(iter(examples.values()))
        parts.append(f"such as {first.value!r:.60} in {first.column}, line {first.line:,}")
    verdict: Verdict = "warning" if file.refused or not file.kept else "ok"
    return Diagnosis("rows", verdict, "; ".join(parts))


def examine_kinds(source: ShopSource, files: Sequence[FileReport]) -> Iterator[Diagnosis]:
    """Which kinds of events have no weight, and so are left out."""
    for number, part in enumerate(source.interactions):
        mine = [file for file in files if file.key.rpartition(".")[0] == f"interactions.{number}"]
        unweighted = Counter[str]()
        for file in mine:
            for reason, count in file.left_out.items():
                if found := _KIND.fullmatch(reason):
                    unweighted[found[1]] += count
        if not unweighted:
            continue
        kept = sum(file.kept for file in mine)
        shown = ", ".join(f"{kind} ({count:,})" for kind, count in unweighted.most_common(SHOWN))
        wanted = ", ".join(f'"{kind}" = 1.0' for kind, _ in unweighted.most_common(SHOWN))
        text = (
            f"without a weight, and left out: {shown}; with one: {', '.join(part.weights)}. If "
            f"they should count, add them to interactions.weights, such as {{ {wanted} }}"
        )
        yield Diagnosis("kinds", "warning" if kept else "fault", text)


def _joins(source: ShopSource, data: ShopData) -> Iterator[Diagnosis]:
    for join in data.report.joins:
        try:
            require_joined((join,), source.joined_share_min, better_columns_of(source))
        except RecommenderError as error:
            yield Diagnosis("join", "fault", str(error))
            continue
        if not join.events:
            yield Diagnosis("join", "fault", f"{join.source}: no event was kept; see above")
        elif join.causes:
            yield Diagnosis("join", "warning", join.warning())
        else:
            yield Diagnosis("join", "ok", f"{join.source}: {join.shares()} (in the sample)")


def examine_times(data: ShopData, now: float) -> Iterator[Diagnosis]:
    """The span of the events, and whether some are dated in the future."""
    times = data.interactions.time[data.interactions.time > 0]
    if not len(times):
        text = "the events have no time: nothing can be judged or weighted by it; map columns.time"
        yield Diagnosis("times", "warning", text)
        return
    first, last = (datetime.fromtimestamp(int(each), UTC) for each in (times.min(), times.max()))
    text = f"{first:%Y-%m-%d} to {last:%Y-%m-%d} ({(last - first).days + 1:,} days)"
    late = int((times > now + DAY_S).sum())
    if data.report.after_as_of:
        text += (
            f"; {data.report.after_as_of:,} events are dated after all others, or after "
            "limits.as_of, and count as of the newest day; correct them, or set limits.as_of"
        )
    if late:
        text += (
            f"; {late:,} events are dated in the future; correct them, set time_format if days and "
            "months are exchanged, or set limits.as_of to the last day that is right"
        )
    verdict: Verdict = "warning" if late or data.report.after_as_of else "ok"
    yield Diagnosis("times", verdict, text)


def examine_scripts(content: Mapping[str, Choice], titles: Sequence[str]) -> Iterator[Diagnosis]:
    """Whether the text model knows the scripts that titles are written in."""
    shares = script_shares(titles[:SAMPLED_TITLES])
    foreign = {script: share for script, share in shares.items() if script != "LATIN"}
    shown = ", ".join(f"{script} {share:.0%}" for script, share in [*shares.items()][:SHOWN])
    for name, choice in content.items():
        model = str(choice.parameters.get("model", "all-MiniLM-L6-v2"))
        english = choice.use == "sentence-transformers" and Path(model).name in ENGLISH
        if english and sum(foreign.values()) > UNKNOWN_SHARE:
            text = (
                f"letters of titles: {shown}; {model} knows English alone. Set "
                f'recipe.content.{name} = {{ use = "sentence-transformers", model = '
                f'"{MULTILINGUAL}" }}, or {{ use = "hashing" }}, or see recommender train-words'
            )
            yield Diagnosis("titles", "warning", text)
            return
    if shares:
        yield Diagnosis("titles", "ok", f"letters: {shown}")
