/** Names that point at versions: champion → 2. */
export function Aliases({ aliases, of }: { aliases: Readonly<Record<string, number>>; of?: number }) {
  const shown = Object.entries(aliases).filter(([, number]) => of === undefined || number === of);
  return (
    <span className="aliases">
      {shown.map(([alias, number]) => (
        <span key={alias} className={alias === "champion" ? "alias alias-champion" : "alias"}>
          {of === undefined ? `${alias} → ${number}` : alias}
        </span>
      ))}
    </span>
  );
}
