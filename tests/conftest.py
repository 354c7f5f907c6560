"""What holds for all tests: how assertions explain themselves, and what drawn examples are judged by."""

import pytest
from hypothesis import HealthCheck, settings

# Assertions in the harnesses explain themselves like those in the tests; they have to be named before their import.
pytest.register_assert_rewrite(
    "tests.chain.harness", "tests.faults.stage", "tests.faults.checker", "tests.clients.stage"
)

# How long a machine takes for an example says how busy it is, and nothing about the code.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")
