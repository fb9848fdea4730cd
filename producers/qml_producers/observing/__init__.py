"""What every instrumentation observes with: hooks, nesting, packed outcomes. Knows no quantum SDK."""
