"""Write deploy/prometheus/quantum-mlops.rules.yml and deploy/grafana/quantum-mlops.json from the list of metrics.

A test compares them. `--docs` is the address at which you serve docs/alerts, for the links in alerts;
`--into` another folder.
"""

import argparse
import json
from pathlib import Path

import yaml
from monitoring_dashboard import build_dashboard
from monitoring_rules import DOCS, build_rules

DEPLOY = Path(__file__).parent.parent / "deploy"
HEAD = """\
# Recording rules, and alerts on the quantum-mlops daemon itself; what it finds in your jobs it sends by itself.
# Written by tools/write_monitoring.py: change it there. Every alert has its page in docs/alerts.
"""


def main() -> None:
    """Write both files."""
    parser = argparse.ArgumentParser(description="Write the Prometheus rules and the Grafana dashboard.")
    parser.add_argument("--into", type=Path, default=DEPLOY)
    parser.add_argument("--docs", default=DOCS)
    chosen = parser.parse_args()
    rules = yaml.safe_dump(build_rules(chosen.docs), sort_keys=False, width=1000, allow_unicode=True)
    _write(chosen.into / "prometheus" / "quantum-mlops.rules.yml", HEAD + rules)
    _write(chosen.into / "grafana" / "quantum-mlops.json", json.dumps(build_dashboard(), indent=2) + "\n")


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
