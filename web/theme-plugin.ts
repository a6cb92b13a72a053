import { convertCssVariables, DEFAULT_THEME, defaultCssVariablesResolver, mergeMantineTheme } from "@mantine/core";
import type { Plugin } from "vite";

import { theme } from "./src/theme/theme.ts";

const NAME = "virtual:theme.css";

/**
 * The theme's variables as a file of the build.
 *
 * Mantine would put them into a style element at run time, which the page's content security
 * policy (nothing inline) refuses.
 */
export function themeVariables(): Plugin {
  return {
    name: "athanor-theme-variables",
    resolveId: (id) => (id === NAME ? `\0${NAME}` : null),
    load(id) {
      if (id !== `\0${NAME}`) return null;
      const variables = defaultCssVariablesResolver(mergeMantineTheme(DEFAULT_THEME, theme));
      return convertCssVariables(variables, ":root");
    },
  };
}
