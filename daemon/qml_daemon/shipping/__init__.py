"""The sidecar: ships a spool that other processes write, and what dead ones left."""
