from qml_daemon.operations.belongings import SPOOL, find_ours
from quantum_mlops.shipping.address import outgoing_folder, parse_address
from quantum_mlops.shipping.position import SHIPPING


def test_what_shipping_keeps_in_a_spool_is_ours_and_a_users_folders_are_not(tmp_path):
    ours = [tmp_path / SHIPPING, outgoing_folder(tmp_path, parse_address("https://m.example"), "iris")]
    for folder in (*ours, tmp_path / "targets", tmp_path / ".git"):
        folder.mkdir()
    assert list(find_ours(tmp_path, SPOOL)) == sorted(ours)
