"""scikit-learn's word counters as nodes."""

from typing import Any

from athanor.serving.runtimes.folding.nodes import Bag, Node, Term, Unfoldable, is_text


def count_vectorizer(part: Any, columns: list[Node]) -> list[Node]:
    """CountVectorizer or TfidfVectorizer over one column of text.

    Raises: Unfoldable.
    """
    name = type(part).__name__
    kept = {"analyzer": "word", "tokenizer": None, "preprocessor": None, "strip_accents": None}
    for setting, value in kept.items():
        if getattr(part, setting) != value:
            raise Unfoldable(f"{name} has {setting}={getattr(part, setting)!r}")
    if len(columns) != 1 or not is_text(columns[0]):
        raise Unfoldable(f"{name} reads something else than one column of text")
    weighs = name == "TfidfVectorizer"
    size = len(part.vocabulary_)
    bag = Bag(
        columns[0],
        {str(term): int(place) for term, place in part.vocabulary_.items()},
        part.token_pattern,
        words=tuple(part.ngram_range),
        lowercase=part.lowercase,
        stops=frozenset(part.get_stop_words() or ()),
        binary=part.binary,
        sublinear=weighs and part.sublinear_tf,
        idf=tuple(map(float, part.idf_)) if weighs and part.use_idf else (),
        norm=(part.norm or "") if weighs else "",
    )
    return [Term(bag, place) for place in range(size)]


def tfidf_transformer(part: Any, columns: list[Node]) -> list[Node]:
    """TfidfTransformer behind a CountVectorizer.

    Raises: Unfoldable.
    """
    terms = [node for node in columns if isinstance(node, Term)]
    bags = {id(node.of) for node in terms}
    whole = len(terms) == len(columns) and [node.place for node in terms] == [*range(len(terms))]
    if not whole or len(bags) != 1 or len(terms) != len(terms[0].of.vocabulary):
        raise Unfoldable("TfidfTransformer weighs something else than one text's counted words")
    counted = terms[0].of
    bag = Bag(
        counted.of,
        counted.vocabulary,
        counted.pattern,
        words=counted.words,
        lowercase=counted.lowercase,
        stops=counted.stops,
        binary=counted.binary,
        sublinear=part.sublinear_tf,
        idf=tuple(map(float, part.idf_)) if part.use_idf else (),
        norm=part.norm or "",
    )
    return [Term(bag, place) for place in range(len(terms))]
