"""HTTP in: the loopback endpoint that Claude Code talks to."""
