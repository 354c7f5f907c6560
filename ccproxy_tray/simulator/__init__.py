"""Upstreams that speak the real wire of Bedrock, OpenRouter and Anthropic, for the demo, the tests and benchmarks."""

from ccproxy_tray.simulator.anthropic import API_KEY
from ccproxy_tray.simulator.bedrock import ACCESS_KEY, SECRET_KEY
from ccproxy_tray.simulator.script import Rule, Script, When
from ccproxy_tray.simulator.simulator import Simulator
from ccproxy_tray.simulator.upstream import Settings

__all__ = ["ACCESS_KEY", "API_KEY", "SECRET_KEY", "Rule", "Script", "Settings", "Simulator", "When"]
