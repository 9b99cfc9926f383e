"""Sizes, words and command lines of small source trees, and the command that compares them."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from benchmarks.structure import measure, structure
from tests.benchmarks.source_tree import write


def test_lines_of_files_functions_and_folders(tmp_path: Path) -> None:
    text = (
        '"""Module.\n\nMore of it.\n"""\n\n# comment\nVALUE = """a\n\nb"""\n\n'
        'def call(x):  # comment\n    """Function."""\n    return (\n        x\n    )\n'
    )
    long = "def long():\n" + "    pass\n" * 60
    root = write(
        tmp_path,
        {
            "edge_experts/errors.py": text,
            "edge_experts/long.py": long + "\n" * 240,
            **{f"converters/recipe_{index}.py": "pass\n" * 60 for index in range(20)},
        },
    )
    figures = measure(root)
    sizes = figures.sizes
    assert (sizes.files, sizes.lines, sizes.code_lines) == (24, 15 + 301 + 1200, 6 + 61 + 1200)
    assert (sizes.median_file, sizes.small_files) == (60, 1)
    assert [(place.path, place.size) for place in sizes.large_files] == [
        ("edge_experts/long.py", 301)
    ]
    assert (sizes.functions, sizes.median_function) == (2, (5 + 61) / 2)
    assert [(place.path, place.size) for place in sizes.large_functions] == [
        ("edge_experts/long.py:1", 61)
    ]
    assert sizes.largest_folder == 21
    assert [place.path for place in sizes.crowded_folders] == ["converters"]
    assert [(count.name, count.files, count.lines) for count in figures.unit_lines] == [
        ("__init__", 1, 0),
        ("errors", 1, 15),
        ("long", 1, 301),
        ("converters", 21, 1200),
    ]


def test_docstrings_repeated_names_and_task_checks(tmp_path: Path) -> None:
    root = write(
        tmp_path,
        {
            "edge_experts/rows.py": (
                '"""What rows are."""\n'
                'class Row:\n    """`Of` a table."""\n\n'
                '    def read(self):\n        """Read it."""\n'
                "class _Private: ...\n"
                "def check(manifest):\n"
                '    """Whatever it holds, check it."""\n'
                "    return manifest.generation is None or manifest.generation is not None\n"
            ),
            "converters/rows.py": "class Row: ...\nclass _Private: ...\nclass Target: ...\n",
            "converters/__main__.py": "class Outer:\n    class Target: ...\n",
            "device_tests/__main__.py": "x = generation is not None\ny = generation is None\n",
        },
    )
    words = measure(root).wording
    assert (words.docstrings, words.clause_docstrings) == (4, 2)
    assert [(opening.word, opening.docstrings) for opening in words.opening_words] == [
        ("what", 1),
        ("of", 1),
    ]
    places = ("converters/rows.py", "edge_experts/rows.py")
    assert [(name.name, name.paths) for name in words.repeated_classes] == [("Row", places)]
    assert [(name.name, name.paths) for name in words.repeated_files] == [("rows", places)]
    assert words.task_checks[0].checks == 3  # lines
    assert words.task_checks[0].paths == ("edge_experts/rows.py", "device_tests/__main__.py")


def test_command_lines(tmp_path: Path) -> None:
    parser = "import argparse\nparser = argparse.ArgumentParser()\n"
    root = write(
        tmp_path,
        {
            "converters/speed.py": parser,
            "device_tests/boards.py": parser,
            "edge_experts/errors.py": '"""Not argparse.ArgumentParser()."""\n',
            "edge_experts/cli/app.py": (
                "import typer\nfrom . import convert, doctor\napp = typer.Typer()\n"
                "app.command()(convert.convert)\napp.command()(doctor.doctor)\n"
                '@app.command("other")\ndef other(a: int, json: Json = False): ...\n'
            ),
            "edge_experts/cli/doctor.py": "def doctor(json: Json = False): ...\n",
            "edge_experts/cli/convert.py": (
                "from typing import Annotated\nimport typer\n"
                'Json = Annotated[bool, typer.Option("--json")]\n'
                "Run = Annotated[str, typer.Argument()]\n"
                "def convert(run: Run, out: Annotated[str, typer.Option()], *, json: Json): ...\n"
                "def helper(json: Json): ...\n"
            ),
        },
    )
    programs = measure(root).command_lines
    assert programs.shipped_parsers == ("converters/speed.py",)
    assert programs.other_parsers == ("device_tests/boards.py",)
    assert programs.shipped_apps == ("edge_experts/cli/app.py",)
    assert programs.other_apps == ()
    assert (programs.commands, programs.options) == (3, 4)


@pytest.fixture
def program() -> typer.Typer:
    app = typer.Typer()
    app.command()(structure)
    return app


def test_commits_are_compared_side_by_side(tmp_path: Path, program: typer.Typer) -> None:
    def git(*arguments: str) -> None:
        identity = ["-c", "user.name=Test", "-c", "user.email=test@example.org"]
        subprocess.run(["git", "-C", tmp_path, *identity, *arguments], check=True)

    git("init", "--quiet")
    write(tmp_path, {"edge_experts/a.py": "from . import b\n", "edge_experts/b.py": ""})
    git("add", ".")
    git("commit", "--quiet", "--message", "First")
    git("tag", "first")
    write(tmp_path, {"edge_experts/b.py": "from . import a\n", "docs/notes.md": ""})
    git("commit", "--quiet", "--all", "--message", "Second")
    write(tmp_path, {"edge_experts/b.py": "", "converters/c.py": ""})

    arguments = ["--repo", str(tmp_path), "--commit", "first", "--commit", "HEAD"]
    answer = json.loads(CliRunner().invoke(program, [*arguments, "--json"]).stdout)
    assert answer["schema_version"] == "1.0"
    assert [commit["commit"] for commit in answer["commits"]] == ["first", "HEAD"]
    assert [len(commit["id"]) for commit in answer["commits"]] == [40, 40]
    assert [commit["imports"]["unit_cycles"] for commit in answer["commits"]] == [[], [["a", "b"]]]
    assert [commit["sizes"]["files"] for commit in answer["commits"]] == [3, 3]

    text = CliRunner().invoke(program, [*arguments, "--details"]).stdout
    cells = [line.split() for line in text.splitlines()]
    assert ["figure", "first", "HEAD"] in cells
    assert ["unit", "cycles", "0", "1", "(of", "2)"] in cells
    assert text.count("Unit cycles:\n  a, b\n") == 1

    tree = json.loads(CliRunner().invoke(program, ["--repo", str(tmp_path), "--json"]).stdout)
    assert [commit["commit"] for commit in tree["commits"]] == ["working tree"]
    assert tree["commits"][0]["sizes"]["files"] == 5


def test_unknown_commit_and_folder_are_refused(tmp_path: Path, program: typer.Typer) -> None:
    subprocess.run(["git", "-C", tmp_path, "init", "--quiet"], check=True)
    for arguments in (["--commit", "absent"], []):
        result = CliRunner().invoke(program, ["--repo", str(tmp_path), *arguments])
        assert result.exit_code == 2
