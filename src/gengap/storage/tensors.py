"""Arrays and JSON values as one string of bytes in the safetensors format: nothing in it can be code."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gengap.errors import StoreError

Array = NDArray[Any]

_CODES = {
    "float64": "F64", "float32": "F32", "float16": "F16", "bfloat16": "BF16", "int64": "I64", "int32": "I32",
    "int16": "I16", "int8": "I8", "uint64": "U64", "uint32": "U32", "uint16": "U16", "uint8": "U8", "bool": "BOOL",
}  # fmt: skip
_NAMES = {code: name for name, code in _CODES.items()}


def encode(arrays: Mapping[str, Array], meta: Mapping[str, Any]) -> tuple[bytes, list[memoryview]]:
    """Return a header, and the arrays' bytes to be written behind it.

    Args:
        arrays: Numbers or booleans of any shape, by name.
        meta: Values that JSON can hold; they go into the format's `__metadata__`.

    Raises:
        StoreError: An array holds objects or text.
    """
    entries: dict[str, Any] = {"__metadata__": {"gengap": json.dumps(meta)}}
    parts: list[memoryview] = []
    begin = 0
    for name, given in arrays.items():
        array = np.asarray(given)
        code = _CODES.get(array.dtype.name)
        if code is None:
            raise StoreError(f"array {name!r} of dtype {array.dtype} cannot be stored: only numbers and booleans can")
        little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
        entries[name] = {"dtype": code, "shape": list(array.shape), "data_offsets": [begin, begin + little.nbytes]}
        begin += little.nbytes
        parts.append(little.reshape(-1).view(np.uint8).data)
    text = json.dumps(entries).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text, parts


def decode(content: bytearray) -> tuple[dict[str, Array], dict[str, Any]]:
    """Return the arrays (views into `content`) and values that `encode` wrote.

    Raises:
        StoreError: The bytes are not in this format.
    """
    try:
        length = int.from_bytes(content[:8], "little")
        entries = json.loads(content[8 : 8 + length])
        meta = json.loads(entries.pop("__metadata__")["gengap"])
        arrays = {name: _array(content, 8 + length, entry) for name, entry in entries.items()}
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError("it is not a file of gengap") from error
    return arrays, meta


def _array(content: bytearray, start: int, entry: Mapping[str, Any]) -> Array:
    begin, end = entry["data_offsets"]
    flat = np.frombuffer(memoryview(content)[start + begin : start + end], dtype=_dtype(_NAMES[entry["dtype"]]))
    return flat.reshape(entry["shape"])


def _dtype(name: str) -> np.dtype[Any]:
    if name != "bfloat16":
        return np.dtype(name)
    import ml_dtypes  # NumPy's own dtypes lack it

    bfloat16: np.dtype[Any] = np.dtype(ml_dtypes.bfloat16)
    return bfloat16
