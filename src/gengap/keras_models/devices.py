"""Where Keras' own operations compute, and how exactly."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import keras


@contextmanager
def computing_on(device: str) -> Iterator[None]:
    """Let Keras' own operations work on a device; by itself Keras takes CUDA wherever there is any.

    Models made inside lie there. On CUDA, convolutions are told to be float32, which by torch's default they are not
    (TF32 has 10 bits), and to give the same bits every time.

    Args:
        device: `"cpu"`, `"cuda"`, or what else torch calls a device.
    """
    with keras.device("gpu" if device == "cuda" else device):
        if device != "cuda" or keras.backend.backend() != "torch":
            yield
            return
        import torch  # only where it is used

        cudnn = torch.backends.cudnn
        with cudnn.flags(enabled=cudnn.enabled, benchmark=False, deterministic=True, allow_tf32=False):
            yield


def computing_as_told() -> AbstractContextManager[None]:
    """Let Keras' operations work where they do anyway, on CUDA as exactly as `computing_on` makes them."""
    return nullcontext() if keras.backend.backend() != "torch" else computing_on(current_device())


def current_device() -> str:
    """Return the kind of device on which Keras on torch computes here, `"cpu"` or `"cuda"`."""
    return str(keras.ops.convert_to_tensor(0.0).device.type)


def device_of(model: keras.Model) -> str:
    """Return the kind of device on which the weights of a model on torch lie; if it has none, on which they would."""
    return next((str(one.value.device.type) for one in model.variables), None) or current_device()
