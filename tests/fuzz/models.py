"""Folders of text models, to be damaged: one file of a folder at a time."""

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recommender.core.telemetry import silent
from recommender.vectors.content import model_folder
from recommender.vectors.content.sentence_transformer import SentenceTransformerEncoder
from recommender.vectors.content.static import StaticEncoder

Read = Callable[[Path, bytes], None]
Valid = Callable[[], Sequence[bytes]]

TEXTS = ["red mug", "", "a longer text of several words"]
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "red", "mug", "##s", "a", "of"]
NAMES = ("config.json", "modules.json", "tokenizer.json", "tokenizer_config.json")
POOLING = "1_Pooling/config.json"
WEIGHTS = "model.safetensors"


@cache
def static_folder() -> Mapping[str, bytes]:
    """The files of a model of model2vec."""
    from safetensors.numpy import save
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel

    tokenizer = Tokenizer(WordLevel({"[UNK]": 0, "red": 1, "mug": 2}, unk_token="[UNK]"))
    tensors: dict[str, NDArray[Any]] = {
        "embeddings": np.eye(3, 4, dtype=np.float32),
        "weights": np.ones(3, dtype=np.float32),
        "mapping": np.arange(3),
    }
    return MappingProxyType(
        {
            WEIGHTS: save(tensors),
            "tokenizer.json": tokenizer.to_str().encode(),
            "config.json": json.dumps({"normalize": True, "max_length": 3}).encode(),
        }
    )


@cache
def bert_folder() -> Mapping[str, bytes]:
    """The files of a tiny BERT, as sentence-transformers writes it."""
    from tempfile import TemporaryDirectory

    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from transformers import BertConfig, BertModel
    from transformers.models.bert import BertTokenizer

    with TemporaryDirectory() as scratch:
        plain, made = Path(scratch, "plain"), Path(scratch, "made")
        plain.mkdir()
        (plain / "vocab.txt").write_text("\n".join(VOCABULARY))
        config = BertConfig(
            vocab_size=len(VOCABULARY),
            hidden_size=8,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=8,
            max_position_embeddings=16,
        )
        BertModel(config).save_pretrained(plain)
        BertTokenizer(vocab_file=str(plain / "vocab.txt")).save_pretrained(plain)
        layers = Transformer(str(plain))
        SentenceTransformer(modules=[layers, Pooling(8)], device="cpu").save_pretrained(
            str(made), create_model_card=False
        )
        return MappingProxyType(
            {
                path.relative_to(made).as_posix(): path.read_bytes()
                for path in sorted(made.rglob("*"))
                if path.is_file()
            }
        )


def written(folder: Path, files: Mapping[str, bytes]) -> Path:
    """A new folder of these files."""
    made = folder / "model"
    shutil.rmtree(made, ignore_errors=True)
    for name, content in files.items():
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        (made / name).write_bytes(content)
    return made


def with_header(weights: bytes, header: bytes) -> bytes:
    """Weights under another header of their file."""
    size = int.from_bytes(weights[:8], "little")
    return len(header).to_bytes(8, "little") + header + weights[8 + size :]


def header_of(weights: bytes) -> bytes:
    """The header of a file of weights: JSON."""
    return weights[8 : 8 + int.from_bytes(weights[:8], "little")]


def static(name: str) -> Read:
    """Encodes by a static model of which one file is damaged."""

    def read(folder: Path, content: bytes) -> None:
        encoder = StaticEncoder(str(written(folder, {**static_folder(), name: content})))
        encoder.fingerprint()
        vectors = encoder.encode(TEXTS, silent)
        assert np.isfinite(vectors).all()
        encoder.tokens(["red", "mugs"])

    return read


def static_header(folder: Path, header: bytes) -> None:
    """Encodes by a static model whose weights have another header."""
    static(WEIGHTS)(folder, with_header(static_folder()[WEIGHTS], header))


def bert(name: str) -> Read:
    """Encodes by a BERT of which one file is damaged."""

    def read(folder: Path, content: bytes) -> None:
        made = written(folder, {**bert_folder(), name: content})
        encoder = SentenceTransformerEncoder(model=str(made))
        encoder.fingerprint()
        encoder.read()
        vectors = encoder.encode(TEXTS, silent)
        assert np.isfinite(vectors).all()
        encoder.tokens(["red", "mugs"])

    return read


def bert_header(folder: Path, header: bytes) -> None:
    """Encodes by a BERT whose weights have another header."""
    bert(WEIGHTS)(folder, with_header(bert_folder()[WEIGHTS], header))


def record(folder: Path, content: bytes) -> None:
    """Reads the record of a fine-tuning."""
    (folder / model_folder.RECORD).write_bytes(content)
    model_folder.learned_until(str(folder))


STATIC: Mapping[str, tuple[Read, Valid]] = MappingProxyType(
    {
        "static.weights": (static(WEIGHTS), lambda: [static_folder()[WEIGHTS]]),
        "static.header": (static_header, lambda: [header_of(static_folder()[WEIGHTS])]),
        "static.tokenizer": (
            static("tokenizer.json"),
            lambda: [static_folder()["tokenizer.json"]],
        ),
        "static.config": (static("config.json"), lambda: [static_folder()["config.json"]]),
        "finetuning": (record, lambda: [b'{"until": 1767312000, "pairs": 3}']),
    }
)


def files_of(name: str) -> list[bytes]:
    """The only valid file of that name."""
    return [bert_folder()[name]]


BERT: Mapping[str, tuple[Read, Valid]] = MappingProxyType(
    {
        "bert.weights": (bert(WEIGHTS), lambda: [bert_folder()[WEIGHTS]]),
        "bert.header": (bert_header, lambda: [header_of(bert_folder()[WEIGHTS])]),
        **{f"bert.{name}": (bert(name), partial(files_of, name)) for name in (*NAMES, POOLING)},
    }
)
