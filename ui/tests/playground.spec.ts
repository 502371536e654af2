import { EVIL, expect, expectAccessible, open, test } from "./fixtures";

test("chat: streamed, two models beside each other, figures, raw bodies", async ({ page }) => {
  await open(page, "/playground?client=demo", "Playground");
  await page.getByRole("textbox", { name: "System prompt" }).fill("Be brief.");
  await page.getByRole("textbox", { name: "Temperature" }).fill("0.2");
  await page.getByRole("combobox", { name: "Model", exact: true }).fill("echo");
  await page.getByRole("button", { name: "Compare with another model" }).click();
  await page.getByRole("combobox", { name: "Model 2", exact: true }).fill("echo");
  await page.getByRole("textbox", { name: "Message" }).fill(EVIL);
  await page.keyboard.press("Enter");
  const columns = page.getByRole("log");
  await expect(columns).toHaveCount(2);
  for (const column of await columns.all()) {
    await expect(column.getByText(EVIL).first()).toBeVisible();
    await expect(column.getByText(/first token/)).toBeVisible();
  }
  await expectAccessible(page);
  await page.getByRole("button", { name: "Raw" }).first().click();
  await expect(page.getByRole("textbox", { name: "Request body" })).toContainText("Be brief.");
  await page.getByRole("tab", { name: "Response" }).click();
  await expect(page.getByRole("textbox", { name: "Response body" })).toContainText("data:");
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "Remove Model 2" }).click();
  await expect(columns).toHaveCount(1);
  await page.getByRole("button", { name: "New conversation" }).click();
  await expect(page.getByText("Nothing said yet.")).toBeVisible();
});

test("bad options are refused before a call is made", async ({ page }) => {
  await open(page, "/playground?client=demo", "Playground");
  await page.getByRole("button", { name: "Tools", exact: true }).click();
  await page.getByRole("textbox", { name: "Tools, as JSON" }).fill("{");
  await page.getByRole("textbox", { name: "Message" }).fill("hello");
  await page.getByRole("button", { name: "Send" }).click();
  await expect(page.getByRole("alert").filter({ hasText: "Tools are no valid JSON" })).toBeVisible();
  await page.getByRole("button", { name: "Use an example" }).first().click();
  await expect(page.getByRole("textbox", { name: "Tools, as JSON" })).toHaveValue(/get_weather/);
});

test("an image is attached, shown and taken off again", async ({ page }) => {
  await open(page, "/playground?client=demo", "Playground");
  const pixel = Buffer.from("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==", "base64");
  await page.locator('input[type="file"]').setInputFiles([{ name: "dot.png", mimeType: "image/png", buffer: pixel }]);
  await expect(page.getByRole("img", { name: "dot.png" })).toBeVisible();
  await page.getByRole("button", { name: "Remove dot.png" }).click();
  await expect(page.getByRole("img", { name: "dot.png" })).toHaveCount(0);
  await page.locator('input[type="file"]').setInputFiles([{ name: "page.html", mimeType: "text/html", buffer: Buffer.from("x") }]);
  await expect(page.getByText("page.html is no image")).toBeVisible();
});
