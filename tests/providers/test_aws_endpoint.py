"""What is said of endpoints at two places at a time; one by one, and beside botocore: ``test_aws``."""

from __future__ import annotations

import pytest

from ccproxy_tray.providers.aws_endpoint import Endpoints, endpoints, has_configuration

REGION = "us-east-1"
FIPS = {"AWS_USE_FIPS_ENDPOINT": "true"}


def test_what_a_variable_switches_on_stays_on_whatever_the_file_does_not_say() -> None:
    found = endpoints(FIPS).configured("", fips=False, dual_stack=True)
    assert found.of(REGION) == "https://bedrock-runtime-fips.us-east-1.api.aws"


def test_nobody_minds_a_wrong_address_in_the_file_where_another_one_is_used() -> None:
    found = endpoints({}, "https://mine.example").configured("vpce.example", fips=False, dual_stack=False)
    assert found == Endpoints("https://mine.example")


def test_a_file_of_somebody_who_is_not_there_names_no_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_CONFIG_FILE", "~nobody-of-this-name/config")
    assert not has_configuration()
