"""What a client is called: stable over a folder, never the same for two at once."""

from quantum_mlops.shipping.mqtt.name import ClientName
from quantum_mlops.testing.conformance.child import run_in_child


def test_the_next_start_over_a_folder_has_the_same_name_and_leaves_no_file(tmp_path):
    names = []
    for _ in range(2):
        name = ClientName(tmp_path / "spool")
        names.append(name.take())
        assert name.is_stable
        name.release()
    assert names[0] == names[1]
    assert names[0].endswith("-0")
    assert [path for path in (tmp_path / "spool").rglob("*") if path.is_file()] == []


def test_two_at_once_and_two_folders_have_different_names(tmp_path):
    names = [ClientName(tmp_path / "a"), ClientName(tmp_path / "a"), ClientName(tmp_path / "b")]
    found = [name.take() for name in names]
    assert len(set(found)) == 3
    assert [name.take() for name in names] == found
    names[0].release()
    third = ClientName(tmp_path / "a")
    assert third.take() == found[0]
    for name in (*names, third):
        name.release()


def test_a_forked_child_leaves_the_parents_name_alone(tmp_path):
    parent = ClientName(tmp_path)
    name = parent.take()

    def take():
        parent.abandon()
        return ClientName(tmp_path).take()

    assert run_in_child(take) not in ("", name)
    assert ClientName(tmp_path).take() != name
    parent.release()


def test_without_a_folder_that_takes_a_lock_it_is_a_random_one(tmp_path):
    (tmp_path / "file").write_text("")
    for folder in (None, tmp_path / "file"):
        name, other = ClientName(folder), ClientName(folder)
        assert name.take() != other.take()
        assert not name.is_stable
        name.release()
