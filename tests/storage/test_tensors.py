import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from gengap.errors import StoreError
from gengap.storage.tensors import decode, encode

DTYPES = ["<f8", "<f4", "<f2", "<i8", "<i4", "<i2", "i1", "<u8", "<u4", "<u2", "u1", "?", ">f4", ">i8"]


def joined(arrays, meta=None):
    return encode(arrays, {} if meta is None else meta)


@given(st.sampled_from(DTYPES).flatmap(lambda d: hnp.arrays(d, hnp.array_shapes(min_dims=0, min_side=0, max_dims=4))))
def test_every_array_comes_back_as_it_went(array):
    arrays, meta = decode(joined({"a/b": array, "second": np.arange(3)}, {"x": [1, None, "é"]}))
    assert meta == {"x": [1, None, "é"]}
    assert arrays["a/b"].shape == array.shape
    assert arrays["a/b"].dtype == array.dtype.newbyteorder("=")
    np.testing.assert_array_equal(arrays["a/b"], array)


def test_bfloat16_comes_back_in_its_own_dtype():
    ml_dtypes = pytest.importorskip("ml_dtypes")
    array = np.arange(5).astype(ml_dtypes.bfloat16)
    back = decode(joined({"a": array}))[0]["a"]
    assert back.dtype == array.dtype
    np.testing.assert_array_equal(back.astype(float), np.arange(5.0))


def test_the_safetensors_library_reads_what_is_written():
    library = pytest.importorskip("safetensors.numpy")
    array = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
    flags = np.array([True, False, True])
    back = library.load(bytes(joined({"flags": flags, "array": array}, {"any": 1})))
    np.testing.assert_array_equal(back["array"], array)
    np.testing.assert_array_equal(back["flags"], flags)


def test_what_the_first_version_wrote_by_itself_is_read_in_its_order():
    header = (
        b'{"__metadata__": {"gengap": "{\\"x\\": 1}"}, "z": {"dtype": "F32", "shape": [3], "data_offsets": [0, 12]}, '
        b'"a": {"dtype": "F64", "shape": [], "data_offsets": [12, 20]}, '
        b'"flags": {"dtype": "BOOL", "shape": [2], "data_offsets": [20, 22]}}      '
    )
    numbers = b"\x00\x00\x00\x00\x00\x00\x80?\x00\x00\x00@" + b"\x00\x00\x00\x00\x00\x00\x04@" + b"\x01\x00"
    arrays, meta = decode(len(header).to_bytes(8, "little") + header + numbers)
    assert (list(arrays), meta) == (["z", "a", "flags"], {"x": 1})
    np.testing.assert_array_equal(arrays["z"], [0, 1, 2])
    assert (arrays["a"].shape, float(arrays["a"]), arrays["flags"].tolist()) == ((), 2.5, [True, False])


def test_arrays_that_come_back_can_be_changed():
    decode(joined({"a": np.zeros(3)}))[0]["a"][0] = 1.0


@pytest.mark.parametrize(
    "bad", [np.array([object()]), np.array(["text"]), np.array([1 + 2j]), np.array(["2001"], "M8[Y]")]
)
def test_what_is_no_number_is_refused(bad):
    with pytest.raises(StoreError, match="only numbers and booleans"):
        encode({"bad": bad}, {})


@pytest.mark.parametrize("content", [b"", b"\x00" * 8, b"\x80\x04K\x01.", b"\x02" + b"\x00" * 7 + b"[]", b"\xff" * 40])
def test_other_bytes_are_refused(content):
    with pytest.raises(StoreError, match="not a file of gengap"):
        decode(content)
