"""The story of an application, told by the official Python client to the server that
ANTHROPIC_BASE_URL names. The clients are made without an argument. Prints one JSON line a step, as
story.ts and go/main.go do; whatever is not as documented raises.
"""

import asyncio
import json
import math

import anthropic
from anthropic import Anthropic, AsyncAnthropic, NotFoundError, beta_async_tool
from anthropic.lib.sessions import accumulate_managed_agents_event

MODEL = "claude-sonnet-5-5"
WEATHER = "It rains."
WORDS = 60
# The session may have ended for good by then, seconds.
IDLE_S = 0.5


def tell(step, **facts):
    """Prints a step that was seen."""
    print(json.dumps({"step": step, **facts}), flush=True)


def expect(found, wanted):
    if found != wanted:
        raise AssertionError(f"{found!r} is not {wanted!r}")


def message(text):
    return {"type": "user.message", "content": [{"type": "text", "text": text}]}


def text_of(event):
    return "".join(getattr(block, "text", "") for block in event.content or [])


def only(events, kind):
    return [event for event in events if event.type == kind]


def types_of(events):
    return [event.type for event in events]


def reason_of(events):
    """Why the turn ended; `event_ids` are the calls that it waits for."""
    return only(events, "session.status_idle")[-1].stop_reason


class Talk:
    """One session and its open stream, which is read as far as the story needs it."""

    def __init__(self, client, session_id):
        self.client = client
        self.id = session_id
        self.stream = client.beta.sessions.events.stream(session_id)
        self.seen = []

    def send(self, *events):
        sent = self.client.beta.sessions.events.send(self.id, events=events)
        expect(types_of(sent.data), [event["type"] for event in events])

    def until(self, kind):
        """What the stream carries up to the next event of this type."""
        events = []
        for event in self.stream:
            events.append(event)
            if event.type == kind:
                self.seen.extend(events)
                return events
        raise AssertionError(f"the stream ended before {kind}")

    def is_over(self):
        """Whether the stream is over, all of it having been read."""
        return next(iter(self.stream), None) is None


def create(client):
    agent = client.beta.agents.create(
        name=f"told by Python {anthropic.__version__}",
        model=MODEL,
        tools=[
            {
                "type": "agent_toolset_20260401",
                "configs": [{"name": "bash", "permission_policy": {"type": "always_ask"}}],
            },
            {
                "type": "custom",
                "name": "get_weather",
                "description": "Tells the weather of a city.",
                "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}},
            },
        ],
    )
    environment = client.beta.environments.create(
        name=f"for {agent.id}",
        config={"type": "cloud", "networking": {"type": "limited"}},
    )
    session = client.beta.sessions.create(
        agent=agent.id, environment_id=environment.id, title="A story"
    )
    bash = next(config for config in agent.tools[0].configs if config.name == "bash")
    tell(
        "created",
        version=agent.version,
        tools=[tool.type for tool in agent.tools],
        bash=bash.permission_policy.type,
        environment=environment.config.type,
        status=session.status,
    )
    return agent.id, environment.id, session.id


def tell_of_a_turn(talk):
    talk.send(message("= Hello."))
    events = talk.until("session.status_idle")
    said = only(events, "agent.message")[0]
    tell("turn", types=types_of(events), text=text_of(said), stop=reason_of(events).type)


def tell_of_confirmations(talk):
    talk.send(message("$& echo allowed\n$& echo denied"))
    asked = talk.until("session.status_idle")
    first, second = only(asked, "agent.tool_use")
    expect(reason_of(asked).event_ids, [first.id, second.id])
    tell(
        "asked",
        permissions=[first.evaluated_permission, second.evaluated_permission],
        stop=reason_of(asked).type,
    )
    talk.send({"type": "user.tool_confirmation", "tool_use_id": first.id, "result": "allow"})
    rest = talk.until("session.status_idle")
    expect(reason_of(rest).event_ids, [second.id])
    tell("one allowed", types=types_of(rest), stop=reason_of(rest).type)
    talk.send(
        {
            "type": "user.tool_confirmation",
            "tool_use_id": second.id,
            "result": "deny",
            "deny_message": "Not on a Friday.",
        }
    )
    events = talk.until("session.status_idle")
    results = {result.tool_use_id: result for result in only(events, "agent.tool_result")}
    allowed, denied = results[first.id], results[second.id]
    tell(
        "one denied",
        results=len(results),
        allowed=text_of(allowed).strip(),
        allowed_is_error=allowed.is_error,
        denied_says_why="Not on a Friday." in text_of(denied),
        denied_is_error=denied.is_error,
        stop=reason_of(events).type,
    )


def tell_of_a_custom_tool(talk):
    talk.send(message('@get_weather {"city":"Paris"}'))
    asked = talk.until("session.status_idle")
    call = only(asked, "agent.custom_tool_use")[0]
    expect(reason_of(asked).event_ids, [call.id])
    talk.send(
        {
            "type": "user.custom_tool_result",
            "custom_tool_use_id": call.id,
            "content": [{"type": "text", "text": WEATHER}],
        }
    )
    events = talk.until("session.status_idle")
    tell(
        "custom tool",
        name=call.name,
        input=call.input,
        model_read_it=WEATHER in text_of(only(events, "agent.message")[-1]),
        stop=reason_of(events).type,
    )


def tell_of_an_interrupt(talk):
    talk.send(message("$ sleep 600"))
    [call] = reason_of(talk.until("session.status_idle")).event_ids
    talk.send({"type": "user.tool_confirmation", "tool_use_id": call, "result": "allow"})
    talk.until("session.status_running")
    before = talk.client.beta.sessions.retrieve(talk.id).status
    talk.send({"type": "user.interrupt"})
    events = talk.until("session.status_idle")
    [result] = only(events, "agent.tool_result")
    expect(result.tool_use_id, call)
    talk.send(message("= Something else."))
    following = talk.until("session.status_idle")
    tell(
        "interrupted",
        before=before,
        is_error=result.is_error,
        echoed=len(only(events, "user.interrupt")),
        stop=reason_of(events).type,
        next=text_of(only(following, "agent.message")[-1]),
    )


def read_pages(first):
    """Every item of a list that is read page by page, and over how many pages."""
    pages = list(first.iter_pages())
    return [item for page in pages for item in page.data], len(pages)


def tell_of_pages(client, agent_id, talk):
    sessions_api = client.beta.sessions
    agents = [agent.id for agent in client.beta.agents.list(limit=1)]
    sessions, session_pages = read_pages(sessions_api.list(agent_id=agent_id, limit=1))
    history = [event.id for event in sessions_api.events.list(talk.id, limit=1000)]
    small, event_pages = read_pages(sessions_api.events.list(talk.id, limit=7))
    first = sessions_api.list(agent_id=agent_id, limit=1)
    second = first.get_next_page()
    again = sessions_api.list(agent_id=agent_id, limit=1, page=second.prev_page)
    tell(
        "pages",
        agent_found=agents.count(agent_id),
        sessions=len({session.id for session in sessions}),
        session_pages=session_pages,
        events_agree=[event.id for event in small] == history,
        events_over_pages=event_pages == math.ceil(len(history) / 7),
        all_was_streamed=sorted(history) == sorted(event.id for event in talk.seen),
        and_back=again.data[0].id == first.data[0].id != second.data[0].id,
    )


def tell_of_deltas(client, session_id):
    events_api = client.beta.sessions.events
    stream = events_api.stream(session_id, event_deltas=["agent.message", "agent.thinking"])
    events_api.send(session_id, events=[message(f"# think\n# tokens {WORDS} 10")])
    started, previews, snapshot = [], [], None
    for event in stream:
        if event.type == "event_start":
            started.append(event.event.type)
        snapshot = accumulate_managed_agents_event(snapshot, event)
        if event.type == "event_delta":
            expect(event.event_id, snapshot.id)
            previews.append(text_of(snapshot))
        if event.type == "session.status_idle":
            break
    stream.close()
    text = text_of(snapshot)
    tell(
        "deltas",
        started=started,
        several=len(previews) > 1,
        prefixes=all(preview != "" and text.startswith(preview) for preview in previews),
        words=len(text.split()),
    )


async def tell_of_the_runner(session_id):
    cities = []

    @beta_async_tool
    async def get_weather(city: str) -> str:
        """Tells the weather of a city."""
        cities.append(city)
        return WEATHER

    async with AsyncAnthropic() as client:
        events_api = client.beta.sessions.events
        text = '@get_weather {"city":"Oslo"}\n@get_weather {"city":"Rome"}'
        await events_api.send(session_id, events=[message(text)])
        runner = events_api.tool_runner(session_id, tools=[get_weather], max_idle=IDLE_S)
        calls = [
            {"name": call.name, "posted": call.posted, "is_error": call.is_error}
            async for call in runner
        ]
        history = [event async for event in events_api.list(session_id)]
    tell(
        "tool runner",
        calls=calls,
        cities=cities,
        model_read_it=WEATHER in text_of(only(history, "agent.message")[-1]),
        stop=reason_of(history).type,
    )


def tell_of_the_end(client, ids, talk, other):
    agent_id, environment_id, session_id = ids
    archived = client.beta.sessions.archive(other)
    deleted = client.beta.sessions.delete(session_id)
    talk.until("session.deleted")
    stream_ended = talk.is_over()
    status, error = 200, None
    try:
        client.beta.sessions.retrieve(session_id)
    except NotFoundError as missing:
        status, error = missing.status_code, missing.body["error"]["type"]
    environment = client.beta.environments.archive(environment_id)
    agent = client.beta.agents.archive(agent_id)
    tell(
        "ended",
        archived=archived.status,
        deleted=deleted.type,
        stream_ended=stream_ended,
        retrieved=status,
        error=error,
        environment_archived=environment.archived_at is not None,
        environment_deleted=client.beta.environments.delete(environment_id).type,
        agent_archived=agent.archived_at is not None,
    )


def main():
    client = Anthropic()
    tell("client", version=anthropic.__version__)
    ids = create(client)
    agent_id, environment_id, session_id = ids
    talk = Talk(client, session_id)
    tell_of_a_turn(talk)
    tell_of_confirmations(talk)
    tell_of_a_custom_tool(talk)
    tell_of_an_interrupt(talk)
    other = client.beta.sessions.create(agent=agent_id, environment_id=environment_id).id
    client.beta.sessions.create(agent=agent_id, environment_id=environment_id)
    tell_of_pages(client, agent_id, talk)
    tell_of_deltas(client, other)
    asyncio.run(tell_of_the_runner(other))
    tell_of_the_end(client, ids, talk, other)


if __name__ == "__main__":
    main()
