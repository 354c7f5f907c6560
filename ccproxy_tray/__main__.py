"""``python -m ccproxy_tray`` is the same program as the ``ccproxy-tray`` script."""

from ccproxy_tray.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
