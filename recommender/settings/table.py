"""What all tables of a settings file have in common."""

from pydantic import BaseModel, ConfigDict


class Table(BaseModel):
    """A table of a settings file: it is frozen and refuses unknown names."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, coerce_numbers_to_str=True, hide_input_in_errors=True
    )
