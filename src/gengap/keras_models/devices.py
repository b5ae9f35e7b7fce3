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
        device: `"cpu"` or `"cuda"`.
    """
    with keras.device("gpu" if device == "cuda" else "cpu"):
        if device != "cuda" or keras.backend.backend() != "torch":
            yield
            return
        import torch  # only where it is used

        cudnn = torch.backends.cudnn
        with cudnn.flags(enabled=cudnn.enabled, benchmark=False, deterministic=True, allow_tf32=False):
            yield


def computing_as_told() -> AbstractContextManager[None]:
    """Let Keras' operations work where they do anyway, on CUDA as exactly as `computing_on` makes them."""
    if keras.backend.backend() != "torch":
        return nullcontext()
    return computing_on(keras.ops.convert_to_tensor(0.0).device.type)
