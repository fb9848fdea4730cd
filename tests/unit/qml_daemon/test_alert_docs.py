"""docs/alerts: each rule that the code can name has its page, each page a rule, and each page says the four things."""

import ast
import json
import re
from pathlib import Path

import pytest
import yaml

import qml_processors
from qml_daemon.configuration import read_config
from qml_daemon.manual import page_of, read_pages

ROOT = Path(__file__).parents[3]
PAGES = ROOT / "docs" / "alerts"
PAGE_NAMES = sorted(path.stem for path in PAGES.glob("*.md") if path.stem != "README")
RULE = re.compile(r"[A-Z][a-z]+(?:[A-Z]+[a-z]*)+")
PROMETHEUS = yaml.safe_load((ROOT / "deploy" / "prometheus" / "quantum-mlops.rules.yml").read_text(encoding="utf-8"))
SERVICE_RULES = {rule["alert"] for group in PROMETHEUS["groups"] for rule in group["rules"] if "alert" in rule}
USERS_OWN = {"Threshold"}


def rules_in_code():
    """Every word in the processors' code that is written as a rule is: those of `__all__` and annotations are classes."""
    found = set()
    for path in Path(qml_processors.__file__).parent.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign) and any(
                isinstance(one, ast.Name) and one.id == "__all__" for one in node.targets
            ):
                node.value = ast.Constant(None)
            if isinstance(node, (ast.arg, ast.AnnAssign)) and isinstance(node.annotation, ast.Constant):
                node.annotation = ast.Constant(None)
            if isinstance(node, ast.FunctionDef) and isinstance(node.returns, ast.Constant):
                node.returns = ast.Constant(None)
        texts = {
            node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)
        }
        found |= {text.split("/")[0] for text in texts if RULE.fullmatch(text.split("/")[0])}
    return found


def test_every_rule_that_a_processor_can_name_has_a_page_and_every_page_a_rule() -> None:
    found = rules_in_code()
    assert {rule for rule in found if page_of(rule) is None} == set()
    pages = {page_of(rule) for rule in found}
    assert pages == set(PAGE_NAMES) - SERVICE_RULES - USERS_OWN


def test_every_rule_on_the_service_itself_has_a_page_and_every_page_a_rule() -> None:
    assert {name for name in PAGE_NAMES if name.startswith("Qml")} == SERVICE_RULES


def test_every_finding_of_the_recorded_week_has_a_page() -> None:
    week = json.loads((ROOT / "tests" / "golden" / "week" / "findings.json").read_text(encoding="utf-8"))
    assert {one["rule"]: page_of(one["rule"]) for one in week if page_of(one["rule"]) is None} == {}


@pytest.mark.parametrize("name", PAGE_NAMES)
def test_a_page_says_what_it_means_three_checks_how_to_tune_and_what_closes_it(name: str) -> None:
    text = (PAGES / f"{name}.md").read_text(encoding="utf-8")
    head, *parts = re.split(r"^#+ ", text, flags=re.MULTILINE)[1:]
    meaning = head.split("\n", 1)[1]
    if parts[0].startswith("What it means\n"):
        meaning += parts.pop(0)
    checks, tuning, closing, *_ = parts
    assert head.startswith(f"{name}\n")
    assert len(meaning.split()) > 10
    assert re.match(r"First (three )?checks\n", checks)
    assert re.findall(r"^(\d)\. .{15,}", checks, flags=re.MULTILINE) == ["1", "2", "3"]
    assert re.match(r"How to tune( it)?\n\n.", tuning)
    assert re.match(r"What closes it\n\n.", closing)


def test_the_index_names_each_page_once() -> None:
    named = re.findall(r"\]\((\w+)\.md\)", (PAGES / "README.md").read_text(encoding="utf-8"))
    assert sorted(named) == PAGE_NAMES


@pytest.mark.parametrize(
    "name", [name for name in PAGE_NAMES if "```toml" in (PAGES / f"{name}.md").read_text(encoding="utf-8")]
)
def test_what_a_page_says_to_write_is_a_configuration(name: str, tmp_path: Path) -> None:
    for snippet in re.findall(r"```toml\n(.*?)```", (PAGES / f"{name}.md").read_text(encoding="utf-8"), re.DOTALL):
        (tmp_path / "c.toml").write_text(snippet, encoding="utf-8")
        assert read_config(tmp_path / "c.toml", {}).rules is not None


def test_the_pages_that_are_served_are_those_of_the_folder() -> None:
    assert read_pages() == {name: (PAGES / f"{name}.md").read_bytes() for name in PAGE_NAMES}
