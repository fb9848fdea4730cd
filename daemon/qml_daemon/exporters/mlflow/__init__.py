"""The MLflow exporter: metrics, parameters, tags, findings and summaries into the runs of a tracking server.

Only client.py imports MLflow. What of an event goes where: mapping.py, targets.py.
Facts of the server (limits, refusals, what is idempotent) were measured with MLflow 3.17.
"""
