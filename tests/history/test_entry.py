from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from ccproxy_tray.errors import Fault
from ccproxy_tray.history.entry import Mask, entry
from ccproxy_tray.journal.events import Exhausted
from ccproxy_tray.journal.row import Row, attempts, row, skipped
from ccproxy_tray.redact import CUT, Redactor
from ccproxy_tray.routing.origin import Origin
from ccproxy_tray.routing.story import Attempt, Result, Story, Tokens
from ccproxy_tray.routing.target import Target

HIDDEN = Redactor(["correct-horse-battery", "Ünïcode-secret", "back\\slash\nvalue"])
TEXTS = st.lists(
    st.sampled_from(
        ["correct-horse-battery", "correct-horse-ba", CUT, "Ünïcode-secret", "back\\slash\nvalue", "\ud800"]
    )
    | st.text(max_size=5),
    max_size=3,
).map("".join)
TARGETS = st.builds(Target, TEXTS, TEXTS, TEXTS)
STORIES = st.builds(
    Story,
    st.just("req_correct-horse-battery"),
    TEXTS,
    st.lists(
        st.builds(Attempt, TARGETS, st.just(0.1), st.just(0.2), fault=st.just(Fault.BROKEN), reason=TEXTS), max_size=2
    ).map(tuple),
    st.lists(st.tuples(TARGETS, TEXTS), max_size=2).map(tuple),
    st.builds(Origin, TEXTS, TEXTS, TEXTS),
    result=st.builds(Result, st.just(Tokens()), stop_reason=TEXTS, tools=st.lists(TEXTS, max_size=2).map(tuple)),
)


def each_by_itself(told: Row) -> Row:
    return {name: by_itself(value) for name, value in told.items()}


def by_itself(value: object) -> object:
    if isinstance(value, list):
        return [by_itself(each) for each in value]
    return HIDDEN.known(value).encode("utf-8", "replace").decode() if isinstance(value, str) else value


def noting(looked: list[str]) -> Mask:
    """A mask that hides nothing, and what it has looked at."""

    def mask(text: str) -> str:
        looked.append(text)
        return text

    return mask


@given(story=STORIES, message=TEXTS)
def test_every_text_is_masked_as_it_would_be_alone(story: Story, message: str) -> None:
    event = Exhausted(1.0, story, 529, message)
    written = entry(event, HIDDEN.known)
    assert written.row == {**each_by_itself(row(event)), "id": story.request_id}
    assert written.attempts == [each_by_itself(each) for each in attempts(story)]
    assert written.skipped == [each_by_itself(each) for each in skipped(story)]


def test_no_text_of_a_request_is_forgotten_when_it_is_looked_at_once() -> None:
    tried = Attempt(Target("a1", "b2", "c3"), 0.1, 0.2, fault=Fault.BROKEN, reason="d4")
    origin = Origin("e5", "f6", "g7")
    result = Result(Tokens(), stop_reason="h8", tools=("i9",))
    story = Story("j10", "k11", (tried, tried), ((Target("l12", "m13"), "n14"),), origin, result=result)
    looked: list[str] = []
    told = entry(Exhausted(1.0, story, 529, "o15"), noting(looked))
    texts = [text for each in (told.row, *told.attempts, *told.skipped) for text in each.values()]
    assert sorted(looked[0].split("\n")) == sorted([*(text for text in texts if isinstance(text, str)), "i9"])


def test_a_request_without_secrets_is_looked_at_once() -> None:
    looked: list[str] = []
    story = Story("req_1", "model-a", (Attempt(Target("who", "model-b"), 0.0, 1.0, reason="why"),))
    story = replace(story, result=Result(Tokens(), tools=("Bash",)))
    entry(Exhausted(1.0, story, 529, "sorry"), noting(looked))
    (whole,) = looked
    assert all(word in whole for word in ("model-a", "model-b", "who", "why", "Bash", "sorry"))
