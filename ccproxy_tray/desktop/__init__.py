"""The operating system: what a user's shell and session need to know about the proxy."""
