import { notifications } from "@mantine/notifications";

import { messageOf } from "./states";

const CLOSE = { "aria-label": "Dismiss" };

export function notifyDone(message: string): void {
  notifications.show({ message, color: "teal", autoClose: 4000, closeButtonProps: CLOSE });
}

export function notifyFailed(error: unknown, title = "That did not work"): void {
  notifications.show({ title, message: messageOf(error), color: "red", autoClose: 10_000, closeButtonProps: CLOSE });
}
