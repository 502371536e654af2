"""The official openai SDK through the gateway, against a provider that speaks the prompt contract."""

import json

import openai
from checks import API_KEY, BASE_URL, check, equal, raises, run

client = openai.OpenAI(base_url=f"{BASE_URL}/v1", api_key=API_KEY, max_retries=0, timeout=30)
MODEL = "gpt-4o"
PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOL = {"type": "function", "function": {"name": "get_weather", "parameters": PARAMETERS}}


def ask(text, **more):
    return client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": text}], **more)


@check
def chat():
    answer = ask("conf:hello")
    equal(answer.choices[0].message.content, "Hello from the upstream.")
    equal(answer.usage.total_tokens, 15)


@check
def stream_without_usage_that_was_not_asked_for():
    text, usage = "", []
    for chunk in ask("conf:hello", stream=True):
        usage += [chunk.usage] if chunk.usage else []
        text += "".join(choice.delta.content or "" for choice in chunk.choices)
    equal(text, "Hello from the upstream.")
    equal(usage, [])


@check
def stream_with_usage_that_was_asked_for():
    chunks = list(ask("conf:hello", stream=True, stream_options={"include_usage": True}))
    equal(chunks[-1].choices, [])
    equal(chunks[-1].usage.total_tokens, 15)


@check
def tools_there_and_back():
    message = ask("conf:tool", tools=[TOOL]).choices[0].message
    call = message.tool_calls[0]
    equal(json.loads(call.function.arguments)["city"], "Paris")
    history = [
        {"role": "user", "content": "conf:tool"},
        message.model_dump(exclude_none=True),
        {"role": "tool", "tool_call_id": call.id, "content": "21"},
    ]
    answer = client.chat.completions.create(model=MODEL, messages=history, tools=[TOOL])
    equal(answer.choices[0].message.content, "It is 21 degrees in Paris.")


@check
def parallel_tool_calls_in_a_stream():
    calls = {}
    for chunk in ask("conf:parallel", tools=[TOOL], stream=True):
        for choice in chunk.choices:
            for part in choice.delta.tool_calls or []:
                calls[part.index] = calls.get(part.index, "") + (part.function.arguments or "")
    equal([json.loads(calls[index])["city"] for index in sorted(calls)], ["Paris", "Z\u00fcrich"])


@check
def embeddings():
    as_base64 = client.embeddings.create(model="text-embedding-3-small", input=["a", "b"])
    as_floats = client.embeddings.create(model="text-embedding-3-small", input=["a", "b"], encoding_format="float")
    equal(len(as_base64.data), 2)
    equal(len(as_base64.data[0].embedding), len(as_floats.data[0].embedding), "dimensions")


@check
def responses():
    answer = client.responses.create(model=MODEL, input="conf:hello")
    equal(answer.output_text, "Hello from the upstream.")
    events = [event.type for event in client.responses.create(model=MODEL, input="conf:hello", stream=True)]
    equal((events[0], events[-1]), ("response.created", "response.completed"))


@check
def models():
    assert [model.id for model in client.models.list()]


@check
def errors_keep_class_status_and_message():
    for prompt, error, status in [
        ("conf:err429", openai.RateLimitError, 429),
        ("conf:err400", openai.BadRequestError, 400),
        ("conf:err500", openai.InternalServerError, 500),
    ]:
        raised = raises(error, lambda: ask(prompt))
        equal(raised.status_code, status)
        assert raised.body["message"]
    raises(openai.RateLimitError, lambda: list(ask("conf:err429", stream=True)))


@check
def a_stream_that_breaks_is_an_error():
    raises(openai.APIError, lambda: list(ask("conf:cut", stream=True)))


@check
def a_wrong_key_is_an_authentication_error():
    stranger = openai.OpenAI(base_url=f"{BASE_URL}/v1", api_key="wrong", max_retries=0)
    raised = raises(openai.AuthenticationError, lambda: stranger.models.list())
    equal(raised.code, "invalid_api_key")


run()
