"""Scripts: in which scripts texts are written."""

import unicodedata
from collections import Counter
from collections.abc import Iterable


def script_shares(texts: Iterable[str]) -> dict[str, float]:
    """The share of the letters that each script has, such as LATIN or CJK, the largest first.

    The script of a letter is the first word of its Unicode name.
    """
    letters = Counter(letter for text in texts for letter in text if letter.isalpha())
    scripts = Counter[str]()
    for letter, count in letters.items():
        scripts[unicodedata.name(letter, "UNKNOWN").partition(" ")[0]] += count
    total = scripts.total()
    return {script: count / total for script, count in scripts.most_common()}
