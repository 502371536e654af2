import { client, EVIL, expect, expectAccessible, open, test } from "./fixtures";
import { startProvider, type FakeProvider } from "./provider";

let provider: FakeProvider;

test.beforeAll(async () => {
  provider = await startProvider();
});
test.afterAll(() => provider.stop());

test.beforeEach(async ({ api, page }, { title, retry, workerIndex }) => {
  const id = `play-${workerIndex}-${retry}-${title.length}`;
  await client(api, { id, name: title, provider: { type: "openai", base_url: provider.url, api_key: "sk-playground" }, default_model: "talker", limits: { requests_per_day: 50 }, log_payloads: true });
  provider.seen.length = 0;
  await open(page, `/playground?client=${id}`, "Playground");
});

test("chat: streamed, up to four models beside each other, figures, raw bodies", async ({ page }) => {
  await page.getByRole("textbox", { name: "System prompt" }).fill("Be brief.");
  await page.getByRole("textbox", { name: "Temperature" }).fill("0.2");
  await page.getByRole("combobox", { name: "Model", exact: true }).fill("talker");
  const more = page.getByRole("button", { name: "Compare with another model" });
  for (const [count, model] of [[2, "other"], [3, "third"], [4, "broken"]] as const) {
    await more.click();
    await page.getByRole("combobox", { name: `Model ${count}`, exact: true }).fill(model);
  }
  await expect(more).toBeDisabled();
  await page.getByRole("textbox", { name: "Message" }).fill(EVIL);
  await page.keyboard.press("Enter");
  const columns = page.getByRole("log");
  await expect(columns).toHaveCount(4);
  for (const [index, model] of ["talker", "other", "third"].entries()) {
    await expect(columns.nth(index).getByText(`${model} heard ${EVIL}`)).toBeVisible();
    await expect(columns.nth(index).getByText(/first token .* 11 in, 5 out/)).toBeVisible();
    await expect(columns.nth(index).getByText("unpriced")).toBeVisible();
  }
  await expect(columns.nth(3).getByRole("alert")).toContainText("the model fell over");
  // Four, and the one that listed its models for the page.
  await expect(page.getByRole("group", { name: "Limits of the client" })).toContainText("5 / 50");
  expect(provider.seen.filter((one) => one.path.endsWith("/chat/completions")).map((one) => one.body.temperature)).toEqual([0.2, 0.2, 0.2, 0.2]);
  await expectAccessible(page);
  await page.getByRole("button", { name: "Raw" }).first().click();
  await expect(page.getByRole("textbox", { name: "Request body" })).toContainText("Be brief.");
  await page.getByRole("tab", { name: "Response" }).click();
  await expect(page.getByRole("textbox", { name: "Response body" })).toContainText("data:");
  await page.getByRole("tab", { name: "Headers" }).click();
  await expect(page.getByRole("textbox", { name: "Response headers" })).toContainText("status: 200");
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "Remove Model 2" }).click();
  await expect(columns).toHaveCount(3);
  await page.getByRole("button", { name: "New conversation" }).click();
  await expect(page.getByText("Nothing said yet.")).toHaveCount(3);
});

test("a tool is called, its result is typed, the answer follows", async ({ page }) => {
  await page.getByRole("combobox", { name: "Model", exact: true }).fill("tools");
  await page.getByRole("button", { name: "Tools", exact: true }).click();
  await page.getByRole("button", { name: "Use an example" }).first().click();
  await page.getByRole("textbox", { name: "Message" }).fill("How is it in Oslo?");
  await page.getByRole("button", { name: "Send" }).click();
  const log = page.getByRole("log");
  await expect(log.getByText("Calls get_weather")).toBeVisible();
  await expect(log.getByText('{"place":"Oslo"}')).toBeVisible();
  await log.getByRole("textbox", { name: "Result of get_weather" }).fill('{"temperature": 21}');
  await log.getByRole("button", { name: "Send results" }).click();
  await expect(log.getByText('tools heard {"temperature": 21}')).toBeVisible();
  const last = provider.seen.at(-1)?.body.messages as { role: string; tool_call_id?: string }[];
  expect(last.map(({ role, tool_call_id }) => [role, tool_call_id])).toEqual([["user", undefined], ["assistant", undefined], ["tool", "call_1"]]);
});

test("an answer follows a JSON schema", async ({ page }) => {
  await page.getByRole("button", { name: "Answer as JSON" }).click();
  await page.getByRole("textbox", { name: "JSON schema of the answer" }).fill("[]");
  await page.getByRole("textbox", { name: "Message" }).fill("The answer?");
  await page.getByRole("button", { name: "Send" }).click();
  await expect(page.getByRole("alert").filter({ hasText: "The schema must be a JSON object" })).toBeVisible();
  expect(provider.seen.filter((one) => one.path.endsWith("/chat/completions"))).toHaveLength(0);
  await page.getByRole("button", { name: "Use an example" }).last().click();
  await page.getByRole("switch", { name: "Stream the answer" }).press("Space");
  await page.getByRole("textbox", { name: "Message" }).fill("The answer?");
  await page.getByRole("button", { name: "Send" }).click();
  await expect(page.getByRole("log").getByText('{"answer":"forty-two","confidence":0.9}')).toBeVisible();
  expect(provider.seen.at(-1)?.body).toMatchObject({ response_format: { type: "json_schema", json_schema: { schema: { type: "object" } } } });
});

test("a stream is stopped, and the provider hears of it", async ({ page }) => {
  await page.getByRole("combobox", { name: "Model", exact: true }).fill("endless");
  await page.getByRole("textbox", { name: "Message" }).fill("Go on");
  await page.getByRole("button", { name: "Send" }).click();
  await expect(page.getByRole("log").getByText(/word3 /)).toBeVisible();
  await page.getByRole("button", { name: "Stop" }).click();
  await expect(page.getByRole("log").getByText("Stopped.")).toBeVisible();
  await expect(page.getByRole("button", { name: "Send" })).toBeVisible();
  await expect.poll(() => provider.seen.at(-1)?.left).toBe(true);
});

test("an image is attached, shown, taken off again, and sent", async ({ page }) => {
  const pixel = Buffer.from("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==", "base64");
  const files = page.locator('input[type="file"]');
  await files.setInputFiles([{ name: "dot.png", mimeType: "image/png", buffer: pixel }]);
  await expect(page.getByRole("img", { name: "dot.png" })).toBeVisible();
  await page.getByRole("button", { name: "Remove dot.png" }).click();
  await expect(page.getByRole("img", { name: "dot.png" })).toHaveCount(0);
  await files.setInputFiles([{ name: "page.html", mimeType: "text/html", buffer: Buffer.from("x") }]);
  await expect(page.getByText("page.html is no image")).toBeVisible();
  await files.setInputFiles([{ name: "dot.png", mimeType: "image/png", buffer: pixel }]);
  await page.getByRole("textbox", { name: "Message" }).fill("What is this?");
  await page.getByRole("button", { name: "Send" }).click();
  await expect(page.getByText("talker heard What is this? with 1 image")).toBeVisible();
  await expect(page.getByRole("log").getByRole("img", { name: "Attached 1" })).toBeVisible();
});

test("texts are compared by their vectors", async ({ page }) => {
  await page.getByRole("tab", { name: "Embeddings" }).click();
  await expect(page.getByRole("button", { name: "Compare" })).toBeDisabled();
  await page.getByRole("combobox", { name: "Model" }).fill("embedder");
  await page.getByRole("textbox", { name: "Text 1" }).fill("apple");
  await page.getByRole("textbox", { name: "Text 2" }).fill("avocado");
  await page.getByRole("button", { name: "Add text" }).click();
  await page.getByRole("textbox", { name: "Text 3" }).fill("bridge");
  await page.getByRole("button", { name: "Compare" }).click();
  const matrix = page.getByRole("table", { name: "Cosine similarity" });
  await expect(matrix.getByRole("row").nth(1).getByRole("cell")).toHaveText(["1.000", "1.000", "0.000"]);
  await expect(page.getByText(/26 dimensions/)).toBeVisible();
  await page.getByRole("combobox", { name: "Model" }).fill("broken");
  await page.getByRole("button", { name: "Compare" }).click();
  await expect(page.getByRole("alert").filter({ hasText: "the model fell over" })).toBeVisible();
  await expectAccessible(page);
});

test("bad options are refused before a call is made", async ({ page }) => {
  await page.getByRole("button", { name: "Tools", exact: true }).click();
  await page.getByRole("textbox", { name: "Tools, as JSON" }).fill("{");
  await page.getByRole("textbox", { name: "Message" }).fill("hello");
  await page.getByRole("button", { name: "Send" }).click();
  await expect(page.getByRole("alert").filter({ hasText: "Tools are no valid JSON" })).toBeVisible();
  expect(provider.seen.filter((one) => one.path.endsWith("/chat/completions"))).toHaveLength(0);
});

test("a request is looked at as each side saw it, and replayed", async ({ page }) => {
  await page.getByRole("textbox", { name: "System prompt" }).fill("Be brief.");
  await page.getByRole("textbox", { name: "Message" }).fill(`Say hello ${EVIL}`);
  await page.getByRole("button", { name: "Send" }).click();
  await page.getByRole("link", { name: "Log entry" }).click();
  const drawer = page.getByRole("dialog", { name: "Request" });
  for (const [tab, label] of [["Sent by client", "client request"], ["Sent upstream", "upstream request"]] as const) {
    await drawer.getByRole("tab", { name: tab }).click();
    await expect(drawer.getByRole("textbox", { name: label })).toContainText("Say hello <img src=x");
  }
  await drawer.getByRole("tab", { name: "Returned" }).click();
  await expect(drawer.getByText("talker heard Say hello")).toBeVisible();
  await drawer.getByRole("radiogroup", { name: "How to show it" }).getByText("As it was").click();
  await expect(drawer.getByRole("textbox", { name: "response" })).toContainText("data:");
  await drawer.getByRole("tab", { name: "Headers" }).click();
  await expect(drawer.getByRole("table", { name: "Headers to the provider" })).toContainText("authorization");
  expect(provider.seen.at(-1)?.headers.authorization).toBe("Bearer sk-playground");
  expect(await page.content()).not.toContain("sk-playground");
  await expectAccessible(page);
  await drawer.getByRole("link", { name: "Replay in playground" }).click();
  await expect(page.getByRole("heading", { level: 1, name: "Playground" })).toBeVisible();
  await expect(page.getByRole("textbox", { name: "Message" })).toHaveValue(`Say hello ${EVIL}`);
  await expect(page.getByRole("textbox", { name: "System prompt" })).toHaveValue("Be brief.");
  await page.getByRole("button", { name: "Send" }).click();
  await expect(page.getByRole("log").getByText(`talker heard Say hello ${EVIL}`)).toBeVisible();
  expect(provider.seen.filter((one) => one.path.endsWith("/chat/completions"))).toHaveLength(2);
});
