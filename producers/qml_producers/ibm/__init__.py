"""IBM Quantum through qiskit-ibm-runtime: primitives, sessions, and the door to its jobs and calibrations."""
