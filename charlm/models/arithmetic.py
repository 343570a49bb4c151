"""A way to compute: a type for matrix products, and how the layers run."""

from __future__ import annotations

import dataclasses
import warnings

import torch

from charlm.models.language_model import LanguageModel
from charlm.models.layers import ON_CPU, ON_GPU, Backend

NAMES: dict[Backend, str] = {
    "rows": "own layers",
    "products": "own layers by steps",
    "native": "PyTorch layers",
    "cudnn": "cuDNN layers",
    "padded": "padded cuDNN layers",
    "stacked": "own layers side by side",
}
DTYPES = {
    "float32": torch.float32,
    "float16": torch.float16,
    "bfloat16": torch.bfloat16,
    "tf32": torch.float32,  # kept whole, multiplied with 10 bits behind the point
}
GPU_ONLY = ("float16", "tf32")


@dataclasses.dataclass(frozen=True, slots=True)
class Arithmetic:
    """A type for matrix products, and how the layers run.

    `tokens_per_second` is what was measured for one update without the optimiser, None if nothing
    was.
    """

    precision: str
    backend: Backend
    tokens_per_second: float | None = None

    def __str__(self) -> str:
        return f"{self.precision} in {NAMES[self.backend]}"

    def apply(self, model: LanguageModel) -> None:
        """Make a model compute this way."""
        if model.output.bias.device.type == "cuda":
            allow_tf32(self.precision == "tf32")
        model.use(DTYPES[self.precision], backend=self.backend)

    def suits(self, device: torch.device) -> bool:
        """Whether a device of this kind can compute this way."""
        if device.type == "cuda":
            return self.backend in ON_GPU
        return self.backend in ON_CPU and self.precision not in GPU_ONLY


def allow_tf32(allowed: bool) -> None:
    """Let a GPU round what it multiplies in float32 to 10 bits, or not."""
    with warnings.catch_warnings():  # newer names can be asked for no more by the older ones
        warnings.simplefilter("ignore")
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = allowed
