"""Images of items, encoded by a CLIP model of sentence-transformers."""

from __future__ import annotations

import hashlib
import importlib.util
import io
import logging
from collections import Counter
from collections.abc import Container, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from recommender.core.arrays import FloatMatrix, FloatVector, blocks, text_codes, unit_rows
from recommender.core.catalogue import Catalogue
from recommender.core.telemetry import Progress
from recommender.core.vectors import Embeddings
from recommender.errors import ConfigError, DataError, MissingExtra
from recommender.vectors.content import model_folder
from recommender.vectors.content.image_files import NOTHING_NAMED, ImageFault, ImageFiles

if TYPE_CHECKING:
    from PIL import Image
    from PIL.ImageFile import ImageFile
    from sentence_transformers import SentenceTransformer

FORMAT = 1
BATCH = 16
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "AVIF")
SHORT_SIDE, LONGEST = 448, 4
"""Pictures are reduced to no less than so many pixels of their short side, twice what CLIP looks
at, and cut to a long side of so many short ones, of which CLIP looks at the middle."""
STATE = "\0"
"""What stands between a reference and the state of its file."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class EncodedImages:
    """Of m documents, the SHA-256 of each picture, its vector, and what is wrong with it.

    `contents` (m,) is empty where there is a fault. `matrix` (m, d) has zero rows there, and where
    the content is not `fresh` (m,), because its vector was known before. Where nothing is fresh,
    d is 0.
    """

    contents: tuple[bytes, ...]
    matrix: FloatMatrix
    fresh: NDArray[np.bool_]
    faults: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ImageEncoder:
    """Encodes the pictures of items, each content once, with a model for texts and images.

    `model` is a name on the model hub or a local folder, as for text models; without `download`
    nothing of it is fetched. `column` is `image`, or an attribute of the catalogue, with a URL or
    path each. Relative paths start at the catalogue's file; with `folder`, a folder or URL, all
    paths lie below it. Pictures are downloaded over `connections` connections; bounds are those of
    `ImageFiles`, and `pixels_max`. A picture behind a URL is taken to stay as it is; another
    `version`, any text, makes all be looked at again.

    Raises: ConfigError for a value out of range.
    """

    model: str = "clip-ViT-B-32"
    revision: str = "main"
    download: bool = False
    column: str = "image"
    folder: str = ""
    version: str = ""
    bytes_max: int = 20_000_000
    pixels_max: int = 50_000_000
    seconds_max: float = 30.0
    connections: int = 8
    private_addresses: bool = False
    beside: str = field(default="", metadata={"recipe": False})

    def __post_init__(self) -> None:
        for name in ("model", "column"):
            if not getattr(self, name):
                raise ConfigError(f"images: {name} is empty; name one")
        for name in ("bytes_max", "pixels_max", "seconds_max", "connections"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"images: {name} = {getattr(self, name)} is not above 0")

    def fingerprint(self) -> str:
        """Digest of the model's files. Raises: ConfigError, or MissingExtra without Pillow."""
        require_pillow()
        return f"images-{FORMAT}-{model_folder.digest(self._model_folder())}"

    def documents(self, catalogue: Catalogue) -> list[str]:
        """What stands for the picture of each item: its reference, and the state of a local file.

        An item without a picture has an empty document. Raises: ConfigError for an unknown column.
        """
        if self.column == "image":
            references: Sequence[str] = catalogue.image
        elif self.column in catalogue.attributes:
            references = catalogue.attributes[self.column]
        else:
            raise ConfigError(
                f"images: column = {self.column!r}: name image, or one of catalogue.columns."
                f"attributes: {', '.join(catalogue.attributes) or 'none'}"
            )
        codes, distinct = text_codes(references)
        files = self._files()
        made = [f"{one}{STATE}{files.state(one)}{self.version}" if one else "" for one in distinct]
        return [made[code] for code in codes]

    def embed(self, catalogue: Catalogue, progress: Progress) -> Embeddings:
        """Embeddings (n, d) of all items; pictures that cannot be had are logged."""
        codes, distinct = text_codes(self.documents(catalogue))
        encoded = self.encode(distinct, (), progress)
        vectors = encoded.matrix
        if not vectors.shape[1]:
            n_dimensions = self._loaded().get_embedding_dimension() or 0
            vectors = np.zeros((len(distinct), n_dimensions), dtype=np.float32)
        for reason, count in Counter(filter(None, encoded.faults)).items():
            if reason != NOTHING_NAMED:
                _log.warning("event=images-without-vector reason=%r images=%d", reason, count)
        matrix = vectors[codes]
        support: FloatVector = np.asarray(matrix.any(axis=1), dtype=np.float32)
        return Embeddings(matrix, support)

    def encode(
        self, documents: Sequence[str], known: Container[bytes], progress: Progress
    ) -> EncodedImages:
        """Read and encode distinct documents; contents that are `known` are not encoded.

        The model is loaded when the first picture is to be encoded.
        Raises: ConfigError or MissingExtra where model or packages are missing; DataError where a
        vector is not finite.
        """
        vectors: dict[int, FloatVector] = {}
        fresh = np.zeros(len(documents), dtype=bool)
        contents, faults = [b""] * len(documents), [""] * len(documents)
        places: dict[bytes, int] = {}
        waiting: list[tuple[int, Image.Image]] = []
        with progress("encode images", len(documents)) as advance:
            for block, found in self._read(documents, known):
                for place, one in zip(range(block.start, block.stop), found, strict=True):
                    if isinstance(one, ImageFault):
                        faults[place] = str(one)
                        continue
                    contents[place], picture = one
                    if contents[place] not in places and picture is not None:
                        places[contents[place]] = place
                        waiting.append((place, picture))
                last = block.stop == len(documents)
                while len(waiting) >= (1 if last else BATCH):
                    rows, pictures = zip(*waiting[:BATCH], strict=True)
                    vectors |= zip(rows, self._vectors(pictures), strict=True)
                    del waiting[:BATCH]
                advance(len(found))
        n_dimensions = next((len(one) for one in vectors.values()), 0)
        matrix = np.zeros((len(documents), n_dimensions), dtype=np.float32)
        for place, content in enumerate(contents):
            if content in places:
                matrix[place], fresh[place] = vectors[places[content]], True
        return EncodedImages(tuple(contents), matrix, fresh, tuple(faults))

    def _read(
        self, documents: Sequence[str], known: Container[bytes]
    ) -> Iterator[tuple[slice, list[tuple[bytes, Image.Image | None] | ImageFault]]]:
        """Batches of contents and pictures or faults; the next batch is read meanwhile."""
        files, ahead = self._files(), []
        pool = ThreadPoolExecutor(self.connections, "images")
        try:
            for block in blocks(len(documents), BATCH):
                read = [pool.submit(self._one, files, one, known) for one in documents[block]]
                ahead.append((block, read))
                if len(ahead) > 1 + self.connections // BATCH:
                    yield _finished(*ahead.pop(0))
            while ahead:
                yield _finished(*ahead.pop(0))
        finally:
            pool.shutdown(cancel_futures=True)

    def _one(
        self, files: ImageFiles, document: str, known: Container[bytes]
    ) -> tuple[bytes, Image.Image | None] | ImageFault:
        """The content of a document, and its picture unless its vector is known."""
        try:
            content = files.read(document.partition(STATE)[0])
            digest = hashlib.sha256(content).digest()
            return digest, None if digest in known else picture_of(content, self.pixels_max)
        except ImageFault as fault:
            return fault

    def _vectors(self, pictures: Sequence[Image.Image]) -> FloatMatrix:
        """Vectors (b, d) of at most `BATCH` pictures, of length one.

        The batch is filled up, so that a vector does not depend on what is encoded with it.
        """
        batch = [*pictures, *[pictures[0]] * (BATCH - len(pictures))]
        encoded = self._loaded().encode(
            batch, batch_size=BATCH, show_progress_bar=False, convert_to_tensor=True
        )
        vectors: FloatMatrix = encoded.float().cpu().numpy()[: len(pictures)]
        if not np.isfinite(vectors).all():
            raise DataError(f"model {self.model} gives a vector of an image that is not finite")
        return unit_rows(vectors)

    def _loaded(self) -> SentenceTransformer:
        require_pillow()
        folder = self._model_folder()
        return _loaded(folder, model_folder.digest(folder))

    def _model_folder(self) -> Path:
        return model_folder.find(self.model, self.revision, download=self.download)

    def _files(self) -> ImageFiles:
        return ImageFiles(
            self.folder, self.beside, self.bytes_max, self.seconds_max, self.private_addresses
        )


def picture_of(content: bytes, pixels_max: int) -> Image.Image:
    """The first frame of a picture in RGB, upright, on white, and not much larger than needed.

    Raises: ImageFault where it has more than `pixels_max` pixels, or Pillow cannot decode it.
    """
    from PIL import Image, UnidentifiedImageError

    Image.init()
    formats = [name for name in FORMATS if name in Image.OPEN]
    picture = None
    try:
        with Image.open(io.BytesIO(content), formats=formats) as image:
            if image.width * image.height <= pixels_max:
                picture = _reduced(image)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        picture = None
    except UnidentifiedImageError as error:
        raise ImageFault(f"no picture in {', '.join(formats)}") from error
    except Exception as error:  # Pillow's decoders raise errors of many types
        raise ImageFault("a picture that is broken") from error
    if picture is None:
        raise ImageFault(f"more than {pixels_max:,} pixels")
    return picture


def _reduced(image: ImageFile) -> Image.Image:
    from PIL import Image, ImageOps

    image.draft("RGB", (2 * SHORT_SIDE, 2 * SHORT_SIDE))
    upright: Image.Image = ImageOps.exif_transpose(image)
    if upright.has_transparency_data:
        layer = upright.convert("RGBA")
        upright = Image.new("RGB", layer.size, "white")
        upright.paste(layer, mask=layer.getchannel("A"))
    plain = upright.convert("RGB")
    factor = min(plain.size) // SHORT_SIDE
    return _middle(plain.reduce(factor) if factor > 1 else plain)


def _middle(image: Image.Image) -> Image.Image:
    """The middle of a picture that is longer than `LONGEST` of its short sides."""
    width, height = image.size
    wide, high = min(width, LONGEST * height), min(height, LONGEST * width)
    if (wide, high) == image.size:
        return image
    left, upper = (width - wide) // 2, (height - high) // 2
    return image.crop((left, upper, left + wide, upper + high))


def require_pillow() -> None:
    """Raise MissingExtra where Pillow is not installed."""
    if importlib.util.find_spec("PIL") is None:
        raise MissingExtra("Pillow is not installed: pip install 'recommender[images]'")


def _finished(
    block: slice, read: Sequence[Future[tuple[bytes, Image.Image | None] | ImageFault]]
) -> tuple[slice, list[tuple[bytes, Image.Image | None] | ImageFault]]:
    return block, [one.result() for one in read]


@lru_cache(maxsize=1)
def _loaded(folder: Path, _digest: str) -> SentenceTransformer:
    model_folder.check(folder)
    model = model_folder.load(folder)
    if "image" not in model.modalities:
        raise ConfigError(
            f"images: model {folder} encodes {', '.join(map(str, model.modalities))}, not images; "
            'name a CLIP model, such as "clip-ViT-B-32"'
        )
    _log.info("model=%s device=%s", folder, model.device)
    return model
