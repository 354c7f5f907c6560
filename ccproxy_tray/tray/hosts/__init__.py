"""One file for each kind of tray. Each imports its library itself, so that only the one in use is loaded."""
