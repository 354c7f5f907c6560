import pytest

from ccproxy_tray.routing.repair import ALL_BETAS, Learned, repairs_for
from ccproxy_tray.routing.target import Need, Repairs, Target

A = Target("bedrock", "a", "us-east-1")
B = Target("openrouter", "b")


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        ("context_management", Repairs(drop_fields=frozenset({"context_management"}))),
        ("tools.0.custom.defer_loading", Repairs(drop_fields=frozenset({"tools.0.custom.defer_loading"}))),
        ("beta:one", Repairs(drop_betas=frozenset({"one"}))),
        ("beta:one, two,", Repairs(drop_betas=frozenset({"one", "two"}))),
        ("betas", Repairs(drop_betas=frozenset({ALL_BETAS}))),
        ("need:thinking", Repairs(needs=frozenset({Need.THINKING}))),
        ("most:8192", Repairs(most_output=8192)),
        ("window:8192", Repairs(window=8192)),
        ("", Repairs()),
        ("beta:", Repairs()),
        ("max_tokens", Repairs(drop_fields=frozenset({"max_tokens"}))),
        ("model", Repairs()),
        ("messages", Repairs()),
        ("tools", Repairs()),
    ],
)
def test_a_refusals_subject_says_what_to_leave_out(subject: str, expected: Repairs) -> None:
    assert repairs_for(subject) == expected


def test_lessons_add_up_for_each_target_by_itself() -> None:
    learned = Learned()
    learned.learn(A, repairs_for("one"))
    learned.learn(A, repairs_for("beta:two"))

    assert learned.of(A) == Repairs(drop_fields=frozenset({"one"}), drop_betas=frozenset({"two"}))
    assert learned.of(B) == Repairs()


def test_a_lesson_without_content_is_not_kept() -> None:
    learned = Learned()
    learned.learn(A, Repairs())

    assert learned.of(A) == Repairs()


def test_lessons_can_be_forgotten() -> None:
    learned = Learned()
    learned.learn(A, repairs_for("one"))
    learned.clear()

    assert not learned.of(A)


def test_the_target_that_was_taught_longest_ago_makes_room() -> None:
    learned = Learned()
    learned.learn(A, repairs_for("one"))
    learned.learn(B, repairs_for("one"))
    learned.learn(A, repairs_for("two"))
    for number in range(255):
        learned.learn(Target("p", str(number)), repairs_for("x"))

    assert learned.of(A)
    assert not learned.of(B)


def test_a_server_that_refuses_ever_new_names_does_not_fill_the_memory() -> None:
    learned = Learned()
    for number in range(1000):
        learned.learn(A, repairs_for(f"f{number}"))

    assert len(learned.of(A).drop_fields) <= 64
    assert "f999" in learned.of(A).drop_fields
