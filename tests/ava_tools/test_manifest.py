"""dataset.yaml: what it may say, and what is wrong with those that say something else."""

from __future__ import annotations

import pandas as pd
import pytest
import yaml

from ava_tools.errors import InputError
from ava_tools.manifest import read_data_set
from ava_tools.settings import overridden

PLAIN = {"films": "films", "labels": "labels.csv", "splits": {"train": {"truth": "train.csv"}}}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "films").mkdir()
    (tmp_path / "labels.csv").write_text("1,run\n2,sit\n")
    for name in ("train.csv", "more.csv", "boxes.csv"):
        (tmp_path / name).write_text("a,1,0.1,0.1,0.5,0.5,1\n")
    (tmp_path / "excluded.csv").write_text("a,0004\n")

    def write(**changes):
        (tmp_path / "dataset.yaml").write_text(yaml.safe_dump(PLAIN | changes))
        return tmp_path

    return write


def test_a_folder_or_its_file(folder):
    path = folder()
    assert read_data_set(path) == read_data_set(path / "dataset.yaml")
    data_set = read_data_set(path)
    assert data_set.films == path / "films"
    assert data_set.split("train").truth == (path / "train.csv",)
    assert data_set.read_labels().names == ("run", "sit")
    assert (data_set.time_origin, data_set.frame_rate, data_set.start, data_set.end) == (0, 30, None, None)


def test_a_key_that_is_there_twice_is_named(folder):
    path = folder() / "dataset.yaml"
    line = len(path.read_text().splitlines()) + 1
    path.write_text(f"{path.read_text()}labels: other.csv\n")
    with pytest.raises(
        InputError, match=rf"dataset\.yaml, line {line}: is no yaml \(the key 'labels' is there twice\)"
    ):
        read_data_set(path)


def test_without_labels_it_is_ava(folder):
    assert len(read_data_set(folder(labels=None)).read_labels()) == 80


def test_several_files(folder):
    split = {"truth": ["train.csv", "more.csv"], "boxes": "boxes.csv"}
    data_set = read_data_set(folder(splits={"train": split}))
    assert [path.name for path in data_set.split("train").truth] == ["train.csv", "more.csv"]
    assert [path.name for path in data_set.split("train").boxes] == ["boxes.csv"]


def test_names_of_splits(folder):
    names = ["train", "v2.2-test_a", "val 2", "été"]
    assert list(read_data_set(folder(splits={name: {"truth": "train.csv"} for name in names})).splits) == names


def test_the_files_of_a_data_set(folder):
    split = {"truth": ["train.csv", "more.csv"], "boxes": "boxes.csv", "excluded": "excluded.csv"}
    files = {path.name for path in read_data_set(folder(splits={"train": split})).files}
    assert files == {"train.csv", "more.csv", "boxes.csv", "excluded.csv", "labels.csv"}


def test_which_key_frames_count(folder):
    split = {"truth": "train.csv", "excluded": "excluded.csv", "every": 2}
    data_set = read_data_set(folder(start=2, end=8.5, splits={"train": split}))
    table = pd.DataFrame({"video": "a", "timestamp": [0, 2, 3, 4, 6, 8, 10]})
    assert data_set.in_time(table, data_set.split("train"))["timestamp"].tolist() == [2, 4, 6, 8]
    assert data_set.counted(table, data_set.split("train"))["timestamp"].tolist() == [2, 6, 8]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"film": "x"}, "dataset.yaml: film is no setting; did you mean films"),
        ({"splits": {}}, "splits: .*at least 1"),
        ({"splits": {"train": {}}}, "splits.train.truth: Field required"),
        ({"splits": {"train": {"truth": "none.csv"}}}, "names .*none.csv, which does not exist"),
        ({"start": float("nan")}, "start: .*finite"),
        ({"start": 9, "end": 3}, "start 9 is after end 3"),
        ({"frame_rate": 0}, "frame_rate: .*greater than 0"),
        ({"labels": "absent.txt"}, "names .*absent.txt, which does not exist"),
        *(
            ({"splits": {name: {"truth": "train.csv"}}}, "a split is called .*; letters, digits, spaces and")
            for name in ("../up", "a/b", ".hidden", "", "new\nline", "a" * 101)
        ),
    ],
)
def test_wrong_manifests(folder, changes, message):
    with pytest.raises(InputError, match=message):
        read_data_set(folder(**changes))


def test_no_manifest(tmp_path):
    with pytest.raises(InputError, match=r"a folder with a dataset\.yaml"):
        read_data_set(tmp_path)


def test_no_such_split(folder):
    with pytest.raises(InputError, match="no split 'val'; it has train"):
        read_data_set(folder()).split("val")


def test_overrides():
    content = {"a": 1, "b": {"c": 2, "d": [1]}}
    changed = overridden(content, ["a=x", "b.c=2.5", "e.f.g=[1, 2]", "b.d=null"])
    assert changed == {"a": "x", "b": {"c": 2.5, "d": None}, "e": {"f": {"g": [1, 2]}}}
    assert content == {"a": 1, "b": {"c": 2, "d": [1]}}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("epochs", "'epochs' is no setting; key=value"),
        ("=5", "is no setting"),
        ("a..b=5", "is no setting"),
        ("a.b=5", "a is 1, which has no keys"),
        ("b=[", "is no yaml"),
    ],
)
def test_wrong_overrides(text, message):
    with pytest.raises(InputError, match=message):
        overridden({"a": 1}, [text])
