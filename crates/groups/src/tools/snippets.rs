//! Calls to copy: curl, Python, JavaScript, LangChain.

use super::{Access, Tool, quoted, shell};

pub(super) const TOOL: Tool = Tool {
    name: "snippets",
    title: "SDK snippets",
    file: "snippets.md",
    place: "copy what you need",
    render,
};

fn render(access: &Access) -> String {
    let (base, key, model) = (quoted(&access.v1()), quoted(&access.key), quoted(&access.model));
    let body =
        serde_json::json!({ "model": access.model, "messages": [{ "role": "user", "content": "Hello!" }] });
    format!(
        r#"# Calls through the gateway

## curl

```sh
curl {url} \
  -H {authorization} \
  -H 'Content-Type: application/json' \
  -d {body}
```

## Python (openai)

```python
from openai import OpenAI

client = OpenAI(base_url={base}, api_key={key})
answer = client.chat.completions.create(
    model={model}, messages=[{{"role": "user", "content": "Hello!"}}]
)
print(answer.choices[0].message.content)
```

## JavaScript (openai)

```js
import OpenAI from "openai";

const client = new OpenAI({{ baseURL: {base}, apiKey: {key} }});
const answer = await client.chat.completions.create({{
  model: {model},
  messages: [{{ role: "user", content: "Hello!" }}],
}});
console.log(answer.choices[0].message.content);
```

## LangChain (langchain-openai)

```python
from langchain_openai import ChatOpenAI

chat = ChatOpenAI(base_url={base}, api_key={key}, model={model})
print(chat.invoke("Hello!").content)
```
"#,
        url = shell(&format!("{}/chat/completions", access.v1())),
        authorization = shell(&format!("Authorization: Bearer {}", access.key)),
        body = shell(&body.to_string()),
    )
}
