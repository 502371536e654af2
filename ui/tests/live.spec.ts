import { call, expect, open, test } from "./fixtures";

test("figures and the feed move under load, the page stays usable, pausing stops the list", async ({ page, gateway }) => {
  await open(page, "/", "Overview");
  await expect(page.getByRole("status", { name: /^Live/ })).toBeVisible();
  const today = page.locator('[data-figure="requests today"]');
  await expect(today).not.toHaveText("–");
  const before = Number((await today.textContent())?.replace(/\D/g, ""));
  await open(page, "/requests", "Requests");
  await expect(page.getByRole("status", { name: /^Live/ })).toBeVisible();
  let running = true;
  let made = 0;
  const load = Array.from({ length: 16 }, async () => {
    while (running) {
      await call(gateway, {});
      made++;
    }
  });
  const feed = page.getByRole("status").filter({ hasText: /new/ });
  await expect(feed).toHaveText(/[1-9]\d* new, [\d,]+ more came too fast/, { timeout: 20_000 });
  // The page answers while hundreds of requests a second go through.
  await page.getByRole("button", { name: "Pause the live feed" }).click();
  const first = page.getByRole("button", { name: /^Open request/ }).first();
  const shown = await first.getAttribute("aria-label");
  const count = made;
  await expect.poll(() => made).toBeGreaterThan(count + 100);
  expect(await first.getAttribute("aria-label")).toBe(shown);
  running = false;
  await Promise.all(load);
  await page.getByRole("button", { name: "Follow live" }).click();
  await open(page, "/", "Overview");
  await expect.poll(async () => Number((await today.textContent())?.replace(/\D/g, ""))).toBeGreaterThanOrEqual(before + made);
});

test("an edit elsewhere shows without a reload", async ({ page, api }) => {
  await open(page, "/resources/services", "Services");
  await expect(page.getByRole("status", { name: /^Live/ })).toBeVisible();
  expect((await api.put("/api/v1/resources/services/appeared", { data: { value: { desc: "from elsewhere" } } })).ok()).toBe(true);
  await expect(page.getByRole("link", { name: "appeared" })).toBeVisible();
  expect((await api.delete("/api/v1/resources/services/appeared")).ok()).toBe(true);
  await expect(page.getByRole("link", { name: "appeared" })).toHaveCount(0);
});
