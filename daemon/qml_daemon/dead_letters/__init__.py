"""Dead letters for the operator: what lies there and why, and what can go back in."""
