"""After a recovery: the index of open findings, as committed, against the states, as rebuilt.

With unchanged code they agree. After an upgrade, a migration or the removal of a processor they may
not; then receivers are told: what the states hold opens, what they no longer hold is superseded.
"""

from msgspec.structs import replace

from qml_processors.runner import step
from qml_processors.runner.derive import finding_event
from qml_processors.runner.outputs import IndexKey
from qml_processors.runner.partition import Partition
from qml_processors.runner.series import OpenFinding, Series, series_name
from quantum_mlops.events import Evidence, FindingChanged


def compare(partition: Partition) -> int:
    """Add the missing transitions to the partition's outputs; return the number of mismatches."""
    wanted = _wanted(partition)
    index = partition.outputs.index
    mismatches = 0
    for key in sorted(index.keys() | wanted.keys()):
        known = index.get(key)
        series, found = wanted.get(key, (None, None))
        if known == found:
            continue
        mismatches += 1
        if known is not None and found is not None and series is not None and known.finding_id == found.finding_id:
            # The same finding with other contents: no transition number is used twice.
            found = replace(found, transition=max(known.transition, found.transition))
            series.open[key[3]] = found
            step.touch(partition, series)
        else:
            if known is not None:
                _emit(partition, key, replace(known, transition=known.transition + 1), "closed", "superseded")
            if found is not None:
                _emit(partition, key, found, "opened", None)
        partition.outputs.set_open(key, found)
    return mismatches


def _wanted(partition: Partition) -> dict[IndexKey, tuple[Series, OpenFinding]]:
    return {
        (*series.address, rule): (series, finding)
        for slot in partition.slots.values()
        for series in slot.series.values()
        for rule, finding in series.open.items()
    }


def _emit(partition: Partition, key: IndexKey, finding: OpenFinding, change: str, reason: str | None) -> None:
    processor, partitionkey, name, rule = key
    data = FindingChanged(
        finding_id=finding.finding_id,
        transition=finding.transition,
        rule=rule,
        series=series_name(processor, partitionkey, name),
        severity=finding.severity,
        labels=finding.labels,
        annotations=finding.annotations,
        values=finding.values,
        evidence=Evidence(processor=processor, config_hash=partition.schedule.current.hash),
        late=finding.late,
        reason=reason,
    )
    event = finding_event(processor, partitionkey, finding.project, change, data, partition.now)
    partition.outputs.findings.append(event)
