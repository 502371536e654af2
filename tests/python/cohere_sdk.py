"""The official cohere SDK (v2) through the gateway."""

import json

import cohere
from checks import BASE_URL, BOTH, CITIES, HELLO, PARAMETERS, PNG, SCHEMA, STRUCTURED, UNICODE, WEATHER
from checks import check, equal, raises, run

MODEL = "command-a-03-2025"
TOOL = {"type": "function", "function": {"name": "get_weather", "parameters": PARAMETERS}}


def connect(key):
    return cohere.ClientV2(api_key=key, base_url=BASE_URL, timeout=30)


def user(content):
    return [{"role": "user", "content": content}]


def ask(client, content, **more):
    # The SDK tries again on 429 and 500 unless told not to.
    return client.chat(model=MODEL, messages=user(content), request_options={"max_retries": 0}, **more)


def go_on(client, prompt, calls, results):
    said = {
        "role": "assistant",
        "tool_calls": [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.function.name, "arguments": call.function.arguments},
            }
            for call in calls
        ],
    }
    given = [
        {"role": "tool", "tool_call_id": call.id, "content": result} for call, result in zip(calls, results)
    ]
    answer = client.chat(model=MODEL, messages=[*user(prompt), said, *given], tools=[TOOL])
    return answer.message.content[0].text


@check
def chat(client):
    answer = ask(client, "conf:hello")
    equal(answer.message.content[0].text, HELLO)
    equal(answer.finish_reason, "COMPLETE")
    equal((answer.usage.tokens.input_tokens, answer.usage.tokens.output_tokens), (10, 5))


@check
def stream(client):
    events = list(client.chat_stream(model=MODEL, messages=user("conf:unicode")))
    equal((events[0].type, events[-1].type), ("message-start", "message-end"))
    text = [event.delta.message.content.text for event in events if event.type == "content-delta"]
    equal("".join(text), UNICODE)


@check
def tools_there_and_back(client):
    answer = ask(client, "conf:tool", tools=[TOOL])
    equal(answer.finish_reason, "TOOL_CALL")
    calls = answer.message.tool_calls
    equal([json.loads(call.function.arguments) for call in calls], [{"city": "Paris"}])
    equal(go_on(client, "conf:tool", calls, ["21"]), WEATHER)


@check
def parallel_tools_and_back(client):
    calls = ask(client, "conf:parallel", tools=[TOOL]).message.tool_calls
    equal([json.loads(call.function.arguments)["city"] for call in calls], CITIES)
    equal(go_on(client, "conf:parallel", calls, ["21", "17"]), BOTH)


@check
def parallel_tools_in_a_stream(client):
    arguments = {}
    for event in client.chat_stream(model=MODEL, messages=user("conf:parallel"), tools=[TOOL]):
        if event.type in ("tool-call-start", "tool-call-delta"):
            function = event.delta.message.tool_calls.function
            arguments[event.index] = arguments.get(event.index, "") + (function.arguments or "")
    equal([json.loads(arguments[index])["city"] for index in sorted(arguments)], CITIES)


@check
def image(client):
    picture = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}
    answer = ask(client, [{"type": "text", "text": "conf:hello"}, picture])
    equal(answer.message.content[0].text, HELLO)


@check
def structured_output(client):
    answer = ask(client, "conf:json", response_format={"type": "json_object", "json_schema": SCHEMA})
    equal(json.loads(answer.message.content[0].text), STRUCTURED)


@check
def embeddings(client):
    answer = client.embed(
        model="embed-v4.0", texts=["a", "b"], input_type="search_document", embedding_types=["float"]
    )
    equal(len(answer.embeddings.float_), 2)


@check(only=["cohere"])
def rerank(client):
    answer = client.rerank(model="rerank-v3.5", query="capital", documents=["Paris", "Berlin"], top_n=2)
    equal(len(answer.results), 2)


@check
def errors_keep_class_status_and_message(client):
    for prompt, error, status in [
        ("conf:err429", cohere.TooManyRequestsError, 429),
        ("conf:err400", cohere.BadRequestError, 400),
        ("conf:err500", cohere.InternalServerError, 500),
    ]:
        raised = raises(error, lambda: ask(client, prompt))
        equal(raised.status_code, status)
        equal(raised.body["message"], f"fake error {status}")


@check
def a_wrong_key_is_refused(_):
    equal(raises(cohere.UnauthorizedError, lambda: ask(connect("wrong"), "conf:hello")).status_code, 401)


run(connect)
