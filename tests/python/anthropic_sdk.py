"""The official anthropic SDK through the gateway."""

import json

import anthropic
from checks import BASE_URL, BOTH, CITIES, HELLO, PARAMETERS, PNG, SCHEMA, STRUCTURED, UNICODE, WEATHER
from checks import check, equal, raises, run

MODEL = "claude-sonnet-4-5"
TOOL = {"name": "get_weather", "input_schema": PARAMETERS}
THINKING = {"type": "enabled", "budget_tokens": 1024}


def connect(key):
    return anthropic.Anthropic(base_url=BASE_URL, api_key=key, max_retries=0, timeout=30)


def user(content):
    return [{"role": "user", "content": content}]


def ask(client, content, **more):
    return client.messages.create(model=MODEL, messages=user(content), **{"max_tokens": 64, **more})


def go_on(client, prompt, content, results):
    calls = [block for block in content if block.type == "tool_use"]
    said = {"role": "assistant", "content": [block.model_dump(exclude_none=True) for block in content]}
    given = [
        {"type": "tool_result", "tool_use_id": call.id, "content": [{"type": "text", "text": result}]}
        for call, result in zip(calls, results)
    ]
    history = [*user(prompt), said, *user(given)]
    answer = client.messages.create(model=MODEL, max_tokens=64, messages=history, tools=[TOOL])
    return answer.content[0].text


@check
def message(client):
    answer = ask(client, "conf:hello", system="be brief")
    equal(answer.content[0].text, HELLO)
    equal(answer.stop_reason, "end_turn")
    equal((answer.usage.input_tokens, answer.usage.output_tokens), (10, 5))


@check
def stream_events_in_order(client):
    events = list(ask(client, "conf:unicode", stream=True))
    names = [event.type for event in events]
    equal((names[0], names[-2], names[-1]), ("message_start", "message_delta", "message_stop"))
    text = [event.delta.text for event in events if event.type == "content_block_delta"]
    equal("".join(text), UNICODE)


@check
def tools_there_and_back(client):
    answer = ask(client, "conf:tool", tools=[TOOL])
    equal(answer.stop_reason, "tool_use")
    equal([block.input for block in answer.content if block.type == "tool_use"], [{"city": "Paris"}])
    equal(go_on(client, "conf:tool", answer.content, ["21"]), WEATHER)


@check
def parallel_tools_in_a_stream_and_back(client):
    with client.messages.stream(model=MODEL, max_tokens=64, messages=user("conf:parallel"), tools=[TOOL]) as stream:
        content = stream.get_final_message().content
    calls = [block for block in content if block.type == "tool_use"]
    equal([call.input["city"] for call in calls], CITIES)
    assert calls[0].id != calls[1].id
    equal(go_on(client, "conf:parallel", content, ["21", "17"]), BOTH)


@check
def image(client):
    source = {"type": "base64", "media_type": "image/png", "data": PNG}
    answer = ask(client, [{"type": "image", "source": source}, {"type": "text", "text": "conf:hello"}])
    equal(answer.content[0].text, HELLO)


@check
def structured_output(client):
    answer = ask(client, "conf:json", output_config={"format": {"type": "json_schema", "schema": SCHEMA}})
    equal(json.loads(answer.content[0].text), STRUCTURED)


@check
def thinking_comes_first(client):
    answer = ask(client, "conf:reason", thinking=THINKING, max_tokens=4096)
    equal([block.type for block in answer.content], ["thinking", "text"])
    stream = client.messages.stream(
        model=MODEL, max_tokens=4096, messages=user("conf:reason"), thinking=THINKING
    )
    with stream as events:
        content = events.get_final_message().content
    equal([block.type for block in content], ["thinking", "text"])


@check(but=["openai"])
def thinking_keeps_its_signature(client):
    answer = ask(client, "conf:reason", thinking=THINKING, max_tokens=4096)
    assert answer.content[0].signature
    said = [block.model_dump(exclude_none=True) for block in answer.content]
    history = [*user("conf:reason"), {"role": "assistant", "content": said}, *user("conf:hello")]
    more = client.messages.create(model=MODEL, max_tokens=4096, thinking=THINKING, messages=history)
    equal(more.content[-1].text, HELLO)


@check
def counting_tokens(client):
    counted = client.messages.count_tokens(model="m", messages=user("conf:hello"))
    assert counted.input_tokens > 0


@check
def models(client):
    listed = list(client.models.list())
    assert listed and all(model.type == "model" for model in listed), listed
    equal(client.models.retrieve(listed[0].id).id, listed[0].id)


@check
def errors_keep_class_status_and_message(client):
    for prompt, error, status, kind in [
        ("conf:err429", anthropic.RateLimitError, 429, "rate_limit_error"),
        ("conf:err400", anthropic.BadRequestError, 400, "invalid_request_error"),
        ("conf:err500", anthropic.InternalServerError, 500, "api_error"),
    ]:
        raised = raises(error, lambda: ask(client, prompt))
        equal(raised.status_code, status)
        equal(raised.body["error"], {"type": kind, "message": f"fake error {status}"})
    raises(anthropic.RateLimitError, lambda: ask(client, "conf:err429", stream=True))


@check
def a_bearer_token_is_accepted_and_a_wrong_key_is_not(client):
    bearer = anthropic.Anthropic(base_url=BASE_URL, auth_token=client.api_key, api_key=None, max_retries=0)
    equal(ask(bearer, "conf:hello").stop_reason, "end_turn")
    stranger = client.with_options(api_key="wrong")
    raised = raises(anthropic.AuthenticationError, lambda: ask(stranger, "conf:hello"))
    equal(raised.body["error"]["type"], "authentication_error")


run(connect)
