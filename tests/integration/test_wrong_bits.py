"""From a BackendSamplerV2 over IonQ to the notice that its results are wrong: the real SDKs, hooks, log and processors."""

import pytest
import qiskit_ionq  # noqa: F401 - hooked by its name in sys.modules
from qiskit import QuantumCircuit
from qiskit.primitives import BackendSamplerV2
from qiskit_ionq import IonQProvider

from qml_processors.runner import replay
from qml_processors.runner.plugins import load_processors
from quantum_mlops.clock import ManualClock
from quantum_mlops.sdk.autolog import Autolog
from quantum_mlops.sdk.recorder import Recorder
from quantum_mlops.sdk.settings import Settings
from quantum_mlops.spool.reader import read_folder
from quantum_mlops.transports.memory import MemoryLog
from tests.providers.ionq import IonqCloud


@pytest.mark.filterwarnings("ignore::qiskit_ionq.exceptions.IonQTranspileLevelWarning")
def test_a_training_on_a_sampler_over_ionq_is_one_critical_notice(tmp_path, monkeypatch):
    circuit = QuantumCircuit(2)
    circuit.x([0, 1])
    circuit.measure_all()
    recorder = Recorder(Settings(spool=str(tmp_path), project="iris"))
    recorder.start()
    with IonqCloud() as cloud:
        monkeypatch.setenv("IONQ_API_URL", cloud.url)
        backend = IonQProvider(cloud.key, url=cloud.url).get_backend("qpu.forte-1")
        with Autolog(recorder) as autolog:
            autolog.load()
            with recorder.run("vqc") as run:
                for _ in range(3):
                    BackendSamplerV2(backend=backend).run([circuit, circuit], shots=50).result()
                backend.run(circuit, shots=50).result()
        assert recorder.flush(10)
    recorder.close()

    events = sorted(read_folder(tmp_path), key=lambda event: event.time)
    log = MemoryLog(1, ManualClock(events[-1].time))
    log.append(events)
    found = [event.data for event in replay(log, load_processors()).findings]

    (wrong,) = [finding for finding in found if finding.rule == "ResultsWrong"]
    assert wrong.severity == "critical"
    assert (wrong.labels["run"], wrong.labels["backend"]) == (run.id, "ionq_qpu.forte-1")
    assert "BackendSamplerV2 over IonQ" in wrong.annotations["summary"]
