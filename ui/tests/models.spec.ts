import { EVIL, expect, expectAccessible, open, test } from "./fixtures";

test("a provider: added, tested by a real call, changed, removed", async ({ page, api }) => {
  await open(page, "/providers/new", "Add a provider");
  await page.getByRole("textbox", { name: "ID" }).fill("nowhere");
  await page.getByRole("textbox", { name: "Name" }).fill(EVIL);
  await page.getByRole("textbox", { name: "Base URL" }).fill("http://127.0.0.1:9/v1");
  await page.getByRole("textbox", { name: "API key" }).fill("sk-canary");
  await page.getByRole("button", { name: "Add provider" }).click();
  await expect(page.getByRole("heading", { level: 1, name: EVIL })).toBeVisible();
  await page.getByRole("button", { name: "Test" }).click();
  await expect(page.getByText("It does not work")).toBeVisible();
  await expectAccessible(page);
  await expect(page.getByRole("textbox", { name: "API key" })).toHaveAttribute("placeholder", /unchanged/);
  await page.getByRole("textbox", { name: "Name" }).fill("Nowhere");
  await page.getByRole("button", { name: "Save" }).click();
  await expect(page.getByText("Saved; in force with the next request")).toBeVisible();
  const stored = (await (await api.get("/api/v1/providers/nowhere")).json()) as { name: string; api_key_set: boolean };
  expect(stored).toMatchObject({ name: "Nowhere", api_key_set: true });
  expect(await page.content()).not.toContain("sk-canary");

  await open(page, "/models/new", "Add a model");
  await page.getByRole("button", { name: "Add model" }).click();
  await expect(page.getByText("is needed").first()).toBeVisible();
  await page.getByRole("textbox", { name: "ID", exact: true }).fill("made-up");
  await page.getByRole("combobox", { name: "Provider", exact: true }).click();
  await page.getByRole("option", { name: "nowhere" }).click();
  await page.getByRole("button", { name: "Add model" }).click();
  await expect(page.getByRole("table", { name: "Models" }).getByText("unpriced")).toBeVisible();
  await page.getByRole("link", { name: "made-up" }).click();
  await expect(page.getByRole("heading", { level: 1, name: "made-up" })).toBeVisible();
  await page.getByRole("button", { name: "Set a price of your own" }).last().click();
  await page.getByRole("textbox", { name: "Input", exact: true }).fill("0.25");
  await page.getByRole("textbox", { name: "Output", exact: true }).fill("2");
  await page.getByRole("button", { name: "Save" }).click();
  await expect(page.getByText(/input \$0\.25, output \$2\.00/)).toBeVisible();
  await page.getByRole("button", { name: "Delete" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
  await expect(page.getByRole("heading", { level: 1, name: "Models" })).toBeVisible();

  await open(page, "/providers/nowhere", "Nowhere");
  await page.getByRole("button", { name: "Delete" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
  await expect(page.getByRole("heading", { level: 1, name: "Providers" })).toBeVisible();
});

test("prices are found", async ({ page }) => {
  await open(page, "/models", "Models");
  await page.getByRole("tab", { name: "Prices" }).click();
  await page.getByRole("textbox", { name: "Search prices" }).fill("gpt-4o-mini");
  await expect(page.getByRole("table", { name: "Prices" }).getByText("gpt-4o-mini").first()).toBeVisible();
  await page.getByRole("textbox", { name: "Search prices" }).fill("no-such-model-at-all");
  await expect(page.getByRole("heading", { name: "No price is known for that" })).toBeVisible();
});
