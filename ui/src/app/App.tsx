import { Center, Loader, MantineProvider } from "@mantine/core";
import { Notifications } from "@mantine/notifications";
import { MutationCache, QueryCache, QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { BrowserRouter } from "react-router";

import { ApiFailure } from "../api/client";
import { SessionProvider } from "../api/session";
import { ConfirmHost } from "../components/confirm";
import { ErrorState } from "../components/states";
import { cspNonce } from "../nonce";
import { resolver, theme } from "../theme";
import { Gate } from "./Gate";

const queries = new QueryClient({
  queryCache: new QueryCache(),
  mutationCache: new MutationCache(),
  defaultOptions: {
    queries: {
      staleTime: 10_000,
      refetchOnWindowFocus: true,
      // What the gateway refuses stays refused; only a gateway that does not answer is asked again.
      retry: (count, error) => count < 2 && error instanceof ApiFailure && (error.status === 0 || error.status >= 500),
    },
  },
});

export function App() {
  return (
    <MantineProvider theme={theme} cssVariablesResolver={resolver} defaultColorScheme="auto" getStyleNonce={cspNonce}>
      <QueryClientProvider client={queries}>
        <BrowserRouter basename="/admin">
          <Notifications position="bottom-right" />
          <ConfirmHost />
          <SessionProvider
            waiting={
              <Center h="100vh">
                <Loader role="status" aria-label="Loading" />
              </Center>
            }
            failed={(error, retry) => (
              <Center h="100vh" p="md">
                <ErrorState error={error} retry={retry} />
              </Center>
            )}
          >
            <Gate />
          </SessionProvider>
        </BrowserRouter>
      </QueryClientProvider>
    </MantineProvider>
  );
}
