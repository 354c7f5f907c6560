from __future__ import annotations

import pytest
from botocore.session import Session

from ccproxy_tray.providers.aws_environ import profile_variable


def test_of_two_profiles_the_one_is_named_that_botocore_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    environ = {"AWS_PROFILE": "one", "AWS_DEFAULT_PROFILE": "other"}
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert environ[profile_variable(environ)] == Session().get_config_variable("profile")
