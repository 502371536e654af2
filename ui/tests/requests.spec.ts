import { readFileSync } from "node:fs";

import { call, EVIL, expect, expectAccessible, open, test } from "./fixtures";

test.beforeEach(async ({ gateway, api }) => {
  expect(await call(gateway, {})).toBe(200);
  await call(gateway, { stream: true });
  await call(gateway, { model: EVIL });
  // Records are written in batches, and sums after them.
  await expect.poll(async () => ((await (await api.get("/api/v1/requests")).json()) as { items: unknown[] }).items.length).toBeGreaterThanOrEqual(3);
  await expect.poll(async () => ((await (await api.get("/api/v1/usage")).json()) as { totals: { requests: number } }).totals.requests).toBeGreaterThanOrEqual(3);
});

test("requests are listed, filtered by the address, and opened by keyboard", async ({ page }) => {
  await open(page, "/requests", "Requests");
  const table = page.getByRole("table", { name: "Requests" });
  await expect(table.getByRole("row")).not.toHaveCount(1);
  await page.getByLabel("Model", { exact: true }).fill("no-such-model");
  await page.getByLabel("Model", { exact: true }).press("Enter");
  await expect(page).toHaveURL(/model=no-such-model/);
  await expect(page.getByRole("heading", { name: "No request passes these filters" })).toBeVisible();
  await page.getByRole("button", { name: "Clear all filters" }).first().click();
  await expect(table).toBeVisible();
  await table.getByRole("button", { name: /^Open request/ }).first().focus();
  await page.keyboard.press("Enter");
  const drawer = page.getByRole("dialog", { name: "Request" });
  await expect(drawer.getByText("Time to first token")).toBeVisible();
  await expect(page).toHaveURL(/request=/);
  for (const tab of ["Sent by client", "Sent upstream", "Returned", "Headers"]) {
    await drawer.getByRole("tab", { name: tab }).click();
    await expect(drawer.getByRole("heading", { name: "Payloads are not kept for this request" })).toBeVisible();
  }
  await drawer.getByRole("tab", { name: "Timeline" }).click();
  await expect(drawer.getByRole("list", { name: "Steps" }).getByRole("listitem").first()).toBeVisible();
  await expectAccessible(page);
  await page.keyboard.press("Escape");
  await expect(drawer).toHaveCount(0);
});

test("what a caller sent is text, in the list and in the details", async ({ page }) => {
  await open(page, `/requests?model=${encodeURIComponent(EVIL)}`, "Requests");
  const cell = page.getByRole("table", { name: "Requests" }).getByText(EVIL).first();
  await expect(cell).toBeVisible();
  await page.getByRole("button", { name: /^Open request/ }).first().click();
  await expect(page.getByRole("dialog", { name: "Request" }).getByText(EVIL).first()).toBeVisible();
  await open(page, "/usage?by=model", "Usage and cost");
  await expect(page.getByRole("table").getByText(EVIL)).toBeVisible();
});

test("the log is downloaded as CSV and copied as a call", async ({ page, context }) => {
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  await open(page, "/requests", "Requests");
  const downloading = page.waitForEvent("download");
  await page.getByRole("link", { name: "CSV" }).click();
  const path = await (await downloading).path();
  expect(readFileSync(path, "utf8").split("\n")[0]).toContain("status");
  await page.getByRole("button", { name: /^Open request/ }).first().click();
  await page.getByRole("button", { name: "Copy as curl" }).click();
  await expect.poll(() => page.evaluate(() => navigator.clipboard.readText())).toContain("curl -X POST");
});

test("usage adds up, compares, and narrows down by a click", async ({ page }) => {
  await open(page, "/usage", "Usage and cost");
  await page.getByRole("radiogroup", { name: "Chart of" }).getByText("Requests").click();
  await expect(page).toHaveURL(/measure=requests/);
  await expect(page.getByRole("img", { name: "Requests over time" })).toBeVisible();
  await page.getByRole("switch", { name: /Compare/ }).click();
  await expect(page.getByRole("columnheader", { name: "Cost before" })).toHaveCount(0);
  await page.getByRole("combobox", { name: "By", exact: true }).click();
  await page.getByRole("option", { name: "Provider" }).click();
  await expect(page.getByRole("table", { name: "Usage by provider" })).toBeVisible();
  const first = page.getByRole("table", { name: "Usage by provider" }).getByRole("button").nth(6);
  const name = (await first.textContent()) ?? "";
  await first.click();
  await expect(page.getByRole("button", { name: "Remove filter provider" })).toBeVisible();
  expect(name).not.toBe("");
});
