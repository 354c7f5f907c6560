import pytest

from ccproxy_tray.routing.repair import ALL_BETAS, Learned, repairs_for
from ccproxy_tray.routing.target import Need, Repairs, Target

A = Target("bedrock", "a", "us-east-1")
B = Target("openrouter", "b")
NOW = 1000.0
AN_HOUR = 3600.0


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
    learned.learn(A, repairs_for("one"), NOW)
    learned.learn(A, repairs_for("beta:two"), NOW)

    assert learned.of(A) == Repairs(drop_fields=frozenset({"one"}), drop_betas=frozenset({"two"}))
    assert learned.of(B) == Repairs()


def test_a_lesson_without_content_is_not_kept() -> None:
    learned = Learned()
    learned.learn(A, Repairs(), NOW)

    assert learned.of(A) == Repairs()


def test_lessons_can_be_forgotten() -> None:
    learned = Learned()
    learned.learn(A, repairs_for("one"), NOW)
    learned.clear()
    assert not learned.of(A)

    learned.learn(A, repairs_for("two"), NOW)
    assert learned.of(A) == repairs_for("two")


def test_the_target_that_was_taught_longest_ago_makes_room() -> None:
    learned = Learned()
    learned.learn(A, repairs_for("one"), NOW)
    learned.learn(B, repairs_for("one"), NOW)
    learned.learn(A, repairs_for("two"), NOW)
    for number in range(255):
        learned.learn(Target("p", str(number)), repairs_for("x"), NOW)

    assert learned.of(A)
    assert not learned.of(B)


def test_a_server_that_refuses_ever_new_names_does_not_fill_the_memory() -> None:
    learned = Learned()
    for number in range(1000):
        learned.learn(A, repairs_for(f"f{number}"), NOW)

    assert len(learned.of(A).drop_fields) <= 64
    assert "f999" in learned.of(A).drop_fields


def test_a_server_that_refuses_many_new_names_at_a_time_does_not_fill_the_memory() -> None:
    learned = Learned()
    for number in range(40):
        names = ",".join(f"b{number}-{each}" for each in range(10))
        learned.learn(A, repairs_for(f"beta:{names}"), NOW)

    assert 10 <= len(learned.of(A).drop_betas) <= 64
    assert "b39-9" in learned.of(A).drop_betas


def test_a_server_that_insists_on_ever_new_limits_does_not_fill_the_memory() -> None:
    learned = Learned()
    for number in range(1000):
        learned.learn(A, repairs_for(f"most:{5000 - number}"), NOW)
        learned.review(A, NOW + number)

    for _ in range(64):
        learned.review(A, NOW + AN_HOUR)
    assert not learned.of(A)


def test_a_lesson_stands_for_an_hour() -> None:
    learned = Learned()
    learned.learn(A, repairs_for("one"), NOW)
    learned.learn(B, repairs_for("one"), NOW)

    learned.review(A, NOW + AN_HOUR - 1)
    assert learned.of(A) == repairs_for("one")
    learned.review(A, NOW + AN_HOUR)
    assert not learned.of(A)
    assert learned.of(B) == repairs_for("one")


def test_lessons_are_put_to_the_test_one_at_a_time_the_oldest_first() -> None:
    learned = Learned()
    learned.learn(A, repairs_for("most:4096"), NOW)
    learned.learn(A, repairs_for("most:8192"), NOW + 1)
    learned.learn(A, repairs_for("beta:two"), NOW + 2)

    learned.review(A, NOW + 2 * AN_HOUR)
    assert learned.of(A) == repairs_for("most:8192") | repairs_for("beta:two")
    learned.review(A, NOW + 2 * AN_HOUR)
    assert learned.of(A) == repairs_for("beta:two")


def test_what_is_refused_again_stands_for_another_hour() -> None:
    learned = Learned()
    learned.learn(A, repairs_for("one"), NOW)
    learned.learn(A, repairs_for("two"), NOW + 1)
    learned.learn(A, repairs_for("one"), NOW + 2)

    learned.review(A, NOW + 1 + AN_HOUR)
    assert learned.of(A) == repairs_for("one")
    learned.review(A, NOW + 1 + AN_HOUR)
    assert learned.of(A) == repairs_for("one")


def test_there_is_nothing_to_review_where_nothing_was_learned() -> None:
    learned = Learned()
    learned.review(A, NOW)

    assert not learned.of(A)
