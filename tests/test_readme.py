"""The README says what the code does: its tables are those of the code, and it names every command and every target."""

import re

from api.cli import COMMANDS
from tests.readme import README, ROOT, written


def test_the_tables_made_from_the_code_are_current() -> None:
    readme = README.read_text()
    assert readme == written(readme), "run make readme"


def test_every_command_is_named() -> None:
    readme = README.read_text()
    assert [name for name in COMMANDS if f"jcurve {name}" not in readme] == []


def test_every_make_target_it_names_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"`make ([a-z]+)", README.read_text()))
    assert named - targets == set()


def test_every_file_it_links_to_exists() -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", README.read_text())
    assert [link for link in links if not (ROOT / link).exists()] == []
