"""The terms in which texts and queries meet: words, made equal where they mean the same.

Case, accents and the commonest English endings are taken away; names of programs
(`read_file`, `readFile`) count as a whole and by their parts; scripts that do not
put spaces between words give pairs of characters. What a term tells about a text
is BM25's part of it: how often it stands there against how long the text is.
"""

import re
import unicodedata
from collections import Counter
from functools import lru_cache

IMPACTS = 8  # as store/chunks.py has it, which is not imported into the reader's process
# BM25: how soon repetition stops to count, how much length does, and a usual length in terms.
SATURATION = 1.2
LENGTH_WEIGHT = 0.5
USUAL_TERMS = 200

LONGEST = 64  # characters of a term: what is longer is no word

_WORD = re.compile(r"\w+")
_PART = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+")
# Thai, Lao, Khmer, Myanmar; kana; Han; Hangul.
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff]+"
)
_STOP_WORDS = (
    "a about all also am an and any are as at be been but by can could did do does for from get "
    "had has have how i if in into is it its me my no not of on or our should so some than that "
    "the their them then there these they this to us use used using was we were what when where "
    "which who why will with would you your"
)


def terms(text: str) -> list[str]:
    """Return the terms of a text in order, with repetitions."""
    return [term for word in _WORD.findall(text) for term in _terms_of(word)]


def query_terms(query: str, *, has_common: bool) -> list[str]:
    """Return the terms of a query, each once.

    Without `has_common` the words that stand everywhere are left out, unless there are no others.
    """
    found = list(dict.fromkeys(terms(query)))
    if has_common:
        return found
    telling = [term for term in found if term not in _STOP_TERMS]
    return telling or found


def by_impact(text: str) -> list[list[str]]:
    """Return for each impact from 1 to `IMPACTS` the terms of a text that have it."""
    counted = Counter(terms(text))
    length = counted.total() / USUAL_TERMS
    brake = SATURATION * (1 - LENGTH_WEIGHT + LENGTH_WEIGHT * length)
    found: list[list[str]] = [[] for _ in range(IMPACTS)]
    for term, times in counted.items():
        impact = round(IMPACTS * times / (times + brake))
        found[min(max(impact, 1), IMPACTS) - 1].append(term)
    return found


@lru_cache(maxsize=1 << 16)
def _terms_of(word: str) -> tuple[str, ...]:
    if not word.isascii():
        return tuple(_beyond_ascii(word))
    whole = word.strip("_").lower()
    if "_" not in word and (word.islower() or word.istitle() or not word.isalnum()):
        return _kept(_stem(whole))
    parts = [_stem(part.lower()) for part in _PART.findall(word)]
    return _kept(_stem(whole), *(parts if len(parts) > 1 else ()))


def _kept(*found: str) -> tuple[str, ...]:
    return tuple(term for term in found if 0 < len(term) <= LONGEST)


def _beyond_ascii(word: str) -> list[str]:
    plain = unicodedata.normalize("NFKD", word).casefold()
    plain = "".join(c for c in plain if not unicodedata.combining(c))
    plain = unicodedata.normalize("NFC", plain)  # Hangul together again
    found: list[str] = []
    at = 0
    for run in _UNSPACED.finditer(plain):
        found += _kept(plain[at : run.start()])
        found += _pairs(run[0])
        at = run.end()
    # Taking away what is above the letters may leave ASCII, or more than one word.
    return [*found, *(_stem(rest) for rest in _WORD.findall(plain[at:]) if len(rest) <= LONGEST)]


def _pairs(run: str) -> list[str]:
    return [run[at : at + 2] for at in range(len(run) - 1)] or [run]


def _stem(word: str) -> str:
    """Take the plural, -ed, -ing and -ly off an English word (lower case)."""
    if len(word) < 4 or not word.isalpha():
        return word
    if word.endswith("ies") and len(word) > 4:
        word = word[:-3] + "y"
    elif word.endswith(("sses", "shes", "ches", "xes", "zes")):
        word = word[:-2]
    elif word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-1]
    for ending in ("ing", "ed", "ly"):
        rest = word.removesuffix(ending)
        if rest != word and len(rest) >= 3 and any(vowel in rest for vowel in "aeiouy"):
            word = rest[:-1] if rest[-1] == rest[-2] and rest[-1] not in "lsz" else rest
            break
    return word.removesuffix("e") if len(word) > 4 else word


_STOP_TERMS = frozenset(term for word in _WORD.findall(_STOP_WORDS) for term in _terms_of(word))
