"""Plain data comes through every protocol; everything else is refused and nothing of it runs."""

from __future__ import annotations

import contextlib
import os
import pickle
import struct
import subprocess
import sys
import time
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ava_tools import InputError
from ava_tools.safe_pickle import load, loads

PROTOCOLS = range(6)


def same(one: object, other: object) -> bool:
    if isinstance(other, np.ndarray):
        kinds = np.asarray(one).dtype.kind, np.asarray(one).dtype.itemsize
        return kinds == (other.dtype.kind, other.dtype.itemsize) and np.array_equal(np.asarray(one), other)
    return isinstance(one, type(other)) and one == other


# ---------------------------------------------------------------- what comes through


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    "value",
    [
        pytest.param(np.arange(6.0).reshape(2, 3), id="float64"),
        pytest.param(np.arange(5, dtype=np.float32), id="float32"),
        pytest.param(np.arange(5, dtype=np.float16), id="float16"),
        pytest.param(np.arange(-3, 3), id="int64"),
        pytest.param(np.arange(250, 256, dtype=np.uint8), id="uint8"),
        pytest.param(np.array([True, False]), id="bool"),
        pytest.param(np.array([1 + 2j]), id="complex"),
        pytest.param(np.array(["walk", "bend/böw"]), id="text"),
        pytest.param(np.array([b"walk", b"\xff"]), id="bytes"),
        pytest.param(np.asfortranarray(np.arange(6.0).reshape(2, 3)), id="fortran"),
        pytest.param(np.arange(10)[::3], id="strided"),
        pytest.param(np.arange(3, dtype=">i4"), id="big_endian"),
        pytest.param(np.array(3.5), id="no_dimension"),
        pytest.param(np.float32(0.1), id="scalar_float"),
        pytest.param(np.int64(-4), id="scalar_int"),
        pytest.param(np.bool_(True), id="scalar_bool"),
        pytest.param(np.str_("walk"), id="scalar_text"),
        pytest.param("Ünïcode", id="str"),
        pytest.param(b"\x00\xff", id="raw"),
        pytest.param(2**80, id="large_integer"),
        pytest.param((1, [2.5, None, True], {"a": ()}), id="containers"),
        pytest.param(OrderedDict(b=1, a=2), id="ordered_dict"),
    ],
)
def test_plain_data_comes_through(value, protocol):
    content = loads(pickle.dumps({"key": value, "twice": [value, value]}, protocol), "x.pkl")
    assert list(content) == ["key", "twice"]
    assert same(content["key"], value)
    assert same(content["twice"][1], value)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("value", [np.zeros((0, 5)), b""], ids=["no_boxes", "no_bytes"])
def test_nothing_comes_through(value, protocol):
    assert same(loads(pickle.dumps(value, protocol), "x.pkl"), value)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_array_content_is_not_shared_with_the_file(protocol):
    data = bytearray(pickle.dumps(np.arange(4), protocol))
    array = loads(bytes(data), "x.pkl")
    data[:] = bytes(len(data))
    assert np.array_equal(array, [0, 1, 2, 3])


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(min_size=1),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner),
    max_leaves=10,
)


@given(plain, st.sampled_from(PROTOCOLS))
def test_any_plain_data_comes_through(value, protocol):
    assert loads(pickle.dumps(value, protocol), "x.pkl") == value


def test_python_2_text_is_read_as_latin1():
    """``cPickle.dump({'caf\\xe9': 'v'}, protocol=2)`` of Python 2."""
    assert loads(b"\x80\x02}q\x01U\x04caf\xe9q\x02U\x01vq\x03s.", "x.pkl") == {"café": "v"}


def test_python_2_arrays_are_read():
    """As Caffe2's and Detectron's model zoos were written: numpy 1 of Python 2, protocol 2."""
    data = (
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\nq\x01cnumpy\nndarray\nq\x02K\x00\x85U\x01b\x87Rq\x03(K\x01K\x02\x85"
        b"cnumpy\ndtype\nq\x04U\x02f4K\x00K\x01\x87Rq\x05(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89"
        b"U\x08\x00\x00\x80?\x00\x00\x00@tb."
    )
    content = loads(data, "x.pkl")
    assert np.array_equal(content, [1.0, 2.0])


def test_a_file_is_read(tmp_path):
    (tmp_path / "x.pkl").write_bytes(pickle.dumps([1, 2]))
    assert load(tmp_path / "x.pkl") == [1, 2]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_content_can_be_pickled_again(protocol):
    """Data loaders send arrays to other processes; what arrives there has to be an array."""
    again = pickle.loads(pickle.dumps(loads(pickle.dumps({"a": np.arange(4.0)}, 2), "x.pkl"), protocol))
    assert np.array_equal(again["a"], np.arange(4.0))


# ---------------------------------------------------------------- what is refused


class Calls:
    """Pickles as a call of ``function``."""

    def __init__(self, function, *arguments) -> None:
        self.call = function, arguments

    def __reduce__(self):
        return self.call


CALLS = {
    "system": lambda path: Calls(os.system, f"touch {path}"),
    "eval": lambda path: Calls(eval, f"open({str(path)!r}, 'w')"),
    "exec": lambda path: Calls(exec, f"open({str(path)!r}, 'w')"),
    "open": lambda path: Calls(open, str(path), "w"),
    "mkdir": lambda path: Calls(os.mkdir, str(path)),
    "import": lambda path: Calls(__import__, "os"),
    "popen": lambda path: Calls(subprocess.Popen, ["touch", str(path)]),
    "getattr": lambda path: Calls(getattr, "text", "upper"),
    "array_from_file": lambda path: Calls(np.fromfile, str(path)),
    "array_to_file": lambda path: Calls(np.save, str(path), np.zeros(1)),
    "numpy_load": lambda path: Calls(np.load, str(path), None, True),
    "path": lambda path: Path(path),
    "bytes": lambda path: Calls(bytes, 10**15),
    "bytearray": lambda path: Calls(bytearray, 10**15),
    "set": lambda path: {1, 2} and Calls(set, [1]),
}


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("call", CALLS)
def test_a_call_is_refused_and_does_not_run(tmp_path, call, protocol):
    touched = tmp_path / "touched"
    for value in (CALLS[call](touched), {"film,0902": [CALLS[call](touched)]}):
        data = pickle.dumps(value, protocol)
        if call == "set" and protocol > 3:
            continue
        with pytest.raises(InputError, match=r"x\.pkl: not a pickle of plain data \(.+\); allowed are"):
            loads(data, "x.pkl")
        assert not touched.exists()


def name(module: str, attribute: str) -> bytes:
    """Protocol 4's way to name something; dots in it walk through attributes."""
    parts = b"".join(b"\x8c" + bytes([len(text)]) + text.encode() for text in (module, attribute))
    return b"\x80\x04" + parts + b"\x93"


def array(dtype: bytes, shape: bytes, raw: bytes) -> bytes:
    """A protocol-2 array of hand-written dtype, shape and content."""
    return (
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85C\x01b\x87R(K\x01"
        + shape
        + dtype
        + b"\x89"
        + raw
        + b"tb."
    )


def dtype(code: bytes, state: bytes = b"(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb") -> bytes:
    return b"cnumpy\ndtype\nU" + bytes([len(code)]) + code + b"K\x00K\x01\x87R" + state


EIGHT = b"C\x08\x00\x00\x00\x00\x00\x00\xf0?"
HOSTILE = {
    "dotted_name": name("numpy", "dtype.__class__") + b".",
    "dotted_globals": name("_codecs", "encode.__globals__") + b".",
    "dotted_reconstruct": name("numpy.core.multiarray", "_reconstruct.__globals__") + b".",
    "submodule": name("numpy", "core.multiarray._reconstruct") + b".",
    "builtins_of_python_2": b"c__builtin__\neval\n(S'1'\ntR.",
    "posix": b"cposix\nsystem\n(S'true'\ntR.",
    "instance": b"(S'true'\nios\nsystem\n.",
    "object": b"(cos\nsystem\nS'true'\no.",
    "newobj": b"\x80\x02cos\nsystem\n)\x81.",
    "newobj_ex": b"\x80\x04cos\nsystem\n)}\x92.",
    "copy_reg": b"\x80\x02ccopy_reg\n_reconstructor\n(c__builtin__\nobject\nc__builtin__\nobject\nNtR.",
    "extension": b"\x80\x02\x82\x01.",
    "persistent_id": b"Psome/storage\n.",
    "binary_persistent_id": b"\x80\x02K\x01Q.",
    "out_of_band_buffer": b"\x80\x05\x97.",
    "codec_zip": b"\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00aX\x03\x00\x00\x00zip\x86R.",
    "codec_rot13": b"\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00aX\x05\x00\x00\x00rot13\x86R.",
    "codec_idna": b"\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00aX\x04\x00\x00\x00idna\x86R.",
    "codec_decode": b"\x80\x02c_codecs\ndecode\nX\x01\x00\x00\x00aX\x06\x00\x00\x00latin1\x86R.",
    "objects": pickle.dumps(np.array([{}, None], dtype=object), 2),
    "objects_4": pickle.dumps(np.array([{}, None], dtype=object), 4),
    "objects_5": pickle.dumps(np.array([{}, None], dtype=object), 5),
    "fields": pickle.dumps(np.zeros(2, dtype=[("a", "f4"), ("b", "i4")]), 2),
    "fields_of_objects": pickle.dumps(np.zeros(2, dtype=[("a", "O")]), 4),
    "dates": pickle.dumps(np.zeros(2, dtype="M8[s]"), 2),
    "void": pickle.dumps(np.zeros(2, dtype="V8"), 2),
    "object_code": array(dtype(b"O8"), b"K\x01\x85", EIGHT),
    "object_order": array(
        dtype(b"f8", b"(K\x03U\x01ONNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x3ftb"), b"K\x01\x85", EIGHT
    ),
    "fields_in_state": array(
        dtype(b"f8", b"(K\x03U\x01<NU\x01a\x85}U\x01aK\x00sK\x08K\x01K\x00tb"), b"K\x01\x85", EIGHT
    ),
    "subarray_in_state": array(
        dtype(b"f8", b"(K\x03U\x01<cnumpy\ndtype\nU\x02f8K\x00K\x01\x87RK\x01\x85\x86NNK\x08K\x01K\x00tb"),
        b"K\x01\x85",
        EIGHT,
    ),
    "code_with_fields": array(dtype(b"f8,O"), b"K\x01\x85", EIGHT),
    "long_code": array(dtype(b"S99999"), b"K\x01\x85", EIGHT),
    "content_is_a_list": array(dtype(b"f8"), b"K\x01\x85", b"]"),
    "huge_shape": array(dtype(b"f8"), b"\x8a\x06\x00\x00\x00\x00\x00\x01\x85", EIGHT),
    "overflowing_shape": array(dtype(b"f8"), b"\x8a\x05\x01\x00\x00\x00\x20\x8a\x05\x00\x00\x00\x00\x10\x86", EIGHT),
    "negative_shape": array(dtype(b"f8"), b"J\xff\xff\xff\xff\x85", EIGHT),
    "too_little_content": array(dtype(b"f8"), b"K\x02\x85", EIGHT),
    "shape_is_text": array(dtype(b"f8"), b"X\x01\x00\x00\x00a", EIGHT),
    "huge_text": b"\x80\x04\x8d" + struct.pack("<Q", 2**50) + b"a.",
    "huge_bytes": b"\x80\x04\x8e" + struct.pack("<Q", 2**50) + b"a.",
    "huge_bytearray": b"\x80\x05\x96" + struct.pack("<Q", 2**50) + b"a.",
    "huge_integer": b"\x80\x02\x8b" + struct.pack("<i", 2**31 - 1) + b"\x01.",
    "huge_decimal": b"I" + b"9" * 100_000 + b"\n.",
    "empty": b"",
    "no_stop": b"\x80\x04}",
    "only_stop": b".",
    "garbage": b"this is no pickle",
    "zeros": bytes(100),
    "future_protocol": b"\x80\x63N.",
    "jpeg": b"\xff\xd8\xff\xe0\x00\x10JFIF",
    "no_mark": b"\x80\x02t.",
    "unhashable_key": b"\x80\x02}]K\x01s.",
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_and_broken_pickles_are_refused(case):
    with pytest.raises(
        InputError, match=r"^x\.pkl: not a pickle of plain data \(.+\); allowed are containers, numbers"
    ):
        loads(HOSTILE[case], "x.pkl")


def test_the_hand_written_array_is_sound():
    """The rows above differ from a readable array only in what they claim."""
    assert np.array_equal(loads(array(dtype(b"f8"), b"K\x01\x85", EIGHT), "x.pkl"), [1.0])


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_cut_is_refused(protocol):
    data = pickle.dumps({"film,0902": np.arange(8.0).reshape(2, 4), "more": [1, "two", (3.0, None)]}, protocol)
    for length in range(len(data) - 1):
        with pytest.raises(InputError):
            loads(data[:length], "x.pkl")


@given(st.binary(max_size=60))
def test_noise_never_does_more_than_fail(noise):
    with contextlib.suppress(InputError):
        loads(noise, "x.pkl")


def test_deep_nesting_comes_through_or_is_refused():
    depth = 100_000
    content = loads(b"\x80\x02" + b"]" * depth + b"a" * (depth - 1) + b".", "x.pkl")
    for _ in range(depth - 1):
        (content,) = content
    assert content == []


# ---------------------------------------------------------------- what is easily got wrong


def bomb():
    """A tuple of shared tuples: small in the file, without end to whoever walks it."""
    value: tuple[object, ...] = (1,)
    for _ in range(6):
        value = (value,) * 40
    return {"a,1": value}


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(pickle.dumps({frozenset([frozenset([1])]): 1}, 4), id="sets"),
        pytest.param(b"\x80\x04ccollections\nOrderedDict\n)R}\x8c\x05itemsK\x05sb.", id="a method replaced"),
        pytest.param(b"\x80\x02" + b"(" + b"N" * 5000 + b"t.", id="endless tuple"),
    ],
)
def test_containers_that_are_no_plain_data_are_refused(data):
    with pytest.raises(InputError, match="not a pickle of plain data"):
        loads(data, "x.pkl")


def test_shared_tuples_are_not_walked():
    assert set(loads(pickle.dumps(bomb()), "x.pkl")) == {"a,1"}


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"cnumpy\nndarray\n((I3\ntS'O'\ntR.", id="array_of_objects"),
        pytest.param(b"cnumpy\nndarray\n((L1099511627776L\ntS'u1'\nC\x01xI0\n(I0\nttR.", id="terabyte_of_one_byte"),
        pytest.param(b"cnumpy\nndarray\n((I100000\ntS'f8'\ntR.", id="array_without_content"),
    ],
)
def test_an_array_cannot_be_made_by_hand(data):
    with pytest.raises(InputError):
        loads(data, "x.pkl")


def test_a_pickle_cannot_change_the_reader():
    from ava_tools import safe_pickle

    before = safe_pickle.encode.__defaults__
    try:
        with pytest.raises(InputError):
            loads(b"c_codecs\nencode\n(N}S'__defaults__'\n)stb.", "x.pkl")
        assert loads(pickle.dumps(b"abc", 2), "x.pkl") == b"abc"
    finally:
        safe_pickle.encode.__defaults__ = before


DEEP_KEY = """
from ava_tools.errors import InputError
from ava_tools.safe_pickle import loads
try:
    loads(b"\\x80\\x02})" + b"\\x85" * 2_000_000 + b"K\\x01s.", "x.pkl")
except InputError:
    print("refused")
"""


def test_a_deeply_nested_key_does_not_kill_the_process():
    finished = subprocess.run([sys.executable, "-c", DEEP_KEY], capture_output=True, text=True)
    assert finished.stdout == "refused\n"


# ---------------------------------------------------------------- small in the file, large to whoever reads it


def shared(depth: int, width: int = 2, kind: bytes = b"t") -> bytes:
    """Opcodes of a tuple (or, with ``l``, a list) that holds the same tuple several times, and so on down."""
    code = b"(" + b"N" * width + kind + b"q\x00"
    for level in range(depth):
        code += b"0(" + (b"h" + bytes([level])) * width + kind + b"q" + bytes([level + 1])
    return code


BOMBS = {
    "key": b"\x80\x02}" + shared(60) + b"K\x01s.",
    "wide_key": b"\x80\x02}" + shared(4, 1000) + b"K\x01s.",
    "keys_of_many": b"\x80\x02}(" + shared(4, 1000) + b"K\x01u.",
    "key_of_protocol_0": b"(" + shared(4, 1000) + b"K\x01d.",
    "key_in_a_call": b"\x80\x02ccollections\nOrderedDict\n](" + shared(4, 1000) + b"K\x01\x86e\x85R.",
    "codec": b"\x80\x02c_codecs\nencode\n(X\x01\x00\x00\x00x" + shared(60, kind=b"l") + b"tR.",
    "dtype": b"\x80\x02cnumpy\ndtype\n(" + shared(60, kind=b"l") + b"K\x00tR.",
    "index": pickle.dumps(np.zeros(2), 2)[:-1] + shared(60, kind=b"l") + b"Ns.",
    "bytearray": b"\x80\x05\x96" + struct.pack("<Q", 5 << 30) + b".",
}


@pytest.mark.parametrize("case", BOMBS)
def test_a_small_file_stays_small(case):
    before = time.process_time()
    with pytest.raises(InputError, match="not a pickle of plain data"):
        loads(BOMBS[case], "x.pkl")
    assert time.process_time() - before < 2


def test_tuples_may_be_keys():
    value = {("film", second): {(second, (0.5, None)): [second]} for second in range(1000)}
    for protocol in PROTOCOLS:
        assert loads(pickle.dumps(value, protocol), "x.pkl") == value


@pytest.mark.parametrize(
    ("data", "message"),
    [
        pytest.param(b"cos\x1b]0;x\x07\nsystem\n.", r"it asks for os\\x1b\]0;x\\x07\.system\)", id="controls"),
        pytest.param(b"c" + b"A" * 5_000_000 + b"\nB\n.", r"it asks for A{88}\.\.\.\)", id="long name"),
        pytest.param(
            b"F" + b"A" * 5_000_000 + b"\n.", r"could not convert string to float: b'A+\.\.\.\)", id="long number"
        ),
    ],
)
def test_messages_are_short_and_plain(data, message):
    with pytest.raises(InputError, match=message) as refused:
        loads(data, "x.pkl")
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 400


def test_a_pipe_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="pipe: is no regular file"):
        load(tmp_path / "pipe")


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(InputError, match="nowhere: cannot be read"):
        load(tmp_path / "nowhere")
