"""Names of results: nothing is replaced unasked, nobody gets the same name twice."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from ava_tools.cli.outputs import claim_names


@pytest.mark.parametrize(
    ("existing", "suffixes", "names"),
    [
        pytest.param([], ["csv", "mp4"], ["film.csv", "film.mp4"], id="free"),
        pytest.param(["film.csv"], ["csv", "mp4"], ["film-2.csv", "film-2.mp4"], id="all share the number"),
        pytest.param(["film.mp4"], ["csv", "mp4"], ["film-2.csv", "film-2.mp4"], id="the last one is there"),
        pytest.param(["film.csv"], ["mp4"], ["film.mp4"], id="another suffix"),
        pytest.param(["film.csv", "film-2.csv"], ["csv"], ["film-3.csv"], id="third"),
        pytest.param(["film.csv", "film-3.csv"], ["csv"], ["film-2.csv"], id="gap"),
        pytest.param(["film.csv", "film-2.mp4"], ["csv", "mp4"], ["film-3.csv", "film-3.mp4"], id="split"),
        pytest.param(["film.csv", "film-2.csv/x"], ["csv"], ["film-3.csv"], id="a folder has the name"),
    ],
)
def test_the_next_free_name(tmp_path, existing, suffixes, names):
    for name in existing:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("kept")
    paths = claim_names(tmp_path, "film", suffixes, False, set(), [])
    assert [path.name for path in paths] == names
    assert all(path.stat().st_size == 0 for path in paths)
    assert all((tmp_path / name).read_text() == "kept" for name in existing)
    others = {path.name for path in tmp_path.iterdir()} - {name.split("/")[0] for name in existing}
    assert others == set(names), "nothing of a failed claim stays"


@pytest.mark.parametrize(
    ("taken", "name"),
    [
        pytest.param(set(), "film.csv", id="first"),
        pytest.param({"film"}, "film-2.csv", id="its own result is kept"),
        pytest.param({"film", "film-2"}, "film-3.csv", id="its own results are kept"),
    ],
)
def test_overwriting(tmp_path, taken, name):
    for number in ("", "-2", "-3"):
        (tmp_path / f"film{number}.csv").write_text("old")
    written = set(taken)
    assert [path.name for path in claim_names(tmp_path, "film", ["csv"], True, written, [])] == [name]
    assert written == taken | {name.removesuffix(".csv")}


@pytest.mark.parametrize(
    ("sources", "name"),
    [
        pytest.param(["film.mp4"], "film-2", id="the film itself"),
        pytest.param(["other/../film.mp4", "film-2.mp4"], "film-3", id="by another path"),
        pytest.param(["link.mp4"], "film-2", id="by a link"),
        pytest.param(["other/film.mp4", "none.mp4"], "film", id="a film elsewhere"),
    ],
)
def test_overwriting_never_takes_a_film_that_is_read(tmp_path, sources, name):
    (tmp_path / "other").mkdir()
    for film in ("film.mp4", "film-2.mp4", "other/film.mp4"):
        (tmp_path / film).write_text("a film")
    (tmp_path / "link.mp4").symlink_to("film.mp4")
    paths = claim_names(tmp_path, "film", ["csv", "mp4"], True, set(), [tmp_path / source for source in sources])
    assert [path.name for path in paths] == [f"{name}.csv", f"{name}.mp4"]


def test_stems_with_dots(tmp_path):
    assert [path.name for path in claim_names(tmp_path, "v1.5 final", ["csv"], False, set(), [])] == ["v1.5 final.csv"]


def test_many_at_once_get_a_name_each(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        claims = pool.map(lambda _: claim_names(tmp_path, "film", ["csv", "jsonl"], False, set(), []), range(24))
    stems = [tuple(path.stem for path in paths) for paths in claims]
    assert all(csv == jsonl for csv, jsonl in stems)
    assert len(set(stems)) == 24
