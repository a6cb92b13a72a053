import { en, type Catalogue, type Key } from "./en";
import { fr } from "./fr";

export type Language = "en" | "fr";
export type Values = Readonly<Record<string, string | number>>;

export const languages: Readonly<Record<Language, { name: string; catalogue: Catalogue }>> = {
  en: { name: "English", catalogue: en },
  fr: { name: "Français", catalogue: fr },
};

/** The message for a key; `n`, where given, chooses the plural form. */
export function message(language: Language, key: Key, values: Values = {}): string {
  const found = languages[language].catalogue[key];
  const text = typeof found === "string" ? found : plural(language, found, Number(values["n"]));
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => {
    const value = values[name];
    if (value === undefined) return whole;
    return typeof value === "number" ? value.toLocaleString(language) : value;
  });
}

function plural(
  language: Language,
  forms: Readonly<Partial<Record<Intl.LDMLPluralRule, string>>>,
  n: number,
): string {
  return forms[new Intl.PluralRules(language).select(n)] ?? forms.other ?? "";
}
