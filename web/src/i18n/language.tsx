import { createContext, use, useEffect, useMemo, useState, type ReactNode } from "react";

import type { Key } from "./en";
import * as format from "./format";
import { languages, message, type Language, type Values } from "./messages";

const STORED = "athanor-language";

interface Speech {
  language: Language;
  choose: (language: Language) => void;
  say: (key: Key, values?: Values) => string;
  number: (value: number) => string;
  percent: (share: number) => string;
  duration: (seconds: number) => string;
  bytes: (value: number) => string;
}

const Spoken = createContext<Speech | null>(null);

/** The reader's language: chosen in the header, else the browser's. */
export function LanguageProvider({ children }: { children: ReactNode }) {
  const [language, setLanguage] = useState<Language>(firstLanguage);
  useEffect(() => {
    document.documentElement.lang = language;
  }, [language]);
  const speech = useMemo<Speech>(
    () => ({
      language,
      choose(chosen) {
        localStorage.setItem(STORED, chosen);
        setLanguage(chosen);
      },
      say: (key, values) => message(language, key, values),
      number: (value) => format.number(language, value),
      percent: (share) => format.percent(language, share),
      duration: (seconds) => format.duration(language, seconds),
      bytes: (value) => format.bytes(language, value),
    }),
    [language],
  );
  return <Spoken value={speech}>{children}</Spoken>;
}

export function useSpeech(): Speech {
  const speech = use(Spoken);
  if (speech === null) throw new Error("useSpeech outside of LanguageProvider");
  return speech;
}

function firstLanguage(): Language {
  const stored = localStorage.getItem(STORED);
  if (stored !== null && stored in languages) return stored as Language;
  return navigator.language.startsWith("fr") ? "fr" : "en";
}
