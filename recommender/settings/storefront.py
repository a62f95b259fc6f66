"""The tables of a settings file for what pages show: headings, languages, sessions, exploration."""

from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints

from recommender.core.languages import TAG
from recommender.serving.storefront import DECAY
from recommender.settings.table import Table

MAX_HEADING = 200
NO_LANGUAGE = ""


def _tag(text: str) -> str:
    if text and not TAG.fullmatch(text):
        raise ValueError("write a language as de or pt-BR")
    return text


def _by_language(given: object) -> object:
    """A text alone is the heading in the shop's own language."""
    return {NO_LANGUAGE: given} if isinstance(given, str) else given


Language = Annotated[str, AfterValidator(_tag)]
Heading = Annotated[str, StringConstraints(min_length=1, max_length=MAX_HEADING)]
Weight = Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)]


class PlacementPage(Table):
    """A placement on pages: its heading, in several languages or one, and what is explored.

    A share `explore` of the positions of its lists goes to new items; 0 for none. A `depth`
    replaces that of the recipe.
    """

    heading: Annotated[
        dict[Language, Heading],
        BeforeValidator(_by_language, json_schema_input_type=str | dict[str, Heading]),
    ] = Field(default_factory=dict)
    explore: float = Field(default=0.0, ge=0, le=0.5)
    depth: int | None = Field(default=None, ge=1, le=1000)


class StorefrontSettings(Table):
    """What pages of the shop have in common.

    `language` is that of titles and headings which name none. In a session, each moment weighs
    `decay` times as much as the one after it, and events weigh by `kinds` (1 if not named); items
    of a session are not shown, also those that were bought, unless `leave_out_bought` is false.
    Items with at most `new_events_max` events are new, until they were shown more than
    `new_impressions_max` times, where impressions are read.
    """

    language: Language = NO_LANGUAGE
    decay: float = Field(default=DECAY, gt=0, le=1)
    kinds: dict[str, Weight] = Field(default_factory=dict)
    leave_out_bought: bool = True
    new_events_max: int = Field(default=5, ge=0)
    new_impressions_max: int = Field(default=1000, ge=0)

    def plain(self, pages: dict[str, PlacementPage], titles: dict[str, str]) -> dict[str, Any]:
        """The parts of the storefront that are set, `titles` are the columns by language."""
        headings = {name: page.heading for name, page in pages.items() if page.heading}
        tags = {*titles, *(tag for texts in headings.values() for tag in texts)}
        explore = {name: page.explore for name, page in pages.items() if page.explore}
        given = self.model_dump(include={"decay", "kinds", "leave_out_bought"})
        default = StorefrontSettings().model_dump(include=set(given))
        parts: dict[str, Any] = {
            "language": self.language,
            "languages": sorted(tags - {NO_LANGUAGE, self.language}),
            "headings": headings,
            "sessions": given if given != default else {},
            "explore": explore,
            "new_events_max": self.new_events_max if explore else None,
            "new_impressions_max": self.new_impressions_max if explore else None,
        }
        return {name: part for name, part in parts.items() if part or part == 0}
