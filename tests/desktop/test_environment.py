from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from ccproxy_tray.desktop.environment import Shell, guess_shell, lines, variables

URL = "http://127.0.0.1:8000"
HOSTILE = 'it\'s \\ a $(touch x) "token"'


@pytest.mark.parametrize("shell", [Shell.BASH, Shell.ZSH, Shell.FISH])
def test_a_real_shell_reads_the_lines_back_unchanged(shell: Shell, tmp_path: Path) -> None:
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"{shell} is not installed")
    script = lines(shell, URL, HOSTILE, {}) + '\nprintf "%s" "$ANTHROPIC_AUTH_TOKEN"\n'
    done = subprocess.run([program, "-c", script], capture_output=True, text=True, cwd=tmp_path, check=True)
    assert done.stdout == HOSTILE
    assert not list(tmp_path.iterdir())


def test_powershell_and_cmd_use_their_own_syntax() -> None:
    assert "$env:ANTHROPIC_BASE_URL = 'http://127.0.0.1:8000'" in lines(Shell.POWERSHELL, URL, "", {})
    assert "$env:ANTHROPIC_AUTH_TOKEN = 'it''s'" in lines(Shell.POWERSHELL, URL, "it's", {})
    assert 'set "API_TIMEOUT_MS=600000"' in lines(Shell.CMD, URL, "", {})


def test_an_http_proxy_without_exception_gets_one_for_loopback() -> None:
    assert "NO_PROXY" not in variables(URL, "", {})
    assert variables(URL, "", {"HTTPS_PROXY": "http://corp:3128", "NO_PROXY": "corp.example"})["NO_PROXY"] == (
        "corp.example,localhost,127.0.0.1"
    )
    assert "NO_PROXY" not in variables(URL, "", {"HTTP_PROXY": "http://corp:3128", "no_proxy": "127.0.0.1"})


def test_the_users_shell_is_guessed_from_the_session() -> None:
    assert guess_shell({"SHELL": "/usr/bin/fish"}, windows=False) is Shell.FISH
    assert guess_shell({"SHELL": "/bin/tcsh"}, windows=False) is Shell.BASH
    assert guess_shell({}, windows=True) is Shell.POWERSHELL
