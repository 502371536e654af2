"""The official anthropic SDK through the gateway, against a provider that speaks its protocol."""

import anthropic
from checks import API_KEY, BASE_URL, check, equal, raises, run

client = anthropic.Anthropic(base_url=BASE_URL, api_key=API_KEY, max_retries=0, timeout=30)
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOL = {"name": "get_weather", "input_schema": SCHEMA}


def ask(text, **more):
    messages = [{"role": "user", "content": text}]
    return client.messages.create(model="claude-sonnet-4-5", max_tokens=64, messages=messages, **more)


@check
def message():
    answer = ask("conf:hello", system="be brief")
    equal(answer.content[0].text, "Hello from the upstream.")
    equal((answer.usage.input_tokens, answer.usage.output_tokens), (10, 5))


@check
def stream_events_in_order():
    events = [event.type for event in ask("conf:unicode", stream=True)]
    equal((events[0], events[-2], events[-1]), ("message_start", "message_delta", "message_stop"))


@check
def tools():
    answer = ask("conf:tool", tools=[TOOL])
    equal(answer.stop_reason, "tool_use")
    equal([block.input["city"] for block in answer.content if block.type == "tool_use"], ["Paris"])


@check
def thinking_keeps_its_signature():
    answer = ask("conf:reason", thinking={"type": "enabled", "budget_tokens": 1024})
    equal([block.type for block in answer.content], ["thinking", "text"])
    assert answer.content[0].signature


@check
def counting_tokens():
    counted = client.messages.count_tokens(model="m", messages=[{"role": "user", "content": "conf:hello"}])
    assert counted.input_tokens > 0


@check
def errors_are_of_the_dialect():
    raised = raises(anthropic.RateLimitError, lambda: ask("conf:err429"))
    equal(raised.body["error"]["type"], "rate_limit_error")
    raised = raises(anthropic.BadRequestError, lambda: ask("conf:err400"))
    equal(raised.body["error"]["type"], "invalid_request_error")


@check
def a_bearer_token_is_accepted_and_a_wrong_key_is_not():
    bearer = anthropic.Anthropic(base_url=BASE_URL, auth_token=API_KEY, api_key=None, max_retries=0)
    messages = [{"role": "user", "content": "conf:hello"}]
    equal(bearer.messages.create(model="m", max_tokens=9, messages=messages).stop_reason, "end_turn")
    stranger = anthropic.Anthropic(base_url=BASE_URL, api_key="wrong", max_retries=0)
    raised = raises(
        anthropic.AuthenticationError,
        lambda: stranger.messages.create(model="m", max_tokens=9, messages=messages),
    )
    equal(raised.body["error"]["type"], "authentication_error")


run()
