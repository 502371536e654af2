"""The official google-genai SDK through the gateway."""

import base64
import json

from checks import BASE_URL, BOTH, CITIES, HELLO, PARAMETERS, PNG, SCHEMA, STRUCTURED, UNICODE, WEATHER
from checks import check, equal, raises, run
from google import genai
from google.genai import errors, types

MODEL = "gemini-2.5-flash"
FUNCTION = types.FunctionDeclaration(
    name="get_weather", description="weather", parameters_json_schema=PARAMETERS
)
TOOLS = types.GenerateContentConfig(
    tools=[types.Tool(function_declarations=[FUNCTION])],
    automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
)


def connect(key):
    return genai.Client(api_key=key, http_options=types.HttpOptions(base_url=BASE_URL, timeout=30_000))


def ask(client, contents, **more):
    return client.models.generate_content(
        model=MODEL, contents=contents, config=types.GenerateContentConfig(**more)
    )


def go_on(client, prompt, content, results):
    calls = [part.function_call for part in content.parts if part.function_call]
    given = [
        types.Part(function_response=types.FunctionResponse(id=call.id, name=call.name, response={"result": result}))
        for call, result in zip(calls, results)
    ]
    history = [
        types.Content(role="user", parts=[types.Part(text=prompt)]),
        content,
        types.Content(role="user", parts=given),
    ]
    return client.models.generate_content(model=MODEL, contents=history, config=TOOLS).text


@check
def generate(client):
    answer = ask(client, "conf:hello", system_instruction="be brief", max_output_tokens=50)
    equal(answer.text, HELLO)
    equal(answer.candidates[0].finish_reason.value, "STOP")
    usage = answer.usage_metadata
    equal((usage.prompt_token_count, usage.candidates_token_count, usage.total_token_count), (10, 5, 15))


@check
def stream(client):
    chunks = list(client.models.generate_content_stream(model=MODEL, contents="conf:unicode"))
    equal("".join(chunk.text or "" for chunk in chunks), UNICODE)
    equal(chunks[-1].usage_metadata.total_token_count, 23)


@check
def tools_there_and_back(client):
    answer = client.models.generate_content(model=MODEL, contents="conf:tool", config=TOOLS)
    equal([call.args for call in answer.function_calls], [{"city": "Paris"}])
    equal(go_on(client, "conf:tool", answer.candidates[0].content, ["21"]), WEATHER)


@check
def parallel_tools_in_a_stream_and_back(client):
    parts = []
    for chunk in client.models.generate_content_stream(model=MODEL, contents="conf:parallel", config=TOOLS):
        parts += chunk.candidates[0].content.parts or []
    calls = [part.function_call for part in parts if part.function_call]
    equal([call.args["city"] for call in calls], CITIES)
    said = types.Content(role="model", parts=[part for part in parts if part.function_call])
    equal(go_on(client, "conf:parallel", said, ["21", "17"]), BOTH)


@check
def image(client):
    picture = types.Part.from_bytes(data=base64.b64decode(PNG), mime_type="image/png")
    equal(ask(client, [picture, "conf:hello"]).text, HELLO)


@check
def structured_output(client):
    answer = ask(client, "conf:json", response_mime_type="application/json", response_json_schema=SCHEMA)
    equal(json.loads(answer.text), STRUCTURED)


@check
def thoughts(client):
    thinking = types.ThinkingConfig(include_thoughts=True, thinking_budget=1024)
    answer = ask(client, "conf:reason", thinking_config=thinking, max_output_tokens=4096)
    assert any(part.thought for part in answer.candidates[0].content.parts), answer
    equal(answer.text, "The answer is 42.")


@check(but=["anthropic"])
def embeddings(client):
    answer = client.models.embed_content(model="gemini-embedding-001", contents=["a", "b"])
    equal(len(answer.embeddings), 2)


@check
def counting_tokens(client):
    assert client.models.count_tokens(model=MODEL, contents="conf:hello").total_tokens > 0


@check
def models(client):
    listed = list(client.models.list())
    assert listed and all(model.name.startswith("models/") for model in listed), listed
    equal(client.models.get(model=listed[0].name).name, listed[0].name)


@check
def errors_keep_class_status_and_message(client):
    for prompt, error, code, status in [
        ("conf:err429", errors.ClientError, 429, "RESOURCE_EXHAUSTED"),
        ("conf:err400", errors.ClientError, 400, "INVALID_ARGUMENT"),
        ("conf:err500", errors.ServerError, 500, "INTERNAL"),
    ]:
        raised = raises(error, lambda: ask(client, prompt))
        equal((raised.code, raised.status, raised.message), (code, status, f"fake error {code}"))
    streamed = lambda: list(client.models.generate_content_stream(model=MODEL, contents="conf:err429"))
    equal(raises(errors.ClientError, streamed).code, 429)


@check
def a_wrong_key_is_refused(_):
    raised = raises(errors.ClientError, lambda: ask(connect("wrong"), "conf:hello"))
    equal((raised.code, raised.status), (401, "UNAUTHENTICATED"))


run(connect)
