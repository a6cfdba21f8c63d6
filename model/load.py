"""The classifier that the settings ask for."""

from importlib.util import find_spec
from pathlib import Path

from bearometer.errors import Misconfigured
from bearometer.settings import ModelSettings
from model.classifier import Classifier
from model.extras import import_torch
from model.folder import FP32_FILE, INT8_FILE, TORCH_FILE, ModelFolder

__all__ = ["SHIPPED_WEIGHTS", "load_classifier"]

SHIPPED_WEIGHTS = Path(__file__).parent / "weights"


def load_classifier(settings: ModelSettings) -> Classifier:
    """Load the weights of `model.path` (the shipped ones when it is not set) for `model.device`; takes seconds.

    `cuda` runs torch on the GPU. `cpu` runs ONNX Runtime, or torch where the folder has nothing but torch's weights.
    `auto` is `cuda` when torch is installed, finds a GPU and the folder has torch's weights, and `cpu` otherwise.
    Raises Misconfigured when the folder or the device cannot be used, MissingExtra when torch is needed and missing.
    """
    folder = ModelFolder.open(settings.path or SHIPPED_WEIGHTS)
    if settings.device == "cuda" or (settings.device == "auto" and _gpu_can_run(folder)):
        return _on_torch(folder, "cuda", settings)
    if folder.file(INT8_FILE) or folder.file(FP32_FILE):
        from model.onnx import OnnxClassifier  # noqa: PLC0415 - only what is used is loaded

        return OnnxClassifier(folder, threads=settings.threads, max_tokens=settings.max_tokens)
    if folder.file(TORCH_FILE):
        return _on_torch(folder, "cpu", settings)
    message = f"the model folder {folder.path} has none of {INT8_FILE}, {FP32_FILE}, {TORCH_FILE}"
    raise Misconfigured(message)


def _gpu_can_run(folder: ModelFolder) -> bool:
    if not folder.file(TORCH_FILE) or find_spec("torch") is None or find_spec("transformers") is None:
        return False
    return bool(import_torch().cuda.is_available())


def _on_torch(folder: ModelFolder, device: str, settings: ModelSettings) -> Classifier:
    from model.torch import TorchClassifier  # noqa: PLC0415

    return TorchClassifier(folder, device=device, threads=settings.threads, max_tokens=settings.max_tokens)
