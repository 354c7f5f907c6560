"""Wire formats, bytes in and bytes out. Pure: no I/O, no clock, no randomness."""
