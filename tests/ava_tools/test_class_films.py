"""Films with one class each, against files written by hand in every form that people have."""

from __future__ import annotations

import json
import os

import pytest

from ava_tools import Action, InputError, Labels
from ava_tools.class_films import read_class_films

KINETICS = "label,youtube_id,time_start,time_end,split"


@pytest.fixture
def folder(tmp_path):
    """Builds a folder of empty films and of files with a content."""

    def build(films=(), **files):
        for film in films:
            (tmp_path / film).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / film).touch()
        for name, content in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return tmp_path

    return build


def found(films, root):
    """Films by their paths within the folder, with the names of their classes."""
    names = [films.labels.names[column] for column in films.classes]
    return {os.path.relpath(path, root): name for path, name in zip(films.paths, names, strict=True)}


def test_what_is_read(folder):
    root = folder(["a.mp4", "b.mp4", "c.mp4"], **{"train.csv": "a.mp4 2\nb.mp4 0\nc.mp4 2\n"})
    films = read_class_films(root, "train")
    assert films.paths == (root / "a.mp4", root / "b.mp4", root / "c.mp4")
    assert (films.classes.dtype, films.classes.tolist()) == ("int64", [2, 0, 2])
    assert films.labels == Labels((Action(0, "class 0"), Action(1, "class 1"), Action(2, "class 2")))
    assert films.counts.tolist() == [1, 0, 2]
    assert films.notes == ("train: 1 of 3 classes have no film: class 1",)
    assert len(films) == 3


TWO = {"x/a.mp4": "class 1", "b.mp4": "class 0"}
NAMED = {"x/a.mp4": "air drumming", "b.mp4": "run"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("x/a.mp4 1\nb.mp4 0\n", TWO, id="pyslowfast"),
        pytest.param("x/a.mp4 1\nb.mp4 0", TWO, id="no_line_end"),
        pytest.param("\n x/a.mp4   1 \n\nb.mp4 0\n\n", TWO, id="blank_lines_and_spaces"),
        pytest.param("x/a.mp4 1\r\nb.mp4 0\r\n", TWO, id="windows"),
        pytest.param("x/a.mp4 1\rb.mp4 0\r", TWO, id="old_mac"),
        pytest.param(b"\xef\xbb\xbfx/a.mp4 1\nb.mp4 0\n", TWO, id="byte_order_mark"),
        pytest.param("x/a.mp4,1\nb.mp4,0\n", TWO, id="commas"),
        pytest.param("x/a.mp4\t1\nb.mp4\t0\n", TWO, id="tabs"),
        pytest.param("path,label\nx/a.mp4,1\nb.mp4,0\n", TWO, id="header"),
        pytest.param("path label\nx/a.mp4 1\nb.mp4 0\n", TWO, id="header_with_a_space"),
        pytest.param("x/a.mp4 7 1\nb.mp4 8 0\n", TWO, id="three_fields"),
        pytest.param("path,frames,label\nx/a.mp4,7,1\nb.mp4,8,0\n", TWO, id="three_fields_with_a_header"),
        pytest.param('"x/a.mp4",1\n"b.mp4",0\n', TWO, id="quotes"),
        pytest.param("y/../x/a.mp4 1\n./b.mp4 0\n", {"y/../x/a.mp4": "class 1", "b.mp4": "class 0"}, id="dots"),
        pytest.param("x/a 1\nb 0\n", TWO, id="without_suffix"),
        pytest.param("x/a.mp4 air drumming\nb.mp4 run\n", NAMED, id="names"),
        pytest.param("x/a.mp4,air drumming\nb.mp4,run\n", NAMED, id="names_behind_commas"),
        pytest.param('x/a.mp4,"air drumming"\nb.mp4,"run"\n', NAMED, id="names_in_quotes"),
        pytest.param("x/a.mp4,12,air drumming\nb.mp4,300,run\n", NAMED, id="names_and_numbers"),
        pytest.param("x/a.mp4 3 legs\nb.mp4 4 legs\n", {"x/a.mp4": "3 legs", "b.mp4": "4 legs"}, id="names_of_digits"),
        pytest.param("of frames 120 1\nb.mp4 0\n", {"of frames": "class 1", "b.mp4": "class 0"}, id="frames"),
        pytest.param("of frames 1\nb.mp4 0\n", {"of frames": "class 1", "b.mp4": "class 0"}, id="frames_uncounted"),
        pytest.param("x/two 1.avi 2 1\nb.mp4 0\n", {"x/two 1.avi": "class 1", "b.mp4": "class 0"}, id="spaces"),
        pytest.param("x/two 1.avi 1\nb.mp4 0\n", {"x/two 1.avi": "class 1", "b.mp4": "class 0"}, id="spaces_alone"),
        pytest.param("x/q,r.mp4 1\nb.mp4 0\n", {"x/q,r.mp4": "class 1", "b.mp4": "class 0"}, id="comma_in_a_path"),
    ],
)
@pytest.mark.parametrize("suffix", ["csv", "txt"])
def test_lists_of_paths(folder, text, expected, suffix):
    root = folder(
        ["x/a.mp4", "b.mp4", "x/two 1.avi", "x/q,r.mp4", "of frames/1.jpg", "y/nothing"], **{f"train.{suffix}": text}
    )
    films = read_class_films(root, "train")
    assert found(films, root) == {os.path.normpath(path): name for path, name in expected.items()}
    assert films.notes == ()


def test_paths_count_from_the_folder_of_films_unless_they_are_absolute(folder):
    root = folder(["films/a.mp4", "b.mp4"])
    (root / "lists").mkdir()
    (root / "lists" / "val.csv").write_text(f"a.mp4 0\n{root}/b.mp4 1\n")
    films = read_class_films(root / "lists", "val", films=root / "films")
    assert found(films, root) == {"films/a.mp4": "class 0", "b.mp4": "class 1"}


CSV = f"{KINETICS}\nair drumming,abc,1,11,train\nrun,-d_,20,30,train\nair drumming,gone,0,10,train\n"


@pytest.mark.parametrize(
    "places",
    [
        pytest.param(["abc_000001_000011.mp4", "-d__000020_000030.mkv"], id="one_folder"),
        pytest.param(["abc.webm", "-d_.mp4"], id="ids_alone"),
        pytest.param(["air drumming/abc_000001_000011.mp4", "run/-d__000020_000030.mp4"], id="class_folders"),
        pytest.param(["air_drumming/abc_000001_000011.mp4", "run/-d_.mp4"], id="underscores"),
        pytest.param(["train/abc_000001_000011.mp4", "train/-d__000020_000030.mp4"], id="split_folder"),
        pytest.param(["train/air_drumming/abc.mp4", "train/run/-d_.mp4"], id="class_folders_of_the_split"),
        pytest.param(["abc_000001_000011/img_1.jpg", "-d__000020_000030/img_1.jpg"], id="folders_of_frames"),
    ],
)
@pytest.mark.parametrize("inside", ["", "films/"], ids=["beside", "elsewhere"])
def test_kinetics_csv(folder, places, inside):
    root = folder([inside + place for place in places], **{"train.csv": CSV})
    films = read_class_films(root, "train", films=root / inside if inside else None)
    names = [place.removesuffix("/img_1.jpg") for place in places]
    assert found(films, root) == dict(zip([inside + name for name in names], ["air drumming", "run"], strict=True))
    assert films.labels == Labels((Action(0, "air drumming"), Action(1, "run")))
    assert films.notes == (f"{root / 'train.csv'}: 1 of 3 films are missing: gone_000000_000010",)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            f"{KINETICS},is_cc\nrun,abc,1,11,validate,0\nrun,d,2,12,train,1\n", ["abc"], id="splits_in_one_file"
        ),
        pytest.param(f"{KINETICS}\nrun,abc,1,11,holdout\nrun,d,2,12,holdout\n", ["abc", "d"], id="another_split"),
        pytest.param("label,youtube_id,time_start,time_end\nrun,abc,1,11\n", ["abc"], id="no_split"),
        pytest.param("Time_End,YouTube_ID,time_start,label\n11.0,abc,1.0,run\n", ["abc"], id="columns_in_any_order"),
        pytest.param(f'\ufeff{KINETICS}\r\n"run, fast","abc",1,11,val\r\n', ["abc"], id="quotes_and_windows"),
        pytest.param(f"{KINETICS}\nrun,abc,1,11,val\nrun,abc,1,11,val\n", ["abc"], id="twice"),
        pytest.param(
            f"{KINETICS}\nrun,abc,1,11,val\nsit,abc,1,11,val\nsit,d,2,12,val\n", ["d"], id="a_film_of_two_classes"
        ),
    ],
)
def test_rows_of_kinetics(folder, text, expected):
    root = folder(["abc_000001_000011.mp4", "d.mp4"], **{"val.csv": text})
    films = read_class_films(root, "val")
    assert [path.stem.partition("_")[0] for path in films.paths] == expected


@pytest.mark.parametrize("data", ["", "train"], ids=["folder_of_splits", "folder_of_classes"])
def test_one_folder_a_class(folder, data):
    kept = ["train/run/b.mp4", "train/run/a.AVI", "train/air drumming/c.webm"]
    root = folder(
        [*kept, "train/run/notes.txt", "train/run/.d.mp4", "train/.cache/e.mp4", "train/loose.mp4", "train/empty/x.txt"]
    )
    films = read_class_films(root / data, "train")
    assert found(films, root) == {kept[2]: "air drumming", kept[1]: "run", kept[0]: "run"}
    assert films.notes == (f"{root / 'train'}: folders without films are no classes: empty",)


def test_folders_that_are_called_by_numbers_are_in_their_order(folder):
    films = read_class_films(folder(["train/10/a.mp4", "train/2/b.mp4"]), "train")
    assert films.labels.names == ("2", "10")


@pytest.mark.parametrize(
    ("name", "text", "ids"),
    [
        pytest.param("labels.csv", "id,name\n0,sit\n1,run\n2,eat cake\n", (0, 1, 2), id="csv"),
        pytest.param("labels.csv", "1,sit\n2,run\n3,eat cake\n", (1, 2, 3), id="ids_from_1"),
        pytest.param("classes.csv", "30,eat cake\n10,sit\n20,run\n", (10, 20, 30), id="ids_in_disorder"),
        pytest.param("classes.txt", "sit\nrun\neat cake\n", (1, 2, 3), id="names_alone"),
        pytest.param(
            "kinetics_classnames.json",
            json.dumps({'"eat cake"': 2, "sit": 0, "run": 1}),
            (0, 1, 2),
            id="pytorchvideo",
        ),
        pytest.param("kinetics_label_map_k400.txt", "sit\nrun\neat cake\n", (1, 2, 3), id="mmaction2"),
        pytest.param("classids.json", '{"sit": 0, "run": 1, "eat cake": 2}', (0, 1, 2), id="pyslowfast"),
    ],
)
@pytest.mark.parametrize("given", [False, True], ids=["beside", "given"])
def test_numbers_count_the_list_of_classes_from_0(folder, name, text, ids, given):
    place = f"elsewhere/{name}" if given else name
    root = folder(["a.mp4", "b.mp4", "c.mp4"], **{"train.csv": "a.mp4 0\nb.mp4 2\nc.mp4 1", place: text})
    films = read_class_films(root, "train", labels=root / place if given else None)
    assert films.classes.tolist() == [0, 2, 1]
    assert films.labels == Labels(tuple(map(Action, ids, ("sit", "run", "eat cake"))))
    assert films.notes == ()


@pytest.mark.parametrize("form", ["paths", "kinetics", "folders"])
def test_names_may_be_those_of_a_list_or_known(folder, form):
    label = "Air_Drumming"
    text = {"paths": f"a.mp4 {label}", "kinetics": f"{KINETICS}\n{label},a,1,11,train", "folders": ""}[form]
    root = folder(["a.mp4" if text else f"train/{label}/a.mp4"], **({"train.csv": text} if text else {}))
    (root / "labels.csv").write_text("4,run\n7,air drumming\n")
    films = read_class_films(root, "train")
    assert (films.classes.tolist(), films.labels.ids) == ([1], (4, 7))
    assert films.notes == ("train: 1 of 2 classes have no film: run",)
    known = Labels((Action(1, "air drumming"), Action(2, "swim")))
    films = read_class_films(root, "train", known=known)
    assert (films.classes.tolist(), films.labels) == ([0], known)


def test_a_part_of_ava_is_only_that_part(folder):
    root = folder(["train/stand/a.mp4", "train/walk/a.mp4"], **{"labels.csv": "12,stand\n14,walk\n"})
    assert read_class_films(root, "train").labels.ids == (12, 14)


def test_another_split_fits_the_first(folder):
    root = folder(["a.mp4", "b.mp4"], **{"train.csv": "a.mp4 3\n", "val.csv": "a.mp4 0\nb.mp4 3\n"})
    known = read_class_films(root, "train").labels
    films = read_class_films(root, "val", known=known)
    assert (films.classes.tolist(), films.labels) == ([0, 3], known)
    assert films.notes == ("val: 2 of 4 classes have no film: class 1, class 2",)


def test_missing_films_move_no_class(folder):
    root = folder(["c.mp4"], **{"train.csv": "a.mp4 air\nb.mp4 5\nc.mp4 run\n".replace("5", "bow")})
    films = read_class_films(root, "train")
    assert (films.classes.tolist(), films.labels.names) == ([2], ("air", "bow", "run"))
    assert films.notes == (
        f"{root / 'train.csv'}: 2 of 3 films are missing: a.mp4, b.mp4",
        "train: 2 of 3 classes have no film: air, bow",
    )


def test_whoever_numbers_from_1_is_told(folder):
    root = folder(["a.mp4"], **{"train.csv": "a.mp4 1", "labels.csv": "1,run\n2,sit\n"})
    note = f"{root / 'train.csv'}: no film has the number 0, from which classes are counted; 1 stands for 'sit'"
    assert note in read_class_films(root, "train").notes


@pytest.mark.parametrize(
    ("name", "split"),
    [
        pytest.param("val.csv", "val", id="plain"),
        pytest.param("validate.csv", "val", id="kinetics"),
        pytest.param("kinetics400_val_list_videos.txt", "val", id="mmaction2"),
        pytest.param("testlist01.txt", "test", id="ucf"),
    ],
)
def test_what_lists_are_called(folder, name, split):
    root = folder(["a.mp4"], **{name: "a.mp4 0", "retrained.txt": "b.mp4 0"})
    assert found(read_class_films(root, split), root) == {"a.mp4": "class 0"}
    assert found(read_class_films(root / name, "any"), root) == {"a.mp4": "class 0"}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        pytest.param("", "train.csv: is empty; lines of a path and a class are expected", id="empty"),
        pytest.param("\n \n", "train.csv: is empty", id="blank"),
        pytest.param("path,label\n", "train.csv: lists no film behind its header", id="header_alone"),
        pytest.param("a.mp4\n", "line 1: is 'a.mp4'; a path and a class are expected", id="one_column"),
        pytest.param("a.mp4 0\nb.mp4,\n", "line 2: is 'b.mp4,'; a path", id="no_class"),
        pytest.param("a.mp4 0\nb.mp4 -1\n", "line 2: the class is '-1'; a whole number from 0", id="negative"),
        pytest.param("a.mp4 -1\n", "line 1: the class is '-1'; a whole number from 0", id="negative_first"),
        pytest.param("a.mp4 0.5\n", "line 1: the class is '0.5'; a whole number", id="half"),
        pytest.param("a.mp4 123456789012\n", "line 1: the class is '123456789012'; a whole number", id="huge"),
        pytest.param("a.mp4 0\n\nb.mp4 run\n", "line 3: the class is 'run'; a whole number .* as before", id="mixed"),
        pytest.param("a.mp4 run\nb.mp4 3\n", "line 2: the class is '3'; a name is expected, as before", id="mixed_too"),
        pytest.param(
            "a.mp4 0\nb.mp4 1\n./a.mp4 1\n",
            "line 3: a.mp4 is of the class 'class 1', but of 'class 0' in .*line 1; a film has one class",
            id="two_classes",
        ),
        pytest.param("no.mp4 0\nnone.mp4 0\n", "none of its 2 films is there .*the first .*/no.mp4$", id="all_missing"),
        pytest.param("no\0.mp4 0\n", "none of its 1 films is there", id="zero_byte"),
        pytest.param(b"a.mp4 0\n\xff\xfe 1\n", r"train.csv: cannot be read as text \(it is no utf-8\)", id="no_text"),
        pytest.param("x" * 5000 + "\n", r"line 1: is 'x{100}\.\.\.'; a path", id="long_line"),
        pytest.param("label,youtube_id,time_start\n", "line 1: Kinetics' header lacks time_end; label,", id="header"),
        pytest.param("youtube_id,time_start,time_end,split\n", "header lacks label;", id="kinetics_without_labels"),
        pytest.param(f"{KINETICS}\n", "'train'; it has no line behind its header", id="kinetics_header_alone"),
        pytest.param(f"{KINETICS}\nrun,a\n", "line 2: time_start is ''; a number of seconds", id="short_row"),
        pytest.param(f"{KINETICS}\n,a,1,2,train\n", "line 2: has no label", id="no_label"),
        pytest.param(f"{KINETICS}\nrun,a,1,nan,train\n", "line 2: time_end is 'nan'", id="no_time"),
        pytest.param(f"{KINETICS}\nrun,a,-3,2,train\n", "line 2: time_start is '-3'", id="negative_time"),
        pytest.param(
            f"{KINETICS}\nrun,a,1,2,val\nrun,b,1,2,test\n",
            "no film of the split 'train'; its splits are test, val",
            id="other_splits",
        ),
        pytest.param(f"{KINETICS}\nrun,{'x' * 200_000},1,2,val\n", "line 2: is no csv", id="huge_cell"),
        pytest.param(f"{KINETICS}\n{'r' * 5000},../../etc,1,2,train\n", "none of its 1 films", id="hostile_names"),
    ],
)
def test_wrong_lists(folder, text, sentence):
    root = folder(["a.mp4", "b.mp4"], **{"train.csv": text})
    with pytest.raises(InputError, match=sentence) as problem:
        read_class_films(root, "train")
    assert "train.csv" in str(problem.value)
    assert "\n" not in str(problem.value)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        pytest.param("a.mp4 9\n", "line 1: the class is '9'; numbers from 0 to 1 stand for the 2 known", id="number"),
        pytest.param("a.mp4 0\nb.mp4 ruin\n", "line 2: 'ruin' is none of the 2 known .* mean 'run'", id="name"),
        pytest.param(
            f"{KINETICS}\nrun,a,1,2,val\neat,b,1,2,val", "line 3: 'eat' is none of the 2 known", id="kinetics"
        ),
    ],
)
def test_classes_that_are_not_known(folder, text, sentence):
    root = folder(["a.mp4", "b.mp4"], **{"val.csv": text})
    with pytest.raises(InputError, match=rf"val\.csv, {sentence}"):
        read_class_films(root, "val", known=Labels((Action(0, "run"), Action(1, "sit"))))


@pytest.mark.parametrize(
    ("films", "files", "sentence"),
    [
        pytest.param([], {"notes.md": ""}, r"has no split 'train' \(train.csv, train.txt or a folder", id="nothing"),
        pytest.param(
            ["val/run/a.mp4", "test/run/a.mp4"], {}, "no split 'train' .* it has test, val", id="other_splits"
        ),
        pytest.param(["train/a.mp4"], {}, "no folder in it has films; .*; a.mp4 lies in it without", id="no_classes"),
        pytest.param(["train/run/a.txt"], {}, "no folder in it has films; one folder a class", id="no_films"),
        pytest.param(
            [], {"a_train.csv": "", "b_train.csv": ""}, "several lists .*a_train.csv, b_train.csv", id="lists"
        ),
        pytest.param(
            ["train/run/a.mp4"],
            {"labels.csv": "0,run", "classes.txt": "run"},
            r"several files may name the classes \(classes.txt, labels.csv\)",
            id="two_lists_of_classes",
        ),
        pytest.param(["train/run/a.mp4"], {"labels.csv": "0,sit"}, "train/run: 'run' is none of the 1", id="folder"),
        pytest.param(
            ["train/run/a.mp4"], {"classes.txt": "run\nsit\nrun\n"}, "names the class 'run' 2 times", id="name_twice"
        ),
    ],
)
def test_wrong_folders(folder, films, files, sentence):
    root = folder(films, **files)
    with pytest.raises(InputError, match=sentence):
        read_class_films(root, "train")


def test_wrong_places(folder):
    root = folder(["train/run/a.mp4"])
    with pytest.raises(InputError, match="nowhere: no such file or folder"):
        read_class_films(root / "nowhere", "train")
    with pytest.raises(InputError, match="makes sense only for a list"):
        read_class_films(root, "train", films=root)
    os.mkfifo(root / "val.csv")
    with pytest.raises(InputError, match=r"val\.csv: is no regular file"):
        read_class_films(root, "val")
