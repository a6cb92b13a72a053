"""Words that follow a number."""


def counted(count: int, noun: str, verb: str = "") -> str:
    """A count and what it is of: "1 row", "2,000 rows"; with a verb "1 row repeats".

    Nouns and verbs whose form only gains or loses an `s`.
    """
    one = count == 1
    words = [f"{count:,}", noun if one else f"{noun}s"]
    if verb:
        words.append(f"{verb}s" if one else verb)
    return " ".join(words)


STABILITY = (
    "Stability index: below 0.1 the values are spread much as before, up to 0.25 somewhat "
    "otherwise, above it quite otherwise."
)
"""What stands below a table with such figures."""
