"""The official openai SDK through the gateway: chat, Responses, embeddings, models."""

import json

import openai
from checks import (
    BASE_URL,
    BOTH,
    CITIES,
    COUNT,
    HELLO,
    PARAMETERS,
    PNG,
    STRUCTURED,
    WEATHER,
    check,
    equal,
    raises,
    run,
)
from pydantic import BaseModel, Field

MODEL = "gpt-4o"
TOOL = {"type": "function", "function": {"name": "get_weather", "parameters": PARAMETERS}}
RESPONSES_TOOL = {"type": "function", "name": "get_weather", "parameters": PARAMETERS, "strict": False}


class Counted(BaseModel):
    ok: bool
    n: int = Field(description=COUNT)


def connect(key):
    return openai.OpenAI(base_url=f"{BASE_URL}/v1", api_key=key, max_retries=0, timeout=30)


def ask(client, content, **more):
    return client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": content}], **more)


def go_on(client, message, results):
    history = [{"role": "user", "content": "conf:parallel" if len(results) > 1 else "conf:tool"}]
    # The helper for streams leaves members of its own in the message.
    unsaid = {"parsed": True, "tool_calls": {"__all__": {"index": True, "function": {"parsed_arguments"}}}}
    history.append(message.model_dump(exclude_none=True, exclude=unsaid))
    for call, result in zip(message.tool_calls, results):
        history.append({"role": "tool", "tool_call_id": call.id, "content": result})
    answer = client.chat.completions.create(model=MODEL, messages=history, tools=[TOOL])
    return answer.choices[0].message.content


@check
def chat(client):
    answer = ask(client, "conf:hello")
    equal(answer.choices[0].message.content, HELLO)
    equal(answer.usage.total_tokens, 15)


@check
def stream_without_usage_that_was_not_asked_for(client):
    text, usage = "", []
    for chunk in ask(client, "conf:hello", stream=True):
        usage += [chunk.usage] if chunk.usage else []
        text += "".join(choice.delta.content or "" for choice in chunk.choices)
    equal(text, HELLO)
    equal(usage, [])


@check
def stream_with_usage_that_was_asked_for(client):
    chunks = list(ask(client, "conf:hello", stream=True, stream_options={"include_usage": True}))
    equal(chunks[-1].choices, [])
    equal(chunks[-1].usage.total_tokens, 15)


@check
def tools_there_and_back(client):
    message = ask(client, "conf:tool", tools=[TOOL]).choices[0].message
    equal(json.loads(message.tool_calls[0].function.arguments), {"city": "Paris"})
    equal(go_on(client, message, ["21"]), WEATHER)


@check
def parallel_tools_in_a_stream_and_back(client):
    messages = [{"role": "user", "content": "conf:parallel"}]
    with client.chat.completions.stream(model=MODEL, messages=messages, tools=[TOOL]) as stream:
        for _ in stream:
            pass
        message = stream.get_final_completion().choices[0].message
    equal([json.loads(call.function.arguments)["city"] for call in message.tool_calls], CITIES)
    assert message.tool_calls[0].id != message.tool_calls[1].id
    equal(go_on(client, message, ["21", "17"]), BOTH)


@check
def image(client):
    picture = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}
    answer = ask(client, [{"type": "text", "text": "conf:hello"}, picture])
    equal(answer.choices[0].message.content, HELLO)


@check
def structured_output(client):
    messages = [{"role": "user", "content": "conf:json"}]
    answer = client.chat.completions.parse(model=MODEL, messages=messages, response_format=Counted)
    equal(answer.choices[0].message.parsed, Counted(**STRUCTURED))


@check(but=["anthropic"])
def embeddings(client):
    as_base64 = client.embeddings.create(model="text-embedding-3-small", input=["a", "b"])
    as_floats = client.embeddings.create(model="text-embedding-3-small", input=["a", "b"], encoding_format="float")
    equal(len(as_base64.data), 2)
    equal(len(as_base64.data[0].embedding), len(as_floats.data[0].embedding), "dimensions")


@check
def responses(client):
    answer = client.responses.create(model=MODEL, input="conf:hello")
    equal(answer.output_text, HELLO)
    equal(answer.usage.total_tokens, 15)
    events = [event.type for event in client.responses.create(model=MODEL, input="conf:hello", stream=True)]
    equal((events[0], events[-1]), ("response.created", "response.completed"))


@check
def responses_with_tools_there_and_back(client):
    asked = [{"role": "user", "content": "conf:parallel"}]
    answer = client.responses.create(model=MODEL, input=asked, tools=[RESPONSES_TOOL])
    calls = [item for item in answer.output if item.type == "function_call"]
    equal([json.loads(call.arguments)["city"] for call in calls], CITIES)
    results = [
        {"type": "function_call_output", "call_id": call.call_id, "output": output}
        for call, output in zip(calls, ["21", "17"])
    ]
    said = [item.model_dump(exclude_none=True) for item in answer.output]
    again = client.responses.create(model=MODEL, input=asked + said + results, tools=[RESPONSES_TOOL])
    equal(again.output_text, BOTH)


@check
def responses_with_image_and_structure(client):
    picture = {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}", "detail": "auto"}
    content = [{"type": "input_text", "text": "conf:json"}, picture]
    answer = client.responses.parse(model=MODEL, input=[{"role": "user", "content": content}], text_format=Counted)
    equal(answer.output_parsed, Counted(**STRUCTURED))


@check
def models(client):
    listed = list(client.models.list())
    assert listed and all(model.object == "model" for model in listed), listed
    equal(client.models.retrieve(listed[0].id).id, listed[0].id)


@check
def errors_keep_class_status_and_message(client):
    for prompt, error, status in [
        ("conf:err429", openai.RateLimitError, 429),
        ("conf:err400", openai.BadRequestError, 400),
        ("conf:err500", openai.InternalServerError, 500),
    ]:
        raised = raises(error, lambda: ask(client, prompt))
        equal(raised.status_code, status)
        equal(raised.body["message"], f"fake error {status}")
    raises(openai.RateLimitError, lambda: list(ask(client, "conf:err429", stream=True)))


@check
def a_stream_that_breaks_is_an_error(client):
    raises(openai.APIError, lambda: list(ask(client, "conf:cut", stream=True)))


@check
def a_wrong_key_is_an_authentication_error(client):
    raised = raises(openai.AuthenticationError, lambda: client.with_options(api_key="wrong").models.list())
    equal(raised.code, "invalid_api_key")


run(connect)
