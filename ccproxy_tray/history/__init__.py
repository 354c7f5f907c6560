"""What has happened for good: every request and attempt in one SQLite file."""
