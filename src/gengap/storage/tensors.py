"""Arrays and JSON values as one string of bytes in the safetensors format: nothing in it can be code."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray
from safetensors import SafetensorError, deserialize

from gengap.errors import StoreError

Array = NDArray[Any]

_NUMBERS = frozenset("biuf")
_DTYPES = {
    "F64": "f8", "F32": "f4", "F16": "f2", "I64": "i8", "I32": "i4", "I16": "i2", "I8": "i1",
    "U64": "u8", "U32": "u4", "U16": "u2", "U8": "u1", "BOOL": "?",
}  # fmt: skip


def encode(arrays: Mapping[str, Array], meta: Mapping[str, Any]) -> bytes:
    """Return the content of a file.

    Args:
        arrays: Numbers or booleans of any shape, by name.
        meta: Values that JSON can hold; they go into the format's `__metadata__`.

    Raises:
        StoreError: An array holds objects or text.
    """
    little = {name: _little(name, np.asarray(given)) for name, given in arrays.items()}
    # the format sorts by size of the numbers; whoever wrote the arrays gets them back in his own order. One key: the
    # library writes its map of values in an order of chance, and the same content must be the same bytes
    return safetensors.numpy.save(little, {"gengap": json.dumps({"meta": meta, "order": list(little)})})


def decode(content: bytes | bytearray) -> tuple[dict[str, Array], dict[str, Any]]:
    """Return the arrays and values that `encode` wrote.

    Raises:
        StoreError: The bytes are not in this format.
    """
    try:
        # not the library's `load`, which has no bfloat16 (0.8)
        views: list[tuple[str, dict[str, Any]]] = deserialize(bytes(content))  # type: ignore[no-untyped-call]
        arrays = {name: _array(view) for name, view in views}
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
        about = json.loads(header.pop("__metadata__")["gengap"])
        if about.keys() != {"meta", "order"}:  # as earlier versions wrote it
            about = {"meta": about, "order": list(header)}
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise StoreError("it is not a file of gengap") from error
    return {name: arrays[name] for name in about["order"]}, about["meta"]


def _array(view: Mapping[str, Any]) -> Array:
    if view["dtype"] != "BF16":
        return np.frombuffer(view["data"], dtype=f"<{_DTYPES[view['dtype']]}").reshape(view["shape"])
    import ml_dtypes  # NumPy's own dtypes lack it

    return np.frombuffer(view["data"], dtype=ml_dtypes.bfloat16).reshape(view["shape"])


def _little(name: str, array: Array) -> Array:
    if array.dtype.kind not in _NUMBERS and array.dtype.name != "bfloat16":
        raise StoreError(f"array {name!r} of dtype {array.dtype} cannot be stored: only numbers and booleans can")
    # not `ascontiguousarray`, which turns a number into an array of one
    return np.require(array, dtype=array.dtype.newbyteorder("<"), requirements="C")
