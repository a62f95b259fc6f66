"""Rule files as people write them, and drafts for them."""

from hypothesis import strategies as st

from recommender.merchandising.rule_entry import RuleFields, Value
from tests.support.repository import CONFIG

EXAMPLE = (CONFIG / "examples" / "rules.yaml").read_text()
WRITTEN = {
    "example": EXAMPLE,
    "windows": EXAMPLE.replace("\n", "\r\n"),
    "empty": "rules: []   # none yet\n",
    "nothing": "rules:\n",
    "null": "# ours\nrules:   ~\n\nbundles: { discount: 5% }\n",
    "brackets": "rules: [\n  # nothing\n]\n# the end",
    "bundles": "time_zone: Europe/Berlin\nbundles:\n  discount: 5%   # of all\n\n# the end\n",
    "tight": "rules:\n- {name: one, exclude: b}\n- {name: two, exclude: [c, d]}  # both\n",
    "no line end": "rules:\n  - name: one\n    exclude: b",
    "wide": (
        "rules:\n\n    -   name: one\n        exclude: b\n"
        "\n\n    -   exclude: c\n        name: two\n"
    ),
    "comments": (
        "rules:\n"
        "  # the first\n"
        "  -  # a dash alone\n"
        "    name: one\n"
        "    exclude: b\n"
        "      # below one\n"
        "  # - name: off\n"
        "  #   exclude: d\n"
        "\n"
        "  - name: 'two'   # quoted\n"
        "    exclude: { item: [c, e], brand: 'No' }\n"
        "    note: |+\n"
        "      Many lines\n"
        "      # of text\n"
        "\n"
        "\n"
        "bundles:\n"
        "  min_score: 0.1\n"
    ),
    "markers": "%YAML 1.1\n---\nrules:\n- name: ünïcode 🎈\n  bury: '007'\n  by: 2\n...\n",
    "odd": (
        'rules:\n- "name": "a: b # c"\n  note: >-\n    folded\n    text\n  boost: x\n  by: 1.5\n'
    ),
}
"""Rule files by what is special about them."""

texts = st.text(min_size=1, max_size=12).filter(lambda text: text.strip() == text and text != "")
names = st.sampled_from(["new", "one", "two", "successor", "launch-jug"]) | texts
ids = st.sampled_from(["b", "007", "No", "1e3", "a#b", "20012"])
selections = ids | st.lists(ids, min_size=1, max_size=3, unique=True)
tables = st.dictionaries(st.sampled_from(["brand", "category"]), texts, min_size=1)
days = st.dates().map(lambda day: day.isoformat())


@st.composite
def fields(draw: st.DrawFn) -> RuleFields:
    """The fields of a rule; some make none."""
    made: dict[str, Value] = {"name": draw(names)}
    action = draw(st.sampled_from(["pin", "boost", "bury", "exclude", "replace"]))
    made[action] = draw(ids if action in {"pin", "replace"} else selections | tables)
    if action == "pin":
        made["position"] = draw(st.integers(1, 12).map(str))
    if action in {"boost", "bury"}:
        made["by"] = draw(st.sampled_from(["2", "1.5"]))
    if action == "replace":
        made["with"] = "other"
    for key, values in {"lists_of": selections | tables, "note": texts, "from": days}.items():
        if draw(st.booleans()):
            made[key] = draw(values)
    return made
