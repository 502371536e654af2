"""langchain-openai through the gateway."""

import openai
from checks import BASE_URL, BOTH, CITIES, COUNT, HELLO, PNG, STRUCTURED, UNICODE, WEATHER
from checks import check, equal, raises, run
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from pydantic import BaseModel, Field


@tool
def get_weather(city: str) -> str:
    """The weather of a city."""
    return "21"


class Counted(BaseModel):
    """Things."""

    ok: bool
    n: int = Field(description=COUNT)


def settings(key):
    return {"model": "gpt-4o", "base_url": f"{BASE_URL}/v1", "api_key": key, "max_retries": 0, "timeout": 30}


def connect(key):
    return ChatOpenAI(**settings(key))


def key_of(client):
    return client.openai_api_key.get_secret_value()


def go_on(client, prompt, answer, results):
    given = [ToolMessage(result, tool_call_id=call["id"]) for call, result in zip(answer.tool_calls, results)]
    return client.bind_tools([get_weather]).invoke([HumanMessage(prompt), answer, *given]).content


@check
def invoke(client):
    answer = client.invoke("conf:hello")
    equal(answer.content, HELLO)
    equal(answer.usage_metadata["total_tokens"], 15)


@check
def stream(client):
    whole = None
    for chunk in ChatOpenAI(stream_usage=True, **settings(key_of(client))).stream("conf:unicode"):
        whole = chunk if whole is None else whole + chunk
    equal(whole.content, UNICODE)
    equal(whole.usage_metadata["total_tokens"], 23)


@check
def tools_there_and_back(client):
    answer = client.bind_tools([get_weather]).invoke("conf:tool")
    equal([call["args"] for call in answer.tool_calls], [{"city": "Paris"}])
    equal(go_on(client, "conf:tool", answer, ["21"]), WEATHER)


@check
def parallel_tools_in_a_stream_and_back(client):
    whole = None
    for chunk in client.bind_tools([get_weather]).stream("conf:parallel"):
        whole = chunk if whole is None else whole + chunk
    equal([call["args"]["city"] for call in whole.tool_calls], CITIES)
    equal(go_on(client, "conf:parallel", whole, ["21", "17"]), BOTH)


@check
def image(client):
    picture = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}
    answer = client.invoke([HumanMessage([{"type": "text", "text": "conf:hello"}, picture])])
    equal(answer.content, HELLO)


@check
def structured_output(client):
    answer = client.with_structured_output(Counted, method="json_schema").invoke("conf:json")
    equal(answer, Counted(**STRUCTURED))


@check
def responses(client):
    answer = ChatOpenAI(use_responses_api=True, **settings(key_of(client))).invoke("conf:hello")
    assert HELLO in str(answer.content), answer


@check(but=["anthropic"])
def embeddings(client):
    conf = {**settings(key_of(client)), "model": "text-embedding-3-small"}
    embedder = OpenAIEmbeddings(**conf, check_embedding_ctx_length=False)
    equal(len(embedder.embed_documents(["a", "b"])), 2)


@check
def errors_keep_class_status_and_message(client):
    for prompt, error, status in [
        ("conf:err429", openai.RateLimitError, 429),
        ("conf:err400", openai.BadRequestError, 400),
        ("conf:err500", openai.InternalServerError, 500),
    ]:
        raised = raises(error, lambda: client.invoke(prompt))
        equal((raised.status_code, raised.body["message"]), (status, f"fake error {status}"))


run(connect)
