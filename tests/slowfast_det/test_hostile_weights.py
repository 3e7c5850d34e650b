"""torch files that would keep its reader busy, kill it, or fill the memory; and settings that would."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import time
import zipfile
from collections import Counter
from pathlib import Path

import pytest
import torch

from ava_tools import InputError
from ava_tools.settings import read_text, read_yaml
from slowfast_det.weights.files import open_weights


def shared(depth, width=2, kind=b"t"):
    """Opcodes of a tuple (or, with ``l``, a list) that holds the same tuple several times, and so on down."""
    code = (b"(" + b"N" * width + b"t" if kind == b"t" else b"]") + b"q\x00"
    for level in range(depth):
        twice = (b"h" + bytes([level])) * width
        code += b"0" + (b"(" + twice + b"t" if kind == b"t" else b"](" + twice + b"e") + b"q" + bytes([level + 1])
    return code


def text(value):
    return b"X" + struct.pack("<I", len(value)) + value


LONG = b"\x8a\x08" + struct.pack("<q", 1 << 36)
STORAGE = b"(" + text(b"storage") + b"ctorch\nFloatStorage\n"
HOSTILE = {
    "key": b"}" + shared(45) + b"K\x01s",
    "wide_key": b"}" + shared(4, 1000) + b"K\x01s",
    "deep_key": b"}N" + b"\x85" * 200_000 + b"K\x01s",
    "long_name": b"c" + b"A" * 300_000 + b"\nB\n",
    "name": b"cos\x1b]0;x\x07\nsystem\n",
    "storage_key": STORAGE + shared(45, kind=b"l") + text(b"cpu") + b"K\x01tQ",
    "storage_length": STORAGE + text(b"0") + text(b"cpu") + text(b"one") + b"tQ",
    "no_storage": text(b"a") + b"Q",
    "called_list": shared(45, kind=b"l") + b")R",
    "made_list": shared(45, kind=b"l") + b")\x81",
    "set": b"cbuiltins\nset\n](" + shared(45) + b"e\x85R",
    "layout": b"ctorch.serialization\n_get_layout\n" + shared(45) + b"\x85R",
    "sparse": b"ctorch._utils\n_rebuild_sparse_tensor\n" + shared(45, kind=b"l") + b"N\x86R",
    "codec": b"c_codecs\nencode\n" + text("ü".encode() * 300_000) + text(b"punycode") + b"\x86R",
    "bytearray": b"c__builtin__\nbytearray\n" + LONG + b"\x85R",
    "bytearray_inside": b"ctorch._tensor\n_rebuild_from_type_v2\n(cbuiltins\nbytearray\nN" + LONG + b"\x85}tR",
    "tensor": b"ctorch\nFloatTensor\n" + LONG + b"\x85R",
    "nothing": b"",
}


def archive(path, content, **options):
    with zipfile.ZipFile(path, "w", **options) as file:
        file.writestr("archive/data.pkl", content)
        file.writestr("archive/version", "3\n")
    return path


def legacy(path, content):
    magic = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.\x80\x02}."
    path.write_bytes(magic + content + b"\x80\x02].")
    return path


@pytest.mark.parametrize("write", [archive, legacy])
@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_content_is_refused_at_once(case, write, tmp_path):
    path = write(tmp_path / "x.pth", b"\x80\x02" + HOSTILE[case] + b".")
    before = time.process_time()
    with pytest.raises(InputError, match="nothing in it was run") as refused:
        open_weights(path)
    assert time.process_time() - before < 2
    assert len(str(refused.value).replace(str(path), "")) < 400
    assert str(refused.value).isprintable()


@pytest.mark.parametrize("write", [archive, legacy])
def test_the_hand_written_files_are_sound(write, tmp_path):
    """The files above differ from readable ones only in their content."""
    assert open_weights(write(tmp_path / "x.pth", b"\x80\x02}.")).content == {}


def test_deep_keys_do_not_kill_the_process(tmp_path):
    path = archive(tmp_path / "x.pth", b"\x80\x02" + HOSTILE["deep_key"] + b".")
    code = f"from slowfast_det.weights.files import open_weights; open_weights({str(path)!r})"
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "InputError" in finished.stderr


def with_comment(path):
    with zipfile.ZipFile(archive(path, b"\x80\x02}."), "a") as file:
        file.comment = b"PK"


def with_two_pickles(path):
    with zipfile.ZipFile(archive(path, b"\x80\x02}."), "a") as file:
        file.writestr("archive/DATA.pkl", b"\x80\x02}.")


def with_a_prefix(path):
    path.write_bytes(b"PK\x03\x04" + bytes(100) + archive(path, b"\x80\x02}.").read_bytes())


def with_a_huge_pickle(path):
    archive(path, b"\x80\x02" + b"N0" * (17 << 20) + b"}.")


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda path: archive(path, b"N" * 10_000_000, compression=zipfile.ZIP_DEFLATED), "is a compressed archive"),
        (with_comment, "parts that torch.save does not write"),
        (with_two_pickles, "parts that torch.save does not write"),
        (with_a_prefix, "parts that torch.save does not write"),
        (with_a_huge_pickle, "a pickle of more than 32 MB"),
    ],
    ids=["bomb", "comment", "twice", "prefix", "huge"],
)
def test_archives_that_torch_does_not_write_are_refused(write, message, tmp_path):
    write(tmp_path / "x.pth")
    with pytest.raises(InputError, match=message):
        open_weights(tmp_path / "x.pth")


@pytest.mark.parametrize("zipped", [True, False])
def test_what_trainings_save_is_read(zipped, tmp_path):
    network = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2))
    network(torch.zeros(1, 1, 4, 4)).sum().backward()
    optimizer = torch.optim.AdamW(network.parameters())
    optimizer.step()
    content = {
        "model_state": network.state_dict(),
        "optimizer_state": optimizer.state_dict(),
        "milestones": Counter([16, 18, 18]),
        "classes": tuple(f"class {each}" for each in range(2000)),
        "raw": b"\x00\xff",
        "half": torch.zeros(2, dtype=torch.bfloat16),
        "part": torch.arange(6)[2:4],
        "parameter": torch.nn.Parameter(torch.ones(2)),
    }
    torch.save(content, tmp_path / "x.pth", _use_new_zipfile_serialization=zipped)
    read = open_weights(tmp_path / "x.pth").content
    assert read.keys() == content.keys()
    assert torch.equal(read["part"], content["part"])
    assert read["milestones"] == content["milestones"]
    assert list(read["model_state"]) == list(content["model_state"])


@pytest.mark.parametrize("reader", [open_weights, lambda path: read_text(Path(path))], ids=["weights", "yaml"])
def test_pipes_devices_and_folders_are_refused(reader, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path, Path("/dev/zero")):
        with pytest.raises(InputError, match=f"{path}: is no regular file"):
            reader(path)


# ---------------------------------------------------------------- settings

ALIASES = "aliases are allowed only of"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n", f"x, line 3: is no yaml .{ALIASES}"),
        ("a: &a {k: 1}\nb: &b {<<: [*a, *a]}\n", f"x, line 2: is no yaml .{ALIASES}"),
        ("a: &a [1, *a]\n", ALIASES),
        ("a: &a {k: *a}\n", ALIASES),
        (f"a: &a [{'1, ' * 101}]\nb: *a\n", ALIASES),
        ("[" * 100_000, "nested too deeply"),
        ("{a: " * 50_000, "nested too deeply"),
        ("a: 1\n" * 100_000, "too long for settings"),
        (f"a: {'1:' * 100_000}1", "a number of more than 100 digits"),
        (f"a: 0x{'f' * 100_000}", "a number of more than 100 digits"),
        ("!" + "a" * 100_000 + " x", "could not determine a constructor"),
    ],
    ids=["doubling", "merges", "endless", "endless mapping", "long", "lists", "mappings", "text", "time", "hex", "tag"],
)
def test_hostile_settings_are_refused(content, message):
    with pytest.raises(InputError, match=message) as refused:
        read_yaml(content, "x")
    assert len(str(refused.value)) < 400


def test_what_dumps_share_is_read():
    """yaml writes an alias where two settings hold the same list."""
    content = read_yaml("a: &id001 [0.45, 0.45]\nb: *id001\nc: &id002 []\nd: *id002\ne: {<<: {f: 1}, g: 2}\n", "x")
    assert content == {"a": [0.45, 0.45], "b": [0.45, 0.45], "c": [], "d": [], "e": {"f": 1, "g": 2}}
