"""What a SOURCE of the command line stands for."""

from __future__ import annotations

import pytest

from slowfast_det.cli.sources import expand_sources

FILES = [
    "a.mp4",
    "b.MKV",
    "notes.txt",
    "odd[1].mp4",
    "films/x.avi",
    "films/y.webm",
    "films/readme.md",
    "films/deep/z.mp4",
    "frames/img_1.jpg",
    "frames/img_2.png",
    "sets/one/1.jpg",
    "sets/two/1.jpeg",
    "sets/rest/notes.txt",
    "mixed/film.mov",
    "mixed/poster.jpg",
    "hollow/notes.txt",
]


@pytest.fixture
def tree(tmp_path, monkeypatch):
    for name in FILES:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "films" / "folder.mp4").mkdir()
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("tree")
@pytest.mark.parametrize(
    ("sources", "films"),
    [
        pytest.param(["a.mp4"], ["a.mp4"], id="film"),
        pytest.param(["b.MKV", "a.mp4"], ["b.MKV", "a.mp4"], id="order as given"),
        pytest.param(["a.mp4", "./a.mp4", "a.mp4"], ["a.mp4"], id="once only"),
        pytest.param(["notes.txt"], ["notes.txt"], id="any file is taken at its word"),
        pytest.param(["films"], ["films/x.avi", "films/y.webm"], id="folder of films"),
        pytest.param(["frames"], ["frames"], id="folder of frames"),
        pytest.param(["sets"], ["sets/one", "sets/two"], id="folder of frame folders"),
        pytest.param(["mixed"], ["mixed/film.mov"], id="films before pictures"),
        pytest.param(["*.mp4"], ["a.mp4", "odd[1].mp4"], id="pattern"),
        pytest.param(["films/*.avi", "a.*"], ["films/x.avi", "a.mp4"], id="two patterns"),
        pytest.param(["**/z.mp4"], ["films/deep/z.mp4"], id="pattern through folders"),
        pytest.param(["sets/*o*"], ["sets/one", "sets/two"], id="pattern of frame folders"),
        pytest.param(["odd[1].mp4"], ["odd[1].mp4"], id="brackets in a name"),
        pytest.param(["?.mp4", "a.mp4"], ["a.mp4"], id="pattern and name of the same"),
    ],
)
def test_sources(sources, films):
    found, problems = expand_sources(sources)
    assert [str(path) for path in found] == films
    assert problems == []


@pytest.mark.usefixtures("tree")
@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        pytest.param("nothing.mp4", "nothing.mp4: no such file or folder", id="missing"),
        pytest.param("no*thing", "no*thing: the pattern fits no film", id="pattern without match"),
        pytest.param("hollow", "hollow: the folder holds neither films nor images", id="nothing in the folder"),
    ],
)
def test_a_source_that_stands_for_nothing_leaves_the_others(source, sentence):
    found, problems = expand_sources(["a.mp4", source, "frames"])
    assert [str(path) for path in found] == ["a.mp4", "frames"]
    assert problems == [sentence]


@pytest.mark.usefixtures("tree")
def test_a_pattern_that_also_fits_a_hollow_folder():
    found, _ = expand_sources(["*s", "*o*"])
    assert {"films/x.avi", "frames", "sets/one", "odd[1].mp4"} <= {str(path) for path in found}
