import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantum_mlops.config.address import find_address_fault, strip_address


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("sqlite:///mlflow.db", "relative"),
        ("sqlite:///./mlflow.db", "relative"),
        ("sqlite:////data/../mlflow.db", "plain absolute"),
        ("mlflow.db", "use http"),
        ("postgresql://ann:secret@db/mlflow", "mlflow server"),
        ("http://", "host is missing"),
        ("http://ann:secret@host", "MLFLOW_TRACKING_PASSWORD_FILE"),
        ("http://host/?token=secret", "MLFLOW_TRACKING_TOKEN_FILE"),
        ("http://host:port", "no address"),
    ],
)
def test_an_address_that_cannot_serve_is_refused_with_the_mend_and_without_the_secret(text, word):
    fault = find_address_fault(text)
    assert fault is not None
    assert word in fault
    assert "secret" not in fault


@pytest.mark.parametrize("text", ["http://127.0.0.1:5000", "https://h.example.org/mlflow", "sqlite:////data/a b.db"])
def test_absolute_addresses_are_taken(text):
    assert find_address_fault(text) is None


@given(user=st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=9))
def test_no_user_password_or_token_is_left_in_a_stripped_address(user):
    secret = f"zq{user}qz"
    stripped = strip_address(f"https://{secret}:{secret}@h.example.org/x?token={secret}#{secret}")
    assert stripped == "https://h.example.org/x"


@given(st.text(max_size=40))
def test_anything_at_all_can_be_stripped_and_examined(text):
    once = strip_address(text)
    assert len(once) <= 512
    find_address_fault(text)
