import io
import sys

import pytest
from rich.console import Console

from gengap.cli import main
from gengap.errors import StoreError
from gengap.storage import Store
from gengap.study.watching import progress_table, tables

MANIFEST = {"score": "log_loss", "seeds": [0, 1], "variants": {"baseline": {}, "l2(0.1)[bold]": {}}}


@pytest.fixture
def folder(tmp_path):
    with Store.create(tmp_path / "x", MANIFEST) as store:
        store.put_epochs([("baseline", seed, epoch, {"val_score": 0.5 + seed}) for seed in (0, 1) for epoch in (1, 2)])
    return tmp_path / "x"


def shown(table):
    console = Console(file=io.StringIO(), width=120)
    console.print(table)
    return console.file.getvalue()


def test_the_table_tells_how_far_every_variant_is(folder):
    table, finished = progress_table(folder)
    assert not finished
    text = shown(table)
    (row,) = [line for line in text.splitlines() if "baseline" in line]
    assert [cell.strip() for cell in row.split("│")[1:-1]] == ["baseline", "0/2", "2", "2", "1.0000", ""]
    assert "l2(0.1)[bold]" in text  # a name is text, not markup


def test_following_ends_with_the_study(folder, monkeypatch):
    answers = iter([("one", False), ("two", False), ("three", True)])
    monkeypatch.setattr("gengap.study.watching.progress_table", lambda _: next(answers))
    assert list(tables(folder, seconds=0)) == ["one", "two", "three"]


def test_a_writer_does_not_disturb_who_watches(folder):
    with Store.open(folder, mode="w") as store:
        store.put_epochs([("baseline", 0, 3, {"val_score": 0.5})])
        assert "2-3" in shown(progress_table(folder)[0])


def test_show_prints_the_table_once_where_nobody_can_watch(folder, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["gengap", "show", str(folder)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    text = " ".join(capsys.readouterr().out.split())  # where the title breaks depends on the folder's name
    assert "log_loss of 2 variants x 2 seeds" in text


def test_a_folder_without_a_study_is_refused(tmp_path):
    with pytest.raises(StoreError, match="contains no stored study"):
        progress_table(tmp_path)
