"""boto3's bedrock-runtime through the gateway: Converse and ConverseStream. The key is the access key id."""

import base64
import json

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError
from checks import BASE_URL, BOTH, CITIES, HELLO, PARAMETERS, PNG, SCHEMA, STRUCTURED, UNICODE, WEATHER
from checks import check, equal, raises, run

MODEL = "anthropic.claude-sonnet-4-5-20250929-v1:0"
TOOLS = {"tools": [{"toolSpec": {"name": "get_weather", "inputSchema": {"json": PARAMETERS}}}]}


def connect(key):
    return boto3.client(
        "bedrock-runtime",
        region_name="eu-central-1",
        endpoint_url=BASE_URL,
        aws_access_key_id=key,
        aws_secret_access_key="any",
        config=Config(retries={"total_max_attempts": 1}, read_timeout=30),
    )


def user(*content):
    return [{"role": "user", "content": list(content)}]


def ask(client, text, **more):
    return client.converse(modelId=MODEL, messages=user({"text": text}), **more)


def go_on(client, prompt, message, results):
    calls = [block["toolUse"] for block in message["content"] if "toolUse" in block]
    given = [
        {"toolResult": {"toolUseId": call["toolUseId"], "content": [{"text": result}]}}
        for call, result in zip(calls, results)
    ]
    history = [*user({"text": prompt}), message, *user(*given)]
    answer = client.converse(modelId=MODEL, messages=history, toolConfig=TOOLS)
    return answer["output"]["message"]["content"][0]["text"]


@check
def converse(client):
    answer = ask(client, "conf:hello", system=[{"text": "be brief"}], inferenceConfig={"maxTokens": 50})
    equal(answer["output"]["message"]["content"], [{"text": HELLO}])
    equal(answer["stopReason"], "end_turn")
    usage = answer["usage"]
    equal((usage["inputTokens"], usage["outputTokens"], usage["totalTokens"]), (10, 5, 15))


@check
def stream(client):
    answer = client.converse_stream(modelId=MODEL, messages=user({"text": "conf:unicode"}))
    events = list(answer["stream"])
    names = [next(iter(event)) for event in events]
    equal((names[0], names[-2], names[-1]), ("messageStart", "messageStop", "metadata"))
    deltas = [event["contentBlockDelta"]["delta"]["text"] for event in events if "contentBlockDelta" in event]
    equal("".join(deltas), UNICODE)


@check
def tools_there_and_back(client):
    answer = ask(client, "conf:tool", toolConfig=TOOLS)
    equal(answer["stopReason"], "tool_use")
    message = answer["output"]["message"]
    equal([block["toolUse"]["input"] for block in message["content"] if "toolUse" in block], [{"city": "Paris"}])
    equal(go_on(client, "conf:tool", message, ["21"]), WEATHER)


@check
def parallel_tools_and_back(client):
    message = ask(client, "conf:parallel", toolConfig=TOOLS)["output"]["message"]
    calls = [block["toolUse"] for block in message["content"] if "toolUse" in block]
    equal([call["input"]["city"] for call in calls], CITIES)
    equal(go_on(client, "conf:parallel", message, ["21", "17"]), BOTH)


@check
def parallel_tools_in_a_stream(client):
    inputs = {}
    asked = client.converse_stream(modelId=MODEL, messages=user({"text": "conf:parallel"}), toolConfig=TOOLS)
    for event in asked["stream"]:
        said = event.get("contentBlockDelta", {})
        if "toolUse" in said.get("delta", {}):
            index = said["contentBlockIndex"]
            inputs[index] = inputs.get(index, "") + said["delta"]["toolUse"]["input"]
    equal([json.loads(inputs[index])["city"] for index in sorted(inputs)], CITIES)


@check
def image(client):
    picture = {"image": {"format": "png", "source": {"bytes": base64.b64decode(PNG)}}}
    answer = client.converse(modelId=MODEL, messages=user(picture, {"text": "conf:hello"}))
    equal(answer["output"]["message"]["content"], [{"text": HELLO}])


@check
def structured_output(client):
    schema = {"jsonSchema": {"name": "counted", "schema": json.dumps(SCHEMA)}}
    config = {"textFormat": {"type": "json_schema", "structure": schema}}
    answer = ask(client, "conf:json", outputConfig=config)
    equal(json.loads(answer["output"]["message"]["content"][0]["text"]), STRUCTURED)


@check
def errors_keep_class_status_and_message(client):
    for status, code in [(429, "ThrottlingException"), (400, "ValidationException")]:
        raised = raises(ClientError, lambda: ask(client, f"conf:err{status}")).response
        equal(raised["ResponseMetadata"]["HTTPStatusCode"], status)
        equal((raised["Error"]["Code"], raised["Error"]["Message"]), (code, f"fake error {status}"))


@check
def a_wrong_key_is_refused(_):
    raised = raises(ClientError, lambda: ask(connect("wrong"), "conf:hello")).response
    assert raised["ResponseMetadata"]["HTTPStatusCode"] in (401, 403), raised


run(connect)
