"""``ava-tools labels``."""

from __future__ import annotations

import csv
import io
import subprocess
import sys

import pytest

from ava_tools.cli import labels, main


def test_the_list_is_csv(capsys):
    labels.labels()
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert list(rows[0]) == ["id", "name", "kind", "scored"]
    assert [row["id"] for row in rows] == [str(number) for number in range(1, 81)]
    assert rows[78] == {"id": "79", "name": "talk to (e.g., self, a person, a group)", "kind": "person", "scored": "1"}
    assert sum(int(row["scored"]) for row in rows) == 60
    assert {row["kind"] for row in rows} == {"pose", "object", "person"}
    assert not any(None in row for row in rows)


def program(*arguments: str) -> subprocess.CompletedProcess[str]:
    code = "import sys; sys.argv[0] = 'ava-tools'; from ava_tools.cli.main import main; main()"
    return subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True)


@pytest.mark.parametrize(
    ("arguments", "code", "out", "err"),
    [
        pytest.param(["labels"], 0, "id,name,kind,scored\n1,bend/bow (at the waist),pose,1\n", "", id="labels"),
        pytest.param(["labels", "extra"], 2, "", "misuse: ", id="misuse"),
        pytest.param(["nonsense"], 2, "", "misuse: ", id="unknown_command"),
        pytest.param(["--help"], 0, "", "", id="help"),
    ],
)
def test_the_program(arguments, code, out, err):
    finished = program(*arguments)
    assert finished.returncode == code
    assert finished.stdout.startswith(out)
    assert finished.stderr.startswith(err)
    assert "Traceback" not in finished.stderr


def test_the_program_starts_without_the_network(tmp_path):
    """Listing labels must not load torch, nor the film libraries."""
    code = (
        "import sys; from ava_tools.cli.main import app; app(['labels'], result_action='return_value');"
        "print(sorted({'torch', 'av', 'cv2', 'slowfast_det'} & set(sys.modules)), file=sys.stderr)"
    )
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert finished.stderr == "[]\n"
    assert main.app.name == ("ava-tools",)
