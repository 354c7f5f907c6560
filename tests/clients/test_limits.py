"""Sessions of the real Claude Code that ask for what one model cannot do: the next does it, and nobody notices."""

from __future__ import annotations

from ccproxy_tray.simulator.brain import Ask
from ccproxy_tray.simulator.faults import Reply
from ccproxy_tray.simulator.refusal import Cause, Refused, invalid
from ccproxy_tray.simulator.scenario import CONTENT, EVERYTHING, media
from ccproxy_tray.simulator.turn import Turn
from tests.clients.claude import Claude
from tests.clients.conftest import Staging
from tests.clients.media import png
from tests.clients.stage import BEDROCK, OPENAI, OPENROUTER, OPENROUTER_CHAT, Lane, Stage

FILES = ("--allowedTools", "Read,Write,Edit")
NO_TOOLS = b'{"error":{"message":"registry.example/gemma:2b does not support tools","type":"api_error","code":null}}'


def statuses(stage: Stage, lane: Lane) -> list[int]:
    return [record.status for record in stage.upstream(lane).answers]


async def test_a_model_without_tools_is_passed_over(claude: Claude, staging: Staging) -> None:
    note = claude.folder / "note.txt"
    async with staging(OPENAI, OPENROUTER) as stage:
        stage.upstream(OPENAI).fault = Reply(400, NO_TOOLS, {"content-type": "application/json"})
        result = await claude.run(stage.url, f"#tool-loop use {note}", *FILES)
        assert result.text == f"Done. The file holds: {CONTENT}"
        assert [exchange.status for exchange in stage.asked()] == [200] * 3
        # One attempt found out; whoever has no tools is asked no more.
        assert statuses(stage, OPENAI) == [400]
        assert statuses(stage, OPENROUTER) == [200] * 3


def blind(ask: Ask) -> Turn:
    """A model that takes text only, as OpenRouter says it of a model and others of themselves."""
    if any(media(ask.body)):
        if ask.source.provider == "openrouter":
            raise Refused(Cause.NO_MODEL, "No endpoints found that support image input")
        raise invalid("Invalid content type. image_url is only supported by certain models.")
    return EVERYTHING(ask)


async def test_who_sees_no_images_is_passed_over_only_where_there_are_any(claude: Claude, staging: Staging) -> None:
    image = claude.folder / "dot.png"
    image.write_bytes(png())
    async with staging(OPENAI, OPENROUTER_CHAT, BEDROCK) as stage:
        stage.simulator.openai.script = stage.simulator.openrouter.script = blind
        result = await claude.run(stage.url, f"#media look at {image}", *FILES)
        assert result.text == "Done. I see 1 image(s) and 0 document(s)."
        assert [exchange.status for exchange in stage.asked()] == [200] * 2
        assert [statuses(stage, lane) for lane in (OPENAI, BEDROCK)] == [[200, 400], [200]]
        # Another session has nothing to see, and goes where the first began.
        assert stage.app.journal.snapshot.cooling == ()
        await claude.run(stage.url, "good morning")
        assert statuses(stage, OPENAI) == [200, 400, 200]
