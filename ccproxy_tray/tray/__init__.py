"""What the user sees in the tray: a pure view of the snapshot, and hosts that draw it."""
