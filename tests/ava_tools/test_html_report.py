"""The html page: parses, needs nothing else, escapes names; two runs compared by a paired bootstrap."""

from __future__ import annotations

import math
import subprocess
import sys
from html.parser import HTMLParser
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from ava_tools import Action, InputError, Labels, ava_labels, evaluate
from ava_tools.cli.main import app
from ava_tools.cli.run import run
from ava_tools.comparison import compare
from ava_tools.html_report import save_html

COLUMNS = ["video", "timestamp", "x1", "y1", "x2", "y2", "action_id"]
BOX = [0.1, 0.1, 0.5, 0.9]
AWAY = [0.6, 0.1, 0.9, 0.9]
HOSTILE = "<script>alert(1)</script>"
VOID = {"meta", "link", "br", "img", "hr", "input"}
KINDLESS = Labels((Action(1, "stand"), Action(2, "walk"), Action(3, "wave $x$ & <b>")))


class Page(HTMLParser):
    """Checks nesting, and gathers what the page refers to, its scripts and its text."""

    def __init__(self, text):
        super().__init__()
        self.open, self.references, self.tags, self.text = [], [], [], []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.references += [value for name, value in attrs if name in ("src", "href", "xlink:href")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data.strip())


def truth_table(rows):
    return pd.DataFrame(rows, columns=COLUMNS).astype({"timestamp": float, "action_id": float})


def found_table(rows):
    return pd.DataFrame(rows, columns=[*COLUMNS, "score"]).astype(
        {"timestamp": float, "action_id": float, "score": float}
    )


def generated(films=6, action_ids=(1, 2, 3), noise=1.0, seed=0, prefix="film"):
    """Truth, and detections that find the better the smaller the noise is; the seed fixes both films and scores."""
    random = np.random.default_rng(seed)
    truth, found = [], []
    for film in range(films):
        for time in range(8):
            actions = random.choice(action_ids, 1 + random.integers(len(action_ids)), replace=False)
            truth += [[f"{prefix} {film}", time, *BOX, int(action)] for action in actions]
            for action in action_ids:
                score = 1 / (1 + math.exp(-float(action in actions) - noise * random.normal()))
                found.append([f"{prefix} {film}", time, *BOX, action, score])
    return truth_table(truth), found_table(found)


def page_of(tmp_path, *arguments):
    save_html(arguments[0], tmp_path / "page.html", *arguments[1:])
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    page = Page(text)
    assert all(reference.startswith("#") for reference in page.references)
    assert "script" not in page.tags
    assert "link" not in page.tags
    assert "@import" not in text
    assert not {"src", "srcset"} & set(text.replace("=", " ").split())
    return page


def test_the_page_holds_every_action(tmp_path):
    truth, found = generated(action_ids=(12, 11, 80, 17, 79))
    page = page_of(tmp_path, evaluate(truth, found))
    assert {action.name for action in ava_labels() if action.scored} <= set(page.text)
    assert page.tags.count("svg") == 3
    assert "film 3" in page.text
    assert any(text.startswith("protocol activitynet, 5 of 60 actions have an AP, 6 films") for text in page.text)
    assert any(text.startswith("95 % interval") for text in page.text)


def test_names_are_escaped(tmp_path):
    labels = Labels((Action(1, HOSTILE, "pose"), Action(2, "--><script>", "object"), Action(3, '"&amp; $x_y^')))
    truth, found = generated(prefix=HOSTILE)
    report, other = (evaluate(truth, found, labels=labels) for _ in range(2))
    page = page_of(tmp_path, report, other, (HOSTILE, "second"))
    assert {HOSTILE, "--><script>", '"&amp; $x_y^', f"{HOSTILE} 2"} <= set(page.text)
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<script" not in text
    assert page.text.count("--><script>") > 3  # as text in the figures too


@pytest.mark.parametrize(
    ("truth", "found"),
    [
        pytest.param([], [], id="nothing"),
        pytest.param([], [["a", 1, *BOX, 1, 0.5], ["b", 1, *BOX, 2, 0.5]], id="no truth"),
        pytest.param([["a", 1, *BOX, 1], ["b", 1, *BOX, 2]], [], id="no detections"),
        pytest.param([["a", 1, *BOX, 1]], [["a", 1, *BOX, 1, 0.5]], id="one action"),
        pytest.param([["a", 1, *BOX, 1]], [["a", 1, *AWAY, 1, 0.5]], id="all wrong"),
    ],
)
@pytest.mark.parametrize("labels", [KINDLESS, Labels((Action(1, "stand", "pose"), Action(2, "read", "object")))])
@pytest.mark.parametrize("protocol", ["activitynet", "mmaction2"])
@pytest.mark.filterwarnings("error")
def test_little_to_show(tmp_path, truth, found, labels, protocol):
    reports = [evaluate(truth_table(truth), found_table(found), labels, protocol=protocol) for _ in range(2)]
    for others in ([], reports[1:]):
        page = page_of(tmp_path, reports[0], *others)
        assert set(labels.names) <= set(page.text)


def test_a_single_action(tmp_path):
    truth, found = generated(action_ids=(1,))
    page = page_of(tmp_path, evaluate(truth, found, Labels((Action(1, "stand"),))))
    assert "Best" in page.text
    assert "Worst" not in page.text


def test_the_same_page_every_time(tmp_path):
    truth, found = generated()
    for name in ("one", "other"):
        save_html(evaluate(truth, found, KINDLESS), tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()


# ---------------------------------------------------------------- two runs


def two_runs(better=0.5, worse=2.0, labels=KINDLESS, **options):
    truth, good = generated(noise=better, **options)
    _, bad = generated(noise=worse, **options)
    return truth, evaluate(truth, good, labels), evaluate(truth, bad, labels)


def test_a_run_differs_from_itself_by_nothing():
    _, good, _ = two_runs()
    found = compare(good, good)
    assert (found.mean.value, found.mean.low, found.mean.high, found.mean.clear) == (0, 0, 0, False)
    assert (found.per_action[["difference", "low", "high"]] == 0).all(axis=None)
    assert (found.per_action["other_sign"] == 1).all()
    assert not found.per_action["clear"].any()


def test_a_run_that_is_better_on_every_film_is_clearly_better():
    truth, _, _ = two_runs()
    right = truth.assign(score=np.linspace(0.5, 0.9, len(truth)))
    half = right[right["timestamp"] % 2 == 0]
    found = compare(evaluate(truth, right, KINDLESS), evaluate(truth, half, KINDLESS))
    assert found.mean.low > 0
    assert found.mean.other_sign == 0
    assert (found.per_action["low"] > 0).all()
    turned = compare(evaluate(truth, half, KINDLESS), evaluate(truth, right, KINDLESS))
    assert (turned.mean.low, turned.mean.high) == pytest.approx((-found.mean.high, -found.mean.low))
    assert turned.mean.clear


def test_brute_force_agrees():
    """Each draw as files in which a film stands as often as it was drawn."""
    films, samples = 3, 60
    truth, good, bad = two_runs(films=films)
    tables = [
        generated(noise=noise, films=films)[1].assign(order=np.arange(films * 24)) for noise in (0.5, 2.0)
    ]  # 8 key frames with 3 actions a film
    draws = np.random.default_rng(7).multinomial(films, np.full(films, 1 / films), size=samples)
    drawn = []
    for draw in draws:
        aps = []
        copies = [(f"film {film}", copy) for film in range(films) for copy in range(draw[film])]
        for table in tables:
            parts = [
                pd.concat([rows[rows["video"] == name].assign(video=f"{name} {copy}") for name, copy in copies])
                for rows in (truth, table)
            ]
            parts[1] = parts[1].assign(score=parts[1]["score"] - 1e-12 * parts[1]["order"])
            aps.append(evaluate(parts[0], parts[1].drop(columns="order"), KINDLESS).per_action["ap"].to_numpy())
        drawn.append(aps)
    first, second = np.moveaxis(np.array(drawn), 1, 0)  # [S, N] each
    found = compare(good, bad, samples=samples, seed=7)
    for action_id, column in zip(KINDLESS.ids, range(3), strict=True):
        row, difference = found.per_action.loc[action_id], (first - second)[:, column]
        assert row["difference"] == pytest.approx(row["first"] - row["second"])
        assert (row["low"], row["high"]) == pytest.approx(tuple(np.quantile(difference, [0.025, 0.975])), abs=1e-9)
        assert row["other_sign"] == pytest.approx(np.mean(difference * np.sign(row["difference"]) <= 0))
    means = first.mean(axis=1) - second.mean(axis=1)
    assert found.mean.value == pytest.approx(good.mean_ap - bad.mean_ap)
    assert (found.mean.low, found.mean.high) == pytest.approx(tuple(np.quantile(means, [0.025, 0.975])), abs=1e-9)


def test_films_are_the_same_by_name_not_by_number():
    truth, good, bad = two_runs()
    _, table = generated(noise=2.0)
    backwards = evaluate(truth.iloc[::-1], table.sort_values("video", ascending=False, kind="stable"), KINDLESS)
    one, other = compare(good, bad), compare(good, backwards)
    assert other.mean.value == pytest.approx(one.mean.value)
    assert other.mean.low == pytest.approx(one.mean.low)


def test_an_action_in_a_single_film_has_no_interval():
    truth = truth_table([["a", 1, *BOX, 1], ["b", 1, *BOX, 1], ["b", 2, *BOX, 2]])
    found = found_table([["a", 1, *BOX, 1, 0.9], ["b", 2, *BOX, 2, 0.9]])
    result = compare(evaluate(truth, found, KINDLESS), evaluate(truth, found.iloc[:1], KINDLESS)).per_action
    assert result["films"].to_dict() == {1: 2, 2: 1}
    assert result["difference"][2] == 1
    assert result["low"].isna().to_dict() == {1: False, 2: True}
    assert not result["clear"][2]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param({"protocol": "pyslowfast"}, "two protocols cannot be compared: activitynet and", id="protocol"),
        pytest.param({"labels": Labels((Action(1, "stand"), Action(2, "walk")))}, "different actions", id="actions"),
        pytest.param({"seed": 1}, "against different truth", id="truth"),
    ],
)
def test_what_cannot_be_compared(change, message):
    action_ids = (1, 2)
    truth, found = generated(action_ids=action_ids)
    other = generated(action_ids=action_ids, seed=change.pop("seed", 0))
    with pytest.raises(InputError, match=message):
        compare(evaluate(truth, found, KINDLESS), evaluate(*other, **{"labels": KINDLESS, **change}))


def test_the_page_compares(tmp_path):
    _, good, bad = two_runs()
    page = page_of(tmp_path, good, bad, ("good.csv", "bad.csv"))
    assert {"Comparison", "good.csv", "bad.csv", f"{good.mean_ap:.4f}", f"{bad.mean_ap:.4f}"} <= set(page.text)
    assert page.tags.count("svg") == 4
    result = compare(good, bad).per_action
    assert all(one >= other for one, other in pairwise(result["difference"]))
    assert {f"{value:+.4f}" for value in result["difference"]} <= set(page.text)


# ---------------------------------------------------------------- command line


def test_the_command_writes_the_page(tmp_path, capsys):
    truth, found = generated()
    _, other = generated(noise=3.0)
    for name, table in (("truth", truth), ("found", found), ("other", other)):
        whole = table.astype({"action_id": int})
        whole.to_csv(tmp_path / f"{name}.csv", header=False, index=False)
    arguments = ["evaluate", "--truth", str(tmp_path / "truth.csv"), "--detections", str(tmp_path / "found.csv")]
    (tmp_path / "labels.csv").write_text("id,name\n1,stand\n2,walk\n3,wave\n")
    arguments += ["--labels", str(tmp_path / "labels.csv"), "--html", str(tmp_path / "page.html")]
    assert run(app, [*arguments, "--compare", str(tmp_path / "other.csv")]) == 0
    assert "paired bootstrap samples of films: " in capsys.readouterr().out
    assert {"found.csv", "other.csv"} <= set(Page((tmp_path / "page.html").read_text()).text)
    assert run(app, [*arguments, "--html", str(tmp_path / "missing" / "page.html")]) != 0
    assert not list(tmp_path.glob(".page*"))


@pytest.mark.parametrize("command", ["--help", "evaluate --truth {0} --detections {1}"])
def test_figures_are_loaded_only_for_the_page(tmp_path, command):
    (tmp_path / "truth.csv").write_text("a,1,0.1,0.1,0.5,0.9,1\n")
    (tmp_path / "found.csv").write_text("a,1,0.1,0.1,0.5,0.9,1,0.9\n")
    arguments = command.format(tmp_path / "truth.csv", tmp_path / "found.csv").split()
    code = (
        "import sys, ava_tools; from ava_tools.cli.main import app; from ava_tools.cli.run import run;"
        f"code = run(app, {arguments!r});"
        "sys.exit(code or sorted({'matplotlib', 'jinja2', 'torch'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
