import { Tabs } from "@mantine/core";
import type { ReactNode } from "react";
import { useSearchParams } from "react-router";

export interface Part {
  id: string;
  title: string;
  content: ReactNode;
}

/** The parts of a thing as tabs, each with its own address; `first` is open where none is named. */
export function Parts({ parts, first = parts[0]?.id ?? "" }: { parts: readonly Part[]; first?: string }) {
  const [address, setAddress] = useSearchParams();
  const asked = address.get("part");
  const open = parts.some((part) => part.id === asked) ? asked : first;
  const choose = (id: string | null): void => {
    setAddress((before) => {
      const after = new URLSearchParams(before);
      if (id === null || id === first) after.delete("part");
      else after.set("part", id);
      return after;
    });
  };
  return (
    <Tabs value={open} onChange={choose} keepMounted={false}>
      <Tabs.List>
        {parts.map((part) => (
          <Tabs.Tab key={part.id} value={part.id}>
            {part.title}
          </Tabs.Tab>
        ))}
      </Tabs.List>
      {parts.map((part) => (
        <Tabs.Panel key={part.id} value={part.id} className="part">
          {part.content}
        </Tabs.Panel>
      ))}
    </Tabs>
  );
}
