import { createTheme, type MantineColorsTuple } from "@mantine/core";

/** The one accent: an orange-red, dark enough at 8 for white text on it (5.2 to 1). */
const ember: MantineColorsTuple = [
  "#fff4ee",
  "#ffe4d6",
  "#ffc6ab",
  "#ffa57c",
  "#ff8a56",
  "#fb7138",
  "#ea580c",
  "#d64a10",
  "#c2410c",
  "#9a3412",
];

export const theme = createTheme({
  colors: { ember },
  primaryColor: "ember",
  primaryShade: { light: 8, dark: 8 },
  defaultRadius: "sm",
  cursorType: "pointer",
  respectReducedMotion: true,
  fontFamily:
    'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Liberation Sans", sans-serif',
  fontFamilyMonospace:
    'ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", monospace',
});
