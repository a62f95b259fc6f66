"""A model folder of a text model with an adapter behind it, for sentence-transformers to load."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import numpy as np

from recommender.core.arrays import FloatMatrix
from recommender.errors import ConfigError, DataError
from recommender.vectors.content import model_folder
from recommender.vectors.content.adapter import Adapter

RECORD = "finetuning.json"
TOLERANCE = 1e-3


def save(base: Path, adapter: Adapter, out: Path, card: str, record: Mapping[str, Any]) -> None:
    """Write the base model's files, the adapter as three modules, `README.md` and the record.

    The folder appears whole, or not at all. Raises: ConfigError where it cannot be written.
    """
    if out.exists():
        raise ConfigError(f"--out {out}: is there already; name another folder")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=out.parent, prefix=".finetune-") as scratch:
            made = Path(scratch) / "model"
            _write(base, adapter, made)
            (made / "README.md").write_text(card, encoding="utf-8")
            (made / RECORD).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
            model_folder.check(made)
            made.rename(out)
    except OSError as error:
        raise ConfigError(f"--out {out}: cannot be written: {error.strerror}") from error


def require_same(out: Path, texts: Sequence[str], expected: FloatMatrix) -> None:
    """Refuse a folder that encodes otherwise than was judged. Raises: DataError."""
    from recommender.core.telemetry import silent
    from recommender.vectors.content.sentence_transformer import SentenceTransformerEncoder

    given = SentenceTransformerEncoder(model=str(out.resolve())).encode(texts, silent)
    apart = float(np.abs(given - expected).max(initial=0))
    if not apart <= TOLERANCE:
        raise DataError(f"model {out}: vectors differ by {apart:.4f} from those that were judged")


def learned_until(model: str) -> int:
    """Until when (epoch seconds) a model folder was fine-tuned, 0 where it was not."""
    record = Path(model).expanduser() / RECORD
    if not (model and record.is_file()):
        return 0
    try:
        return int(json.loads(record.read_text(encoding="utf-8"))["until"])
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{record}: no record of fine-tuning; fine-tune again") from error


def _write(base: Path, adapter: Adapter, made: Path) -> None:
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Dense, Normalize
    from transformers.utils.logging import disable_progress_bar

    cast("Callable[[], None]", disable_progress_bar)()
    width = len(adapter.up)
    model = SentenceTransformer(
        str(base),
        device="cpu",
        trust_remote_code=False,
        local_files_only=True,
        model_kwargs={"use_safetensors": True},
    )
    # A rectifier passes x on as max(x, 0) - max(-x, 0), so that plain layers make a residual one.
    identity = np.eye(width, dtype=np.float32)
    first = np.vstack([identity, -identity, adapter.up.T])
    second = np.hstack([identity, -identity, adapter.down.T])
    for weights, activation in ((first, torch.nn.ReLU()), (second, torch.nn.Identity())):
        model.append(
            Dense(
                weights.shape[1],
                weights.shape[0],
                bias=False,
                activation_function=activation,
                init_weight=torch.from_numpy(weights.copy()),
            )
        )
    model.append(Normalize())
    model.append(
        Dense(
            width,
            width,
            activation_function=torch.nn.Identity(),
            init_weight=torch.from_numpy(identity.copy()),
            init_bias=torch.from_numpy(-adapter.centre),
        )
    )
    model.append(Normalize())
    model.save_pretrained(str(made), create_model_card=False, safe_serialization=True)
