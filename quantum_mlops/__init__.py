"""quantum-mlops watches quantum-ML training and serving jobs."""
