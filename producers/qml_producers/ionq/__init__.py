"""IonQ: the jobs of qiskit-ionq as they are run and polled, and the door to the API v0.4 for the service."""
