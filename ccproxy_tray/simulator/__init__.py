"""Upstreams that speak the real wire of Bedrock, OpenRouter and Anthropic, for the demo, the tests and benchmarks."""
