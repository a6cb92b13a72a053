import { useSearchParams } from "react-router";

export interface Selection {
  chosen: ReadonlySet<string>;
  toggle: (id: string) => void;
  clear: () => void;
}

/** The rows that were ticked, kept in the address. */
export function useSelection(name: string): Selection {
  const [address, setAddress] = useSearchParams();
  const chosen = new Set(address.getAll(name));
  const put = (ids: Iterable<string>): void => {
    setAddress(
      (before) => {
        const after = new URLSearchParams(before);
        after.delete(name);
        for (const id of ids) after.append(name, id);
        return after;
      },
      { replace: true },
    );
  };
  return {
    chosen,
    toggle: (id) => put(chosen.has(id) ? [...chosen].filter((one) => one !== id) : [...chosen, id]),
    clear: () => put([]),
  };
}
