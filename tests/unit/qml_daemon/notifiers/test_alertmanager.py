"""An alert in Alertmanager's shape: where its page is."""

from qml_daemon.notifiers.alertmanager import make_alert as shape


def test_the_page_on_the_rule_is_the_runbook_and_is_left_out_where_nobody_knows_it(make_alert) -> None:
    link = "https://monitor.example.org/docs/alerts/CircuitDrift"
    foreign = {"summary": "moved", "runbook_url": "https://elsewhere.example"}
    assert shape(make_alert(link=link, annotations=foreign), "critical", 1)["annotations"]["runbook_url"] == link
    assert "runbook_url" not in shape(make_alert(), "critical", 1)["annotations"]
