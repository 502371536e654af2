"""The official ollama SDK through the gateway."""

import json

import ollama
from checks import BASE_URL, BOTH, CITIES, HELLO, PARAMETERS, PNG, SCHEMA, STRUCTURED, UNICODE, WEATHER
from checks import check, equal, raises, run

MODEL = "qwen3"
TOOL = {"type": "function", "function": {"name": "get_weather", "description": "weather", "parameters": PARAMETERS}}


def connect(key):
    return ollama.Client(host=BASE_URL, headers={"Authorization": f"Bearer {key}"}, timeout=30)


def user(text, **more):
    return [{"role": "user", "content": text, **more}]


def ask(client, text, **more):
    return client.chat(model=MODEL, messages=user(text), **more)


def go_on(client, prompt, message, results):
    given = [
        {"role": "tool", "tool_name": call.function.name, "content": result}
        for call, result in zip(message.tool_calls, results)
    ]
    return client.chat(model=MODEL, messages=[*user(prompt), message, *given], tools=[TOOL]).message.content


@check
def chat(client):
    answer = ask(client, "conf:hello")
    equal(answer.message.content, HELLO)
    equal((answer.done, answer.done_reason), (True, "stop"))
    equal((answer.prompt_eval_count, answer.eval_count), (10, 5))


@check
def stream(client):
    parts = list(ask(client, "conf:unicode", stream=True))
    equal("".join(part.message.content or "" for part in parts), UNICODE)
    equal((parts[-1].done, parts[-1].eval_count), (True, 14))


@check
def generate(client):
    equal(client.generate(model=MODEL, prompt="conf:hello").response, HELLO)


@check
def tools_there_and_back(client):
    message = ask(client, "conf:tool", tools=[TOOL]).message
    equal([call.function.arguments for call in message.tool_calls], [{"city": "Paris"}])
    equal(go_on(client, "conf:tool", message, ["21"]), WEATHER)


@check
def parallel_tools_in_a_stream_and_back(client):
    calls = []
    for part in ask(client, "conf:parallel", tools=[TOOL], stream=True):
        calls += part.message.tool_calls or []
    equal([call.function.arguments["city"] for call in calls], CITIES)
    message = ollama.Message(role="assistant", tool_calls=calls)
    equal(go_on(client, "conf:parallel", message, ["21", "17"]), BOTH)


@check
def image(client):
    answer = client.chat(model=MODEL, messages=user("conf:hello", images=[PNG]))
    equal(answer.message.content, HELLO)


@check
def structured_output(client):
    equal(json.loads(ask(client, "conf:json", format=SCHEMA).message.content), STRUCTURED)


@check
def embeddings(client):
    equal(len(client.embed(model=MODEL, input=["a", "b"]).embeddings), 2)


@check
def models(client):
    listed = client.list().models
    assert listed and all(model.model for model in listed), listed


@check
def errors_keep_status_and_message(client):
    for status in (429, 400, 500):
        raised = raises(ollama.ResponseError, lambda: ask(client, f"conf:err{status}"))
        equal((raised.status_code, raised.error), (status, f"fake error {status}"))


@check
def a_wrong_key_is_refused(_):
    equal(raises(ollama.ResponseError, lambda: ask(connect("wrong"), "conf:hello")).status_code, 401)


run(connect)
