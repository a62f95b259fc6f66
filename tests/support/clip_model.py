"""A CLIP model of random weights, small enough to make in a test, and pictures for it."""

import io
import json
import os
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

SIDE = 32
SHAPES = ("square", "disc", "cross", "stripes", "frame")


def write_clip_model(folder: Path, seed: int = 0) -> Path:
    """Write a folder that sentence-transformers loads as a model of texts and images."""
    import torch
    from transformers import CLIPConfig, CLIPModel, CLIPProcessor, CLIPTokenizer
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    torch.manual_seed(seed)
    tower = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
    }
    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)]
    tokens = ["<|startoftext|>", "<|endoftext|>", *letters, *(f"{one}</w>" for one in letters)]
    text = {"vocab_size": len(tokens), "max_position_embeddings": 16}
    special = {"bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1}
    config = CLIPConfig(
        text_config=tower | text | special,
        vision_config=tower | {"image_size": SIDE, "patch_size": 8},
        projection_dim=32,
    )
    size = {"height": SIDE, "width": SIDE}
    images = CLIPImageProcessorPil(size={"shortest_edge": SIDE}, crop_size=size)
    words = CLIPTokenizer(vocab={token: code for code, token in enumerate(tokens)}, merges=[])
    CLIPModel(config).save_pretrained(folder / "0_CLIPModel")
    both: Any = CLIPProcessor
    both(images, words).save_pretrained(folder / "0_CLIPModel")
    module = {
        "idx": 0,
        "name": "0",
        "path": "0_CLIPModel",
        "type": "sentence_transformers.models.CLIPModel",
    }
    (folder / "modules.json").write_text(json.dumps([module]))
    return folder


def picture(colour: tuple[int, int, int], shape: str = "square", shift: int = 0) -> Image.Image:
    """A shape in one colour on a light ground, moved by some pixels."""
    image = Image.new("RGB", (64, 48), (235, 235, 230))
    draw = ImageDraw.Draw(image)
    left, top, right, bottom = 8 + shift, 4, 52 + shift, 44
    if shape == "disc":
        draw.ellipse((left, top, right, bottom), fill=colour)
    elif shape == "cross":
        draw.rectangle((left, 18, right, 30), fill=colour)
        draw.rectangle((24 + shift, top, 36 + shift, bottom), fill=colour)
    elif shape == "stripes":
        for x in range(left, right, 8):
            draw.rectangle((x, top, x + 3, bottom), fill=colour)
    elif shape == "frame":
        draw.rectangle((left, top, right, bottom), outline=colour, width=6)
    else:
        draw.rectangle((left, top, right, bottom), fill=colour)
    return image


def encoded(image: Image.Image, kind: str = "PNG") -> bytes:
    """The bytes of a picture as a file has them."""
    stream = io.BytesIO()
    image.save(stream, kind)
    return stream.getvalue()


def write_picture(path: Path, image: Image.Image, modified: int = 0) -> Path:
    """Write a picture; `modified` is the time of its file, in nanoseconds, unless 0."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encoded(image))
    if modified:
        os.utime(path, ns=(modified, modified))
    return path
