from tests.tray.zone import berlin

__all__ = ["berlin"]
