"""What a signature costs: ours, and botocore's for the same request."""

from __future__ import annotations

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from benchmarks.micro.subject import NOW, SIZES, Benchmark
from ccproxy_tray.providers.sigv4 import Keys, Signer

URL = "https://bedrock-runtime.us-east-1.amazonaws.com/model/us.anthropic.claude-sonnet-4-5/invoke"
JSON = {"content-type": "application/json"}


@pytest.mark.parametrize("size", SIZES)
def test_ours(benchmark: Benchmark, size: int) -> None:
    """The program's own signer."""
    signer, keys, body = Signer("bedrock"), Keys("AKIDEXAMPLE", "example"), b"x" * size
    signed = benchmark(signer.signed, "POST", URL, JSON, body, "us-east-1", keys, NOW)
    assert "Authorization" in signed


@pytest.mark.parametrize("size", SIZES)
def test_botocores(benchmark: Benchmark, size: int) -> None:
    """What it replaced."""
    signer, body = SigV4Auth(Credentials("AKIDEXAMPLE", "example"), "bedrock", "us-east-1"), b"x" * size

    def sign() -> AWSRequest:
        request = AWSRequest("POST", URL, headers=dict(JSON), data=body)
        signer.add_auth(request)
        return request

    assert "Authorization" in benchmark(sign).headers
