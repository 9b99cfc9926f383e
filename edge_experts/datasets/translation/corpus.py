"""English sentences and their translations, from LibreOffice's help and package descriptions.

Pairs of sentences with 3 to 20 English words. No page is in two splits, and no English sentence on
two pages: it belongs to the first page that has it. Sentences that are equal in both languages are
left out. The help of Debian 12's 7.4.7 has 111,293 pairs: 29,442 to Italian, 29,254 to German,
28,147 to French and 24,450 to Spanish. Both sources are written in templates ("Specifies the ... of
the ..."), so that even with a split by pages some test sentences are close to training sentences:
`familiar` measures their share.

An example is a pair, and its label the target language, or LANGUAGE/DOMAIN if there are several
domains.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from .. import apt
from ..dataset import Dataset
from ..splitting import by_group
from . import descriptions, help_pages

LANGUAGES = ("de", "fr", "it", "es")
_WORDS = range(3, 21)  # number of words of the English sentence
_MOST_WORDS = 30  # largest number of words of its translation

Pair = tuple[str, str]  # a sentence and its translation
Pages = Mapping[str, help_pages.Page]  # by path
Corpus = tuple[Pages, Sequence[Pages]]  # English pages, and those of each label


def load(languages: Sequence[str] = LANGUAGES) -> Dataset:
    """Load the help's pairs for some of the languages.

    Raises:
        DataError: there are fewer than two languages.
        NetworkError: a package could not be downloaded.
    """
    corpus, origin = _help(languages)
    return _dataset("translation", languages, [corpus], origin)


def load_domains(language: str = "de") -> Dataset:
    """Load pairs for one language in two domains: the help, and descriptions of Debian's packages.

    A page of the second domain is a source package. For German, Debian 12.15 has 29,263 pairs of
    the first and 36,323 of the second; 8.7 % and 6.0 % of the test sentences are familiar.

    Raises:
        NetworkError: a package or the package lists could not be downloaded.
    """
    corpus, origin = _help([language])
    folder, release = apt.lists(("en", language))
    packages = [descriptions.pages(folder, one) for one in ("en", language)]
    return _dataset(
        "translation-domains",
        [f"{language}/help", f"{language}/packages"],
        [corpus, (packages[0], packages[1:])],
        f"{origin}; descriptions of {release}, by their packages' authors and translators, each "
        "under the licence of its package",
    )


def pairs(corpora: Sequence[Corpus]) -> Iterator[tuple[str, Pair, int]]:
    """Yield page, pair and the index of its label; every pair once."""
    home: dict[str, str] = {}  # page of each sentence
    seen = set()
    first = 0  # first label of a corpus
    for english, others in corpora:
        for path in sorted(english):
            for key, source in english[path].items():
                for place, pages in enumerate(others, first):
                    target = pages.get(path, {}).get(key)
                    for one, other in help_pages.sentences(source, target) if target else ():
                        if (
                            len(one.split()) in _WORDS
                            and len(other.split()) <= _MOST_WORDS
                            and one != other
                            and home.setdefault(one, path) == path
                            and (place, one) not in seen
                        ):
                            seen.add((place, one))
                            yield path, (one, other), place
        first += len(others)


def familiar(dataset: Dataset) -> float:
    """Share of test sentences whose template is that of a training sentence.

    A template is a sentence with placeholders for its numbers, its names (capitals inside the
    sentence) and its quoted parts.
    """
    known = known_templates(dataset)
    return sum(template(source) in known for source, _ in dataset.test.inputs) / len(dataset.test)


def known_templates(dataset: Dataset) -> set[str]:
    """Templates of the training sentences."""
    return {template(source) for source, _ in dataset.train.inputs}


def template(sentence: str) -> str:
    """The sentence with a mark for each number, quotation and run of names."""
    masked = re.sub(r"\"[^\"]*\"|“[^”]*”|'[^']+'", "#", sentence)
    masked = re.sub(r"(?<=\S )[A-Z]\S*", "#", masked)
    masked = re.sub(r"\S*\d\S*", "#", masked)
    return re.sub(r"#( \W*#)*", "#", masked).casefold()


def _help(languages: Sequence[str]) -> tuple[Corpus, str]:
    """The help in English and these languages, and its origin."""
    packages = [help_pages.package(language) for language in ("en-us", *languages)]
    english, *others = map(help_pages.pages, packages)
    version = help_pages.version(packages[0])
    return (english, others), f"LibreOffice's help, Debian {version} (MPL-2.0)"


def _dataset(name: str, labels: Sequence[str], corpora: Sequence[Corpus], origin: str) -> Dataset:
    return Dataset(
        name=name,
        kind="translation",
        task="translation from English",
        labels=tuple(labels),
        origin=origin,
        task_type="translation",
        **by_group(pairs(corpora), test=12, validation=25),
    )
