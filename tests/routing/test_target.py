import pytest

from ccproxy_tray.routing.target import Need, Repairs, Target


def test_a_target_reads_as_provider_region_model() -> None:
    assert str(Target("bedrock", "anthropic.claude-x", "us-east-1")) == "bedrock us-east-1 anthropic.claude-x"
    assert str(Target("openrouter", "anthropic/claude-x")) == "openrouter anthropic/claude-x"


def test_an_account_is_the_provider_in_its_region() -> None:
    east, west = Target("bedrock", "a", "us-east-1"), Target("bedrock", "a", "us-west-2")

    assert east.account == Target("bedrock", "b", "us-east-1").account
    assert east.account != west.account
    assert str(east.account) == "bedrock us-east-1"


@pytest.mark.parametrize(
    "repairs",
    [
        Repairs(strip_thinking=True),
        Repairs(drop_fields=frozenset("f")),
        Repairs(drop_betas=frozenset("b")),
        Repairs(needs=frozenset({Need.THINKING})),
        Repairs(most_output=1),
        Repairs(window=1),
    ],
)
def test_repairs_are_true_when_they_change_something(repairs: Repairs) -> None:
    assert repairs
    assert not Repairs()


def test_repairs_add_up() -> None:
    needs = frozenset({Need.SHORT_IDS})
    both = Repairs(drop_fields=frozenset("f")) | Repairs(strip_thinking=True, drop_betas=frozenset("b"), needs=needs)

    assert both == Repairs(True, frozenset("f"), frozenset("b"), needs)


@pytest.mark.parametrize(("first", "second", "least"), [(0, 0, 0), (5, 0, 5), (0, 5, 5), (9, 5, 5), (5, 9, 5)])
def test_of_two_limits_the_lower_one_holds(first: int, second: int, least: int) -> None:
    assert (Repairs(most_output=first) | Repairs(needs=frozenset(Need), most_output=second)).most_output == least
    assert (Repairs(window=first) | Repairs(needs=frozenset(Need), window=second)).window == least
