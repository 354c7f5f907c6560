"""Assertions in the harnesses explain themselves like those in the tests; they have to be named before their import."""

import pytest

pytest.register_assert_rewrite(
    "tests.chain.harness", "tests.faults.stage", "tests.faults.checker", "tests.clients.stage"
)
