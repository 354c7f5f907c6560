"""What the user wrote: file, environment, defaults, and where each value came from."""
