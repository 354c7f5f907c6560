"""What happened: events, and the frozen snapshot that everybody else reads."""
