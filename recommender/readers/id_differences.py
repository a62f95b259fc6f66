"""Id differences: what a sold id and an id of the catalogue differ in, and what repairs it."""

import re

SEPARATORS = ("|", ",", ";", "\n", "/", "+", " ")
_FLOAT = re.compile(r"(.*\d)(\.0+)")
_EXPONENT = re.compile(r"\d(?:[.,]\d+)?[eE]\+?\d+")
_TAIL = re.compile(r".*[/:_|-](.+)")
_PATTERNS = (
    r"\W*(.*\w)",
    r"\W*(\S+)",
    r"[^;]*;([^;]+)",
    r".*/([^/?#]+)",
    r"\D+(\d.*)",
    r"\W*(.*?)\s*[:x*=]\s*\d+$",
)
_AROUND = tuple(map(re.compile, _PATTERNS))
"""What is around ids: marks; a quantity behind them; other fields, as in Adobe's product lists; a
URL; letters before a number; a quantity behind a mark."""
_IN_JSON = re.compile(
    r""".*?"(?:sku|item_id|product_id|itemId|productId|id|code)"\s*:\s*"?([^",}]+)"""
)
_MARK = re.compile(r"\W")
_LONG_NUMBER = 8
_FIELDS = ("|", ":", ";", "/", "_")
MOST_EXPONENTS = 100


class Explanations:
    """Explains sold ids by the ids of the catalogue that they nearly are."""

    def __init__(self, known: frozenset[str], source: str) -> None:
        self._known = known
        self._source = source
        self._folded = {value.casefold(): value for value in sorted(known)}
        digits = {value for value in known if value.isdigit()}
        self._stripped = {value.lstrip("0"): value for value in sorted(digits)}
        lengths = {len(value) for value in digits}
        self._pad = lengths.pop() if len(lengths) == 1 else 0
        self._bare_ids = {_bare(value): value for value in sorted(known)}
        self._exponents = [
            (value, places, f"{float(number):.{places}E}")
            for value in sorted(known)
            if _EXPONENT.fullmatch(value)
            for number in [value.replace(",", ".")]
            for places in [len(number.upper().partition("E")[0].partition(".")[2])]
        ][:MOST_EXPONENTS]
        self._floats: dict[str, str] = {
            _rounded(value, places): value
            for value in sorted(digits)
            if len(value) >= _LONG_NUMBER
            for places in range(1, 7)
        }

    def of(self, value: str) -> tuple[str, str, str]:
        """What is different, the setting that repairs it, and the id of the catalogue."""
        ways = (self._plain, self._of_numbers, self._of_cells, self._of_exponents, self._of_tails)
        others = (self._surrounded, self._of_parts, self._listed_differently)
        found = (explain(value) for explain in (*ways, *others))
        return next((each for each in found if each[0]), ("", "", ""))

    def _set(self, **repairs: object) -> str:
        inner = ", ".join(f"{name} = {_literal(value)}" for name, value in repairs.items())
        return f"{self._source}.ids = {{ {inner} }}"

    def _plain(self, value: str) -> tuple[str, str, str]:
        repairs: dict[str, object] = {}
        words = []
        if (found := _FLOAT.fullmatch(value)) is not None:
            value, repairs["strip_suffix"] = found[1], found[2]
            words.append(f"ids end in {found[2]}, as numbers that pandas or a spreadsheet wrote")
        if value in self._known:
            return "; ".join(words), self._set(**repairs), value
        if (listed := self._folded.get(value.casefold())) is not None:
            words.append("ids differ in case")
            return "; ".join(words), self._set(**repairs, fold_case=True), listed
        stripped = value.lstrip("0")
        if value.isdigit() and (listed := self._stripped.get(stripped)) is not None:
            if len(listed) < len(value):
                words.append("the catalogue lost the zeros before its ids")
                return "; ".join(words), f"catalogue.ids = {{ pad = {len(value)} }}", listed
            words.append("ids lost the zeros before them")
            if self._pad:
                return "; ".join(words), self._set(**repairs, pad=self._pad), listed
            return "; ".join(words) + "; export the ids as text", "", listed
        return "", "", ""

    def _of_numbers(self, value: str) -> tuple[str, str, str]:
        if value + ".0" in self._known:
            what = "ids of the catalogue end in .0, as numbers that pandas or a spreadsheet wrote"
            return what, "catalogue.ids = { strip_suffix = '.0' }", value + ".0"
        if (listed := value.replace(",", "")) in self._known and listed != value:
            return "ids have separators of thousands: export them as text", "", listed
        return "", "", ""

    def _of_cells(self, value: str) -> tuple[str, str, str]:
        for separator in SEPARATORS:
            parts = [part.strip() for part in value.split(separator)]
            met = [part for part in parts if part in self._known]
            if len(parts) > 1 and 2 * len(met) > len(parts):
                return "a cell has several ids", self._set(split=separator), met[0]
        return "", "", ""

    def _surrounded(self, value: str) -> tuple[str, str, str]:
        """Ids with something around them, alone or several in a cell."""
        if not _MARK.search(value) and not value[:1].isalpha():
            return "", "", ""
        for around in _AROUND:
            for separator in SEPARATORS:
                parts = [around.match(part) for part in value.split(separator)]
                met = [part[1] for part in parts if part and part[1] in self._known]
                if len(parts) > 1 and 2 * len(met) > len(parts):
                    setting = self._set(split=separator, extract=around.pattern)
                    return "a cell has several ids, with something around them", setting, met[0]
            if (found := around.match(value)) and found[1] in self._known:
                setting = self._set(extract=around.pattern)
                return "ids have something around them", setting, found[1]
        return "", "", ""

    def _of_parts(self, value: str) -> tuple[str, str, str]:
        """Ids that are one of several fields, as in `S1|P4|EU`, or a name within JSON."""
        for mark in _FIELDS:
            parts = [part.strip() for part in value.split(mark)]
            places = [place for place, part in enumerate(parts) if part in self._known]
            if len(parts) > 1 and len(places) == 1:
                pattern = rf"(?:[^{mark}]*[{mark}]){{{places[0]}}}([^{mark}]+)"
                return "ids are one of several fields", self._set(extract=pattern), parts[places[0]]
        if (found := _IN_JSON.match(value)) and found[1].strip() in self._known:
            setting = self._set(split="{", extract=_IN_JSON.pattern)
            return "a cell has several ids, as JSON", setting, found[1].strip()
        return "", "", ""

    def _listed_differently(self, value: str) -> tuple[str, str, str]:
        """Ids that the catalogue wrote with marks, zeros or case that the interactions lack."""
        listed = self._bare_ids.get(_bare(value), "")
        if not listed:
            exponent = next(
                (e for e in self._exponents if value.isdigit() and _rounded(value, e[1]) == e[2]),
                None,
            )
            what = (
                "a spreadsheet wrote ids of the catalogue as rounded numbers: export them as text"
            )
            return (what, "", exponent[0]) if exponent else ("", "", "")
        if (found := _FLOAT.fullmatch(listed)) and found[1].lstrip("0") == value.lstrip("0"):
            pad = f", pad = {len(value)}" if len(found[1]) < len(value) else ""
            what = f"ids of the catalogue end in {found[2]}, and differ in zeros before them"
            return what, f"catalogue.ids = {{ strip_suffix = '{found[2]}'{pad} }}", listed
        around = _AROUND[0].match(listed)
        if around and around[1] == value:
            what = "ids of the catalogue have something around them"
            return what, f"catalogue.ids = {{ extract = '{_AROUND[0].pattern}' }}", listed
        return "ids differ in marks, zeros or case: export them alike", "", listed

    def _of_exponents(self, value: str) -> tuple[str, str, str]:
        if not _EXPONENT.fullmatch(value):
            return "", "", ""
        number, places = value.replace(",", ".").upper(), 0
        mantissa = number.partition("E")[0]
        places = len(mantissa.partition(".")[2])
        listed = self._floats.get(f"{float(number):.{places}E}", "")
        what = (
            "a spreadsheet wrote ids as rounded numbers; their digits are lost: export them as text"
        )
        return what, "", listed

    def _of_tails(self, value: str) -> tuple[str, str, str]:
        found = _TAIL.fullmatch(value)
        if found is None or found[1] not in self._known:
            return "", "", ""
        return "ids have something before them", self._set(extract=_TAIL.pattern), found[1]


def _bare(value: str) -> str:
    """An id without marks, case, zeros before it and a decimal zero behind it."""
    found = _FLOAT.fullmatch(value)
    return re.sub(r"[\W_]", "", found[1] if found else value).casefold().lstrip("0")


def _rounded(value: str, places: int) -> str:
    return f"{float(value):.{places}E}"


def _literal(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int) else f"'{value}'"
