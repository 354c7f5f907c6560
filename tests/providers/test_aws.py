from __future__ import annotations

import asyncio
import io
import json
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.credentials import AssumeRoleProvider, ProcessProvider

from ccproxy_tray.errors import AttemptFailed, Fault
from ccproxy_tray.providers import aws
from ccproxy_tray.providers.aws import AwsAccount
from ccproxy_tray.providers.aws_clock import SKEW
from ccproxy_tray.providers.sigv4 import Keys
from tests.blocking import nothing_blocks

URL = "https://bedrock-runtime.us-east-1.amazonaws.com/model/x%3A0/invoke"


@pytest.fixture(autouse=True)
def nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No credentials from anywhere, and no blocking call on the loop."""
    for name in (
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_PROFILE",
        "AWS_DEFAULT_PROFILE",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    with nothing_blocks("ccproxy_tray"):
        yield


def write(path: Path, text: str) -> None:
    """The profile files that the AWS tools read."""
    path.write_text(text, encoding="utf-8")


async def headers(account: AwsAccount, body: bytes = b"{}") -> dict[str, str]:
    return await account.headers("POST", URL, {"Content-Type": "application/json"}, body, "us-east-1")


async def test_keys_in_the_environment_sign() -> None:
    account = AwsAccount(
        "bedrock", "", "", {"AWS_ACCESS_KEY_ID": "AKIA1", "AWS_SECRET_ACCESS_KEY": "s", "AWS_SESSION_TOKEN": "t"}
    )
    signed = await headers(account)
    assert "Credential=AKIA1/" in signed["Authorization"]
    assert "/us-east-1/bedrock/aws4_request" in signed["Authorization"]
    assert signed["X-Amz-Security-Token"] == "t"
    assert signed["Content-Type"] == "application/json"
    assert account.problem == ""


async def test_a_large_body_is_signed_alike() -> None:
    account = AwsAccount("bedrock", "", "", {"AWS_ACCESS_KEY_ID": "AKIA1", "AWS_SECRET_ACCESS_KEY": "s"})
    assert "Signature=" in (await headers(account, b"x" * (1024 * 1024 + 1)))["Authorization"]


async def test_a_bearer_key_needs_no_signature_and_the_account_s_own_wins() -> None:
    environ = {"AWS_BEARER_TOKEN_BEDROCK": "environment"}
    assert (await headers(AwsAccount("b", "", "", environ)))["Authorization"] == "Bearer environment"
    assert (await headers(AwsAccount("b", "", "own", environ)))["Authorization"] == "Bearer own"


@pytest.mark.parametrize("text", ["key\n", " key ", '"key"', "\r\n'key'\r\n"])
async def test_what_files_and_tools_leave_around_a_bearer_key_does_not_go_out_with_it(text: str) -> None:
    account = AwsAccount("b", "", "", {"AWS_BEARER_TOKEN_BEDROCK": text})
    assert (await headers(account))["Authorization"] == "Bearer key"


async def test_a_bearer_key_of_blanks_leaves_the_credentials_to_the_chain() -> None:
    environ = {"AWS_BEARER_TOKEN_BEDROCK": " ", "AWS_ACCESS_KEY_ID": "AKIA1", "AWS_SECRET_ACCESS_KEY": "s"}
    assert "Credential=AKIA1/" in (await headers(AwsAccount("b", "", "", environ)))["Authorization"]


async def test_a_bearer_key_that_cannot_be_sent_is_told_and_not_quoted() -> None:
    account = AwsAccount("b", "", "", {"AWS_BEARER_TOKEN_BEDROCK": "canary key"})
    await account.look()
    said = "AWS_BEARER_TOKEN_BEDROCK has blanks or special characters inside, which no key has; copy it again"
    assert account.problem == said
    with pytest.raises(AttemptFailed, match="AWS_BEARER_TOKEN_BEDROCK"):
        await headers(account)


@pytest.mark.parametrize("end", ["\n", "\r\n", " "])
async def test_line_breaks_behind_keys_of_the_environment_are_no_part_of_the_signature(end: str) -> None:
    environ = {"AWS_ACCESS_KEY_ID": "AKIA1", "AWS_SECRET_ACCESS_KEY": "s", "AWS_SESSION_TOKEN": "t"}
    account = AwsAccount("bedrock", "", "", {name: value + end for name, value in environ.items()})
    await account.look()
    assert await account._frozen() == Keys("AKIA1", "s", "t")


async def test_the_older_name_of_the_session_token_is_known_and_wins_as_with_the_aws_tools() -> None:
    environ = {"AWS_ACCESS_KEY_ID": "AKIA1", "AWS_SECRET_ACCESS_KEY": "s", "AWS_SECURITY_TOKEN": "old"}
    for more in ({}, {"AWS_SESSION_TOKEN": "new"}):
        signed = await headers(AwsAccount("bedrock", "", "", environ | more))
        assert signed["X-Amz-Security-Token"] == "old"


async def test_without_credentials_the_remedy_is_named() -> None:
    account = AwsAccount("work", "", "", {})
    assert account.problem == "", "nobody has looked yet"
    with pytest.raises(AttemptFailed) as caught:
        await headers(account)
    assert caught.value.failure.fault is Fault.CREDENTIALS
    assert "AWS_ACCESS_KEY_ID" in account.problem
    assert "providers.work.profile" in account.problem


async def test_a_profile_is_read_from_the_user_s_files(tmp_path: Path) -> None:
    write(tmp_path / "credentials", "[work]\naws_access_key_id = AKIA2\naws_secret_access_key = s\n")
    environ = {"AWS_ACCESS_KEY_ID": "AKIA1", "AWS_SECRET_ACCESS_KEY": "s"}
    account = AwsAccount("bedrock", "work", "", environ)
    assert "Credential=AKIA2/" in (await headers(account))["Authorization"], "a named profile wins over the environment"


async def test_a_profile_that_is_not_there_is_named() -> None:
    account = AwsAccount("bedrock", "nowhere", "", {"AWS_PROFILE": "another"})
    await account.look()
    assert account.problem == "the AWS profile 'nowhere' does not exist: correct providers.bedrock.profile"


@pytest.mark.parametrize("variable", ["AWS_PROFILE", "AWS_DEFAULT_PROFILE"])
async def test_a_profile_of_the_environment_that_is_not_there_is_named_with_its_variable(
    variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "nowhere")
    account = AwsAccount("bedrock", "", "", os.environ)
    await account.look()
    assert account.problem == f"the AWS profile 'nowhere' does not exist: correct {variable}"


async def test_a_role_that_wants_a_code_asks_nobody_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(prompt: str) -> str:
        pytest.fail(f"a terminal was asked: {prompt}")

    monkeypatch.setattr(AssumeRoleProvider.__init__, "__defaults__", (asked, None, None))
    write(
        tmp_path / "config",
        "[profile work]\nrole_arn = arn:aws:iam::123456789012:role/dev\nsource_profile = me\n"
        "mfa_serial = arn:aws:iam::123456789012:mfa/me\n"
        "[profile me]\naws_access_key_id = AKIA2\naws_secret_access_key = s\n",
    )
    account = AwsAccount("bedrock", "work", "", {})
    await account.look()
    assert "'work' asks for a code (MFA)" in account.problem
    assert "providers.bedrock.profile" in account.problem


async def test_credentials_that_turn_up_later_are_found_without_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aws, "LOOK_AGAIN_SECONDS", 0.0)
    account = AwsAccount("bedrock", "", "", {})
    await account.look()
    assert account.problem
    write(tmp_path / "credentials", "[default]\naws_access_key_id = AKIA2\naws_secret_access_key = s\n")
    await account.look()
    assert account.problem, "no request waits for the second look"
    assert account._looking is not None
    await account._looking
    assert account.problem == ""
    assert "Credential=AKIA2/" in (await headers(account))["Authorization"]


async def test_an_expired_sso_login_says_how_to_log_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    write(
        tmp_path / "config",
        "[profile work]\nsso_session = corp\nsso_account_id = 123456789012\nsso_role_name = Dev\nregion = us-east-1\n"
        "[sso-session corp]\nsso_start_url = https://corp.awsapps.com/start\nsso_region = us-east-1\n",
    )
    account = AwsAccount("bedrock", "work", "", {})
    await account.look()
    assert "aws sso login --profile work" in account.problem
    monkeypatch.setenv("AWS_PROFILE", "work")
    by_variable = AwsAccount("bedrock", "", "", os.environ)
    await by_variable.look()
    assert "aws sso login --profile work" in by_variable.problem


async def test_a_refresh_helps_only_when_other_credentials_turn_up(tmp_path: Path) -> None:
    write(tmp_path / "credentials", "[default]\naws_access_key_id = AKIA2\naws_secret_access_key = s\n")
    account = AwsAccount("bedrock", "", "", {})
    await account.look()
    assert not await account.refresh(), "the same keys would be refused again"
    write(tmp_path / "credentials", "[default]\naws_access_key_id = AKIA3\naws_secret_access_key = s\n")
    assert await account.refresh()
    assert "Credential=AKIA3/" in (await headers(account))["Authorization"]


STATIC = {"AWS_ACCESS_KEY_ID": "AKIA1", "AWS_SECRET_ACCESS_KEY": "s"}


def said(ahead: timedelta) -> str:
    """A Date header of a server whose clock is so much ahead."""
    return format_datetime(datetime.now(UTC) + ahead, usegmt=True)


async def signed_at(account: AwsAccount) -> datetime:
    stamp = (await headers(account))["X-Amz-Date"]
    return datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)


async def test_the_clock_of_aws_is_followed_by_all_who_were_refused_for_the_old_one() -> None:
    account = AwsAccount("bedrock", "", "", STATIC)
    account.refused(said(timedelta(hours=2)))
    assert await account.refresh()
    account.refused(said(timedelta(hours=2)))
    assert await account.refresh(), "a request that was signed before the correction may try again, too"
    assert await signed_at(account) - datetime.now(UTC) > timedelta(hours=1)
    account.refused(said(timedelta(0)))
    assert abs(await signed_at(account) - datetime.now(UTC)) < SKEW, "the clock was set meanwhile"


async def test_a_refusal_that_says_nothing_about_the_clock_changes_nothing() -> None:
    account = AwsAccount("bedrock", "", "", STATIC)
    await account.look()
    for date in ("", "yesterday", "Mon, 30 Feb 2026 10:00:00 GMT", said(timedelta(minutes=2))):
        account.refused(date)
        assert not await account.refresh(), date
        assert abs(await signed_at(account) - datetime.now(UTC)) < timedelta(minutes=1), date


@pytest.mark.parametrize(
    "date",
    [
        "Fri, 31 Dec 9999 23:59:59 GMT",
        "Fri, 31 Dec 9999 23:59:59 -2359",
        "Mon, 01 Jan 0001 00:00:00 GMT",
        "Sat, 01 Jan 2000 00:00:00 GMT",
    ],
)
async def test_nobody_s_clock_is_followed_further_than_a_certificate_would_hold(date: str) -> None:
    """Beyond the calendar no request could be signed any more, and so none would tell that the clock is right again."""
    account = AwsAccount("bedrock", "", "", STATIC)
    await account.look()
    account.refused(date)
    assert not await account.refresh()
    assert abs(await signed_at(account) - datetime.now(UTC)) < timedelta(minutes=1)


async def test_an_endpoint_that_the_configuration_names_no_longer_is_not_gone_to(tmp_path: Path) -> None:
    write(tmp_path / "config", "[default]\nendpoint_url = https://vpce.example\n")
    account = AwsAccount("bedrock", "", "", STATIC)
    await account.look()
    assert account.endpoints.of("us-east-1") == "https://vpce.example"
    write(tmp_path / "config", "[default]\nregion = us-east-1\n")
    await account.refresh()
    assert account.endpoints.of("us-east-1") == "https://bedrock-runtime.us-east-1.amazonaws.com"


async def test_a_bearer_key_knows_no_clock() -> None:
    account = AwsAccount("bedrock", "", "key", {})
    account.refused(said(timedelta(hours=2)))
    assert not await account.refresh()


@pytest.mark.skipif(sys.platform == "win32", reason="the credential process of this test is a shell script")
async def test_temporary_credentials_are_renewed_before_they_expire(tmp_path: Path) -> None:
    program = tmp_path / "process"
    soon = (datetime.now(UTC) + timedelta(minutes=1)).isoformat()
    answer = {"Version": 1, "AccessKeyId": "ASIA$N", "SecretAccessKey": "s", "SessionToken": "t", "Expiration": soon}
    text = json.dumps(answer).replace('"ASIA$N"', "\"ASIA'$(wc -l < count)'\"")
    write(program, f"#!/bin/sh\ncd {tmp_path}\necho >> count\nprintf '%s' '{text}'\n")
    program.chmod(stat.S_IRWXU)
    write(tmp_path / "config", f"[default]\ncredential_process = {program}\n")
    account = AwsAccount("bedrock", "", "", {})
    first, second = [(await headers(account))["Authorization"] for _ in range(2)]
    assert "Credential=ASIA" in first
    assert first.partition("/")[0] != second.partition("/")[0]


def process(tmp_path: Path, script: str) -> AwsAccount:
    """An account whose credentials a program tells."""
    program = tmp_path / "process"
    write(program, f"#!/bin/sh\ncd {tmp_path}\n{script}\n")
    program.chmod(stat.S_IRWXU)
    write(tmp_path / "config", f"[default]\ncredential_process = {program}\n")
    return AwsAccount("bedrock", "", "", {})


async def assert_refused_once_logged_out(account: AwsAccount, tmp_path: Path) -> None:
    """Good at first; no more when they have ended and their program has nothing new to tell."""
    await account.look()
    assert account.problem == ""
    write(tmp_path / "logged-out", "")
    account._credentials._expiry_time = datetime.now(UTC) - timedelta(seconds=1)
    with pytest.raises(AttemptFailed) as caught:
        await headers(account)
    assert caught.value.failure.fault is Fault.CREDENTIALS


@pytest.mark.skipif(sys.platform == "win32", reason="the credential process of this test is a shell script")
async def test_credentials_that_cannot_be_renewed_any_more_are_a_failure_and_a_refresh_of_no_use(
    tmp_path: Path,
) -> None:
    soon = (datetime.now(UTC) + timedelta(seconds=1)).isoformat()
    text = json.dumps({"Version": 1, "AccessKeyId": "ASIA0", "SecretAccessKey": "s", "Expiration": soon})
    account = process(tmp_path, f"test -e logged-out && exit 1\nprintf '%s' '{text}'")
    await assert_refused_once_logged_out(account, tmp_path)
    assert not await account.refresh()
    assert account.problem


def told(key: str) -> str:
    """What such a program says of credentials that last for an hour."""
    until = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    return json.dumps({"Version": 1, "AccessKeyId": key, "SecretAccessKey": "s", "Expiration": until})


NONSENSE = {
    "nothing": ":",
    "words": "echo Please log in",
    "a list": "echo []",
    "another version": "echo '{\"Version\": 9}'",
    "no key": "echo '{\"Version\": 1}'",
    "no date": """echo '{"Version": 1, "AccessKeyId": "A", "SecretAccessKey": "s", "Expiration": "never"}'""",
    "no text": "printf '\\377'",
    "a failure in two lines": "printf 'logged\\nout' >&2; exit 1",
}


@pytest.mark.skipif(sys.platform == "win32", reason="the credential process of this test is a shell script")
@pytest.mark.parametrize("script", NONSENSE.values(), ids=NONSENSE.keys())
async def test_a_program_that_says_nonsense_is_a_problem_to_be_shown(tmp_path: Path, script: str) -> None:
    account = process(tmp_path, script)
    await account.look()
    assert account.problem.startswith("AWS credentials cannot be used: ")
    assert "\n" not in account.problem
    with pytest.raises(AttemptFailed) as caught:
        await headers(account)
    assert caught.value.failure.fault is Fault.CREDENTIALS
    assert not await account.refresh()


@pytest.mark.skipif(sys.platform == "win32", reason="the credential process of this test is a shell script")
async def test_a_renewal_that_says_nonsense_is_a_failure(tmp_path: Path) -> None:
    account = process(tmp_path, f"test -e logged-out && exec echo Please log in\nprintf '%s' '{told('ASIA0')}'")
    await assert_refused_once_logged_out(account, tmp_path)
    assert account.problem.startswith("AWS credentials cannot be used: ")


@pytest.mark.skipif(sys.platform == "win32", reason="the credential process of this test is a shell script")
async def test_a_program_that_does_not_answer_is_waited_for_by_nobody_in_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aws, "PATIENCE", 0.0)
    os.mkfifo(tmp_path / "fifo")
    account, changes = process(tmp_path, "cat fifo"), []
    account.told = lambda: changes.append(account.problem)
    for _ in range(2):
        await account.look()
        assert account.problem == aws.STILL
    looking = account._looking
    assert looking is not None
    await asyncio.to_thread(write, tmp_path / "fifo", told("ASIA1"))
    await looking
    assert "Credential=ASIA1/" in (await headers(account))["Authorization"]
    assert changes == [aws.STILL, ""]


@pytest.mark.skipif(sys.platform == "win32", reason="the credential process of this test is a shell script")
async def test_a_renewal_that_does_not_end_is_shared_and_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(tmp_path / "fifo")
    write(tmp_path / "first", told("ASIA0"))
    script = "echo >> count\ntest -e asked && exec cat fifo\ntouch asked\ncat first"
    account = process(tmp_path, script)
    await account.look()
    assert account.problem == ""
    account._credentials._expiry_time = datetime.now(UTC) - timedelta(seconds=1)
    monkeypatch.setattr(aws, "PATIENCE", 0.0)
    for _ in range(3):
        with pytest.raises(AttemptFailed) as caught:
            await account._frozen()
        assert caught.value.failure.message == aws.STILL
    renewing = account._renewing
    assert renewing is not None
    await asyncio.to_thread(write, tmp_path / "fifo", told("ASIA1"))
    await renewing
    assert (tmp_path / "count").read_text() == "\n\n"
    assert (await account._frozen()).access_key == "ASIA1"


@pytest.mark.skipif(sys.platform == "win32", reason="the credential process of this test is a shell script")
async def test_credentials_that_are_still_good_serve_on_while_a_program_renews_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(tmp_path / "fifo")
    write(tmp_path / "first", told("ASIA0"))
    account = process(tmp_path, "test -e asked && exec cat fifo\ntouch asked\ncat first")
    await account.look()
    assert (await account._frozen()).access_key == "ASIA0"
    account._credentials._expiry_time = datetime.now(UTC) + timedelta(minutes=12)
    monkeypatch.setattr(aws, "PATIENCE", 0.0)
    for _ in range(2):
        assert (await account._frozen()).access_key == "ASIA0"
    renewing = account._renewing
    assert renewing is not None
    assert account.problem == ""
    await asyncio.to_thread(write, tmp_path / "fifo", told("ASIA1"))
    await renewing
    assert (await account._frozen()).access_key == "ASIA1"


@pytest.mark.skipif(sys.platform == "win32", reason="the credential process of this test is a shell script")
async def test_credentials_that_were_found_anew_are_never_those_of_before(tmp_path: Path) -> None:
    soon = (datetime.now(UTC) + timedelta(minutes=12)).isoformat()
    short = json.dumps({"Version": 1, "AccessKeyId": "ASIA1", "SecretAccessKey": "s", "Expiration": soon})
    write(tmp_path / "first", told("ASIA0"))
    write(tmp_path / "then", short)
    account = process(tmp_path, "test -e asked && exec cat then\ntouch asked\ncat first")
    await account.look()
    assert (await account._frozen()).access_key == "ASIA0"
    account._settle("as if they had been lost")
    await account._look()
    assert (await account._frozen()).access_key == "ASIA1"


async def test_whoever_leaves_while_credentials_are_looked_for_takes_them_from_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    release = threading.Event()
    account = AwsAccount("bedrock", "", "", {})
    keys = Keys("AKIA1", "s")

    def find() -> tuple[Keys, str]:
        release.wait()
        return keys, ""

    monkeypatch.setattr(account, "_find", find)
    asking = [asyncio.create_task(account.look()) for _ in range(2)]
    await asyncio.sleep(0)
    asking[0].cancel()
    release.set()
    await asking[1]
    assert account.problem == ""
    assert await account._frozen() is keys


REGIONS = (
    "us-east-1",
    "eu-central-1",
    "cn-north-1",
    "us-gov-west-1",
    "eusc-de-east-1",
    "us-iso-east-1",
    "eu-isoe-west-1",
)


@pytest.mark.parametrize("fips", [False, True])
@pytest.mark.parametrize("dual_stack", [False, True])
@pytest.mark.parametrize("region", REGIONS)
def test_the_endpoint_is_the_one_that_botocore_would_use(region: str, *, fips: bool, dual_stack: bool) -> None:
    from botocore.config import Config
    from botocore.exceptions import EndpointProviderError
    from botocore.session import Session

    if dual_stack and "iso" in region:
        pytest.skip("no dual-stack hosts there")
    try:
        client = Session().create_client(
            "bedrock-runtime",
            region_name=region,
            aws_access_key_id="x",
            aws_secret_access_key="x",
            config=Config(use_fips_endpoint=fips, use_dualstack_endpoint=dual_stack),
        )
    except EndpointProviderError:
        pytest.skip("there is no such endpoint")
    environ = {"AWS_USE_FIPS_ENDPOINT": str(fips).lower(), "AWS_USE_DUALSTACK_ENDPOINT": str(dual_stack)}
    assert AwsAccount("bedrock", "", "", environ).endpoints.of(region) == client.meta.endpoint_url


def test_aws_s_own_variable_names_another_endpoint() -> None:
    for name in ("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", "AWS_ENDPOINT_URL"):
        assert AwsAccount("bedrock", "", "", {name: "http://127.0.0.1:9/"}).endpoints.of("x") == "http://127.0.0.1:9"


def test_aws_s_own_variables_for_endpoints_can_be_switched_off() -> None:
    environ = {"AWS_ENDPOINT_URL": "https://all.example", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"}
    url = "https://bedrock-runtime.us-east-1.amazonaws.com"
    assert AwsAccount("bedrock", "", "", environ).endpoints.of("us-east-1") == url


@pytest.mark.parametrize(
    ("profile", "environ", "url"),
    [
        ("", {}, "http://127.0.0.1:4566"),
        ("all", {}, "https://all.example"),
        ("all", {"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"}, "https://bedrock-runtime.us-east-1.amazonaws.com"),
        ("all", {"AWS_ENDPOINT_URL": "https://env.example"}, "https://env.example"),
        ("strict", {}, "https://bedrock-runtime-fips.us-east-1.api.aws"),
    ],
)
async def test_the_configuration_file_of_aws_names_endpoints_as_for_the_aws_tools(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, profile: str, environ: dict[str, str], url: str
) -> None:
    write(
        tmp_path / "config",
        "[default]\nservices = local\n[services local]\nbedrock_runtime =\n  endpoint_url = http://127.0.0.1:4566/\n"
        "[profile all]\nendpoint_url = https://all.example\n"
        "[profile strict]\nuse_fips_endpoint = true\nuse_dualstack_endpoint = true\n",
    )
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    account = AwsAccount("bedrock", profile, "", os.environ)
    await account.look()
    assert account.endpoints.of("us-east-1") == url
    mine = AwsAccount("bedrock", profile, "", os.environ, endpoint="https://mine.example")
    await mine.look()
    assert mine.endpoints.of("us-east-1") == "https://mine.example"


@pytest.mark.parametrize("environ", [{"AWS_BEARER_TOKEN_BEDROCK": "key"}, STATIC], ids=["bearer key", "keys"])
async def test_credentials_of_the_environment_go_where_the_configuration_file_says_too(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    write(tmp_path / "config", "[default]\nuse_fips_endpoint = true\n")
    account = AwsAccount("bedrock", "", "", environ)
    signed = await headers(account)
    await account.look()
    assert account.problem == ""
    assert account.endpoints.of("us-east-1") == "https://bedrock-runtime-fips.us-east-1.amazonaws.com"
    assert signed["Authorization"].startswith(("Bearer key", "AWS4-HMAC-SHA256 Credential=AKIA1/"))


@pytest.mark.parametrize("text", [None, b"\xff\xfe", b"[default]\nregion = us-east-1\n"])
async def test_credentials_of_the_environment_need_no_configuration_file(tmp_path: Path, text: bytes | None) -> None:
    if text is not None:
        (tmp_path / "config").write_bytes(text)
    account = AwsAccount("bedrock", "", "", STATIC)
    await account.look()
    assert account.problem == ""
    assert account.endpoints.of("us-east-1") == "https://bedrock-runtime.us-east-1.amazonaws.com"


async def test_an_endpoint_of_the_configuration_file_that_is_no_address_is_told_until_it_is_mended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aws, "LOOK_AGAIN_SECONDS", 0.0)
    keys = "aws_access_key_id = AKIA2\naws_secret_access_key = s\n"
    write(tmp_path / "config", f"[default]\n{keys}endpoint_url = vpce.example\n")
    account = AwsAccount("bedrock", "", "", {})
    await account.look()
    said = "endpoint_url in the AWS configuration: expected an address such as https://host/path"
    assert account.problem == said
    write(tmp_path / "config", f"[default]\n{keys}endpoint_url = https://vpce.example\n")
    await account.look()
    assert account._looking is not None
    await account._looking
    assert (account.problem, account.endpoints.of("us-east-1")) == ("", "https://vpce.example")


async def test_an_endpoint_that_is_no_address_is_named_with_its_variable() -> None:
    environ = {"AWS_ENDPOINT_URL": "vpce.example", "AWS_BEARER_TOKEN_BEDROCK": "key"}
    account = AwsAccount("bedrock", "", "", environ)
    await account.look()
    assert account.problem == "AWS_ENDPOINT_URL: expected an address such as https://host/path"
    given = AwsAccount("bedrock", "", "", environ, endpoint="https://mine.example")
    await given.look()
    assert (given.problem, given.endpoints.of("us-east-1")) == ("", "https://mine.example"), "nobody uses the variable"


@pytest.mark.skipif(sys.platform == "win32", reason="the credential process of this test is cat")
@pytest.mark.parametrize(
    ("platform", "console", "hidden"), [("win32", False, True), ("win32", True, False), ("linux", False, False)]
)
async def test_a_credential_program_opens_no_window_where_we_have_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, platform: str, console: bool, hidden: bool
) -> None:
    no_window = 0x08000000
    said = tmp_path / "said.json"
    write(said, json.dumps({"Version": 1, "AccessKeyId": "AKIA9", "SecretAccessKey": "s"}))
    write(tmp_path / "config", f"[default]\ncredential_process = cat {said}\n")
    asked: list[dict[str, Any]] = []
    start = subprocess.Popen

    def popen(command: list[str], *, creationflags: int = 0, **how: Any) -> object:
        asked.append(how | {"creationflags": creationflags})
        return start(command, **how)

    init = ProcessProvider.__init__
    monkeypatch.setattr(init, "__defaults__", (popen,))
    monkeypatch.setattr(subprocess, "Popen", popen)
    monkeypatch.setattr(subprocess, "CREATE_NO_WINDOW", no_window, raising=False)
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(sys, "stdin", io.StringIO() if console else None)
    account = AwsAccount("bedrock", "", "", {})
    await account.look()
    assert account.problem == ""
    assert [(how["creationflags"], how.get("stdin")) for how in asked] == (
        [(no_window, subprocess.DEVNULL)] if hidden else [(0, None)]
    )
