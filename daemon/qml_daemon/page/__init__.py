"""The status page: one page that the daemon serves itself, without a request to anybody else."""
