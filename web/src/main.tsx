import "./shell/arriving";

import { ApiError } from "@athanor/client";
import { localStorageColorSchemeManager, MantineProvider } from "@mantine/core";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { RouterProvider } from "react-router/dom";

import { LiveProvider } from "./api/live";
import { TokenGate } from "./api/TokenGate";
import { LanguageProvider } from "./i18n/language";
import { router } from "./router";
import { theme } from "./theme/theme";

import "./theme/mantine.css";
import "virtual:theme.css";
import "./theme/studio.css";

const colorSchemeManager = localStorageColorSchemeManager({ key: "athanor-scheme" });

const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      // Events say what is stale; nothing is asked again for any other reason.
      staleTime: Number.POSITIVE_INFINITY,
      refetchOnWindowFocus: false,
      retry: (failures, error) =>
        failures < 2 && !(error instanceof ApiError && error.status >= 400 && error.status < 500),
      retryDelay: (failures) => 300 * 2 ** failures,
    },
  },
});

const root = document.getElementById("root");
if (root === null) throw new Error("index.html has no #root");

createRoot(root).render(
  <StrictMode>
    <MantineProvider
      theme={theme}
      defaultColorScheme="auto"
      colorSchemeManager={colorSchemeManager}
      // Both would be style elements in the page; the build puts the variables into a file.
      withCssVariables={false}
      withGlobalClasses={false}
    >
      <LanguageProvider>
        <QueryClientProvider client={queryClient}>
          <TokenGate>
            <LiveProvider>
              <RouterProvider router={router} />
            </LiveProvider>
          </TokenGate>
        </QueryClientProvider>
      </LanguageProvider>
    </MantineProvider>
  </StrictMode>,
);
