"""The layers of a transformers model in OpenVINO, one thread for each question.

The model is converted when it is loaded, which takes seconds; nothing is written. Weights and
results are fp32, products in the precision that is asked for.
"""

from __future__ import annotations

import importlib.util
import threading
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from recommender.errors import MissingExtra

if TYPE_CHECKING:
    import torch

FORMAT, PACK = 2, 2048
"""Of its vectors, and tokens of a pack: more than torch's, for fewer questions."""
HINTS = {"fp32": "f32", "bf16": "bf16"}
READ = ("input_ids", "token_type_ids")


def installed() -> bool:
    """Whether the extra `openvino` is here."""
    return importlib.util.find_spec("openvino") is not None


def layers_of(
    model: torch.nn.Module, precision: str, example: Mapping[str, Any]
) -> Callable[[Sequence[Mapping[str, Any]], int], list[torch.Tensor]]:
    """Groups of a pack to their token embeddings; `example` is what the model reads.

    Raises: MissingExtra where OpenVINO is not installed.
    """
    if not installed():
        raise MissingExtra("openvino is not installed: pip install 'recommender[openvino]'")
    import torch

    names = [name for name in READ if name in example]
    compiled = _compiled(model, precision, names, example)
    own = threading.local()

    def layers(groups: Sequence[Mapping[str, Any]], _size: int) -> list[torch.Tensor]:
        if not hasattr(own, "request"):
            own.request = compiled.create_infer_request()
        read = []
        for group in groups:
            asked = [group[name].contiguous().numpy() for name in names]
            answer = own.request.infer(asked, share_inputs=True)
            read.append(torch.from_numpy(answer[compiled.output(0)].copy()))
        return read

    return layers


def _compiled(
    model: torch.nn.Module, precision: str, names: Sequence[str], example: Mapping[str, Any]
) -> Any:  # noqa: ANN401
    import openvino
    import torch

    class Layers(torch.nn.Module):
        """The model without a mask, by place instead of by name."""

        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, *read: torch.Tensor) -> torch.Tensor:
            named = dict(zip(names, read, strict=True))
            embedded: torch.Tensor = self.model(**named).last_hidden_state
            return embedded

    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # of tracing: the probes of the text model check it
        converted = openvino.convert_model(
            Layers().train(False), example_input=tuple(example[name] for name in names)
        )
    options = {
        "INFERENCE_PRECISION_HINT": HINTS[precision],
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        "NUM_STREAMS": torch.get_num_threads(),
        "ENABLE_CPU_PINNING": False,
    }
    return openvino.Core().compile_model(converted, "CPU", options)
