"""Diagnosis: the result of one check of doctor."""

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["ok", "warning", "fault"]


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The result of one check, with what to do if it is not ok."""

    what: str
    verdict: Verdict
    detail: str
