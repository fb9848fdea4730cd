"""Names against MLflow's own rules, written down here from mlflow.utils.validation so that MLflow is not imported."""

import posixpath
import re

from hypothesis import given
from hypothesis import strategies as st

from qml_daemon.exporters.mlflow.names import MAX_NAME, cut, experiment_name, mlflow_name

_ALLOWED = re.compile(r"^[/\w.\- :]*$")


def is_taken_by_mlflow(name: str) -> bool:
    plain = posixpath.normpath(name)
    whole = bool(_ALLOWED.match(name)) and "\n" not in name and len(name) <= 250 and bool(name)
    return whole and plain == name and plain != "." and not plain.startswith(("..", "/"))


NASTY = st.text(alphabet=st.sampled_from("ab./_-: []()%\n\x00é中"), max_size=12) | st.text(max_size=400)


@given(NASTY)
def test_every_name_becomes_one_that_mlflow_takes(name):
    assert is_taken_by_mlflow(mlflow_name(name))
    assert len(mlflow_name(name)) <= MAX_NAME


@given(st.lists(NASTY, unique=True, min_size=2, max_size=20))
def test_two_names_never_become_one(names):
    assert len({mlflow_name(name) for name in names}) == len(names)


def test_names_that_differ_only_in_what_is_not_allowed_stay_two():
    assert len({mlflow_name(name) for name in ("qubit[3]", "qubit(3)", "qubit_3_", "qubit_3", "qubit{3}")}) == 5


def test_a_name_that_looks_changed_cannot_take_the_place_of_one_that_was():
    changed = mlflow_name("qubit[3]")
    assert mlflow_name(changed) != changed


@given(st.text(st.characters(categories=["Ll", "Nd"]), min_size=1, max_size=20))
def test_a_plain_name_stays_as_it_is(name):
    assert mlflow_name(name) == name


@given(st.text(max_size=50), st.integers(1, 20))
def test_a_cut_text_fits_and_holds_nothing_that_a_database_refuses(text, most):
    short = cut(text, most)
    assert len(short) <= most
    assert "\x00" not in short
    short.encode()


def test_an_experiment_is_named_after_its_project():
    assert [experiment_name(name) for name in ("iris", " ", "x" * 600)] == ["iris", "default", "x" * 499 + "…"]
