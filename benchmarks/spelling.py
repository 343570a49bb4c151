"""Spelling correction: charlm beside JamSpell, SymSpell, pyspellchecker, autocorrect and aspell.

    python benchmarks/spelling.py DATA --home HOME          # trains HOME/checkpoints/english first
    python benchmarks/spelling.py DATA --home HOME --peers  # those that are installed, same text

Tests, none of them tuned on: JamSpell's protocol on a book (seed 42); human errors of UD
English-EWT dev and test; words replaced by ones they are confused with, and by any word an edit
away, in AG News and EWT sentences; Norvig's test set; TOEFL-Spell (the half that nothing was
learnt from) and the Birkbeck half, words in isolation.
"""

import argparse
import dataclasses
import os
import random
import resource
import subprocess
import sys
import time
from pathlib import Path

import spelling_channel as lists
import spelling_texts as texts

SETS = [
    line.split()
    for line in [
        "their there they're",
        "its it's",
        "your you're",
        "to too two",
        "then than",
        "lose loose",
        "affect effect",
        "accept except",
        "weather whether",
        "quite quiet",
        "where were",
        "who's whose",
        "of off",
        "form from",
        "peace piece",
        "principal principle",
        "desert dessert",
        "advice advise",
        "passed past",
        "hear here",
        "know no now",
        "brake break",
        "week weak",
        "new knew",
        "buy by",
        "right write",
        "threw through",
        "trail trial",
        "bare bear",
        "board bored",
        "site sight",
        "council counsel",
        "fair fare",
        "hole whole",
        "led lead",
        "plain plane",
        "sea see",
        "steal steel",
        "this his",
        "a an",
        "and an",
        "for four",
        "on one",
        "was way",
        "causal casual",
        "dairy diary",
        "though thought",
        "adopt adapt",
        "moral morale",
        "personal personnel",
        "waist waste",
        "wait weight",
        "role roll",
        "raise rise",
        "scene seen",
        "choose chose",
        "breath breathe",
        "minuets minutes",
        "of have",
        "your our",
        "then them",
        "is his",
        "that than",
    ]
]


class Charlm:
    """The speller under test."""

    name = "charlm"

    def __init__(self, folder):
        from charlm.tasks.spell import open_speller

        self.opened = open_speller(str(folder))

    def correct(self, sentences):
        """Yield for each sentence (text) its changes and candidates by place."""
        from charlm.tasks.spell import SpellConfig, Spelling

        spelling = Spelling(self.opened, SpellConfig())
        for line in spelling.correct(sentences):
            yield {
                one.start: (one.end, one.new, [other.text for other in one.candidates[:8]])
                for one in line.judgements
            }


class WordByWord:
    """A peer that is asked for each word; `suggest` returns its candidates, best first."""

    def correct(self, sentences):
        """Yield the same as `Charlm.correct`."""
        import re

        for sentence in sentences:
            words = [match.span() for match in re.finditer(r"[a-zA-Z']+", sentence)]
            tokens = [sentence[start:end] for start, end in words]
            found = {}
            for place, (start, end) in enumerate(words):
                options = self.suggest(tokens, place) or [tokens[place]]
                found[start] = (end, options[0], options[:8])
                tokens[place] = options[0]
            yield found


class JamSpell(WordByWord):
    """Trained on the same text by its own program; needs the locale en_US.UTF-8."""

    name = "JamSpell"

    def __init__(self, training, home):
        import jamspell

        self.model = jamspell.TSpellCorrector()
        path, alphabet = home / "jamspell.bin", home / "alphabet.txt"
        alphabet.write_text(texts.ALPHABET)
        if not path.exists():
            self.model.TrainLangModel(str(training), str(alphabet), str(path))
        self.model.LoadLangModel(str(path))

    def suggest(self, tokens, place):
        """Return the candidates for one word."""
        return list(self.model.GetCandidates([one.lower() for one in tokens], place))


class SymSpell(WordByWord):
    """With the counts of the same text."""

    name = "symspellpy"

    def __init__(self, training, home):
        from symspellpy import SymSpell as Program
        from symspellpy import Verbosity

        self.program, self.verbosity = Program(2, 7), Verbosity.CLOSEST
        for word, count in _counts(training, home).items():
            self.program.create_dictionary_entry(word, count)

    def suggest(self, tokens, place):
        """Return the candidates for one word."""
        found = self.program.lookup(tokens[place].lower(), self.verbosity, 2)
        return [one.term for one in found]


class PySpellChecker(WordByWord):
    """With the dictionary that it brings."""

    name = "pyspellchecker"

    def __init__(self, training, home):
        from spellchecker import SpellChecker

        self.program = SpellChecker()

    def suggest(self, tokens, place):
        """Return the candidates for one word."""
        word = tokens[place].lower()
        best = self.program.correction(word)
        rest = sorted(
            self.program.candidates(word) or (), key=self.program.word_usage_frequency, reverse=True
        )
        return [one for one in dict.fromkeys([best, *rest]) if one]


class Autocorrect(WordByWord):
    """With the dictionary that it brings."""

    name = "autocorrect"

    def __init__(self, training, home):
        from autocorrect import Speller

        self.program = Speller()

    def suggest(self, tokens, place):
        """Return the candidates for one word."""
        word = tokens[place].lower()
        best = self.program.autocorrect_word(word)
        rest = sorted(self.program.get_candidates(word), reverse=True)
        return list(dict.fromkeys([best, *(one for _, one in rest)]))


class Aspell(WordByWord):
    """With the English dictionary of the system, through its pipe."""

    name = "aspell"

    def __init__(self, training, home):
        self.program = subprocess.Popen(
            ["aspell", "-a", "--lang=en_US", "--encoding=utf-8", "--sug-mode=normal"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.program.stdout.readline()
        self.seen = {}

    def suggest(self, tokens, place):
        """Return the candidates for one word."""
        word = tokens[place].lower()
        if word not in self.seen:
            self.program.stdin.write(f"^{word}\n")
            self.program.stdin.flush()
            found = [word]
            while (line := self.program.stdout.readline()).strip():
                if line[0] == "&":
                    found = [one.strip().lower() for one in line.partition(":")[2].split(",")]
            self.seen[word] = found
        return self.seen[word]


PEERS = (JamSpell, SymSpell, PySpellChecker, Autocorrect, Aspell)
SLOW = {"pyspellchecker": 2000, "autocorrect": 5000}


def _counts(training, home):
    from collections import Counter

    path = home / "counts.tsv"
    if not path.exists():
        counts = Counter()
        with training.open() as file:
            for line in file:
                counts.update("".join(c if c.isalpha() else " " for c in line.lower()).split())
        path.write_text("".join(f"{w}\t{n}\n" for w, n in counts.items() if n > 2))
    return {w: int(n) for w, n in (line.split("\t") for line in path.open())}


def judge(program, book, words):
    """JamSpell's protocol: errors left, fixed, among the first seven, right words broken."""
    sentences = texts.mistyped(book, words=words)
    lines = [" ".join(wrong) + "." for _, wrong in sentences]
    begun = time.perf_counter()
    found = list(program.correct(lines))
    seconds = time.perf_counter() - begun
    total = left = errors = fixed = listed = strictly = broken = 0
    for (right, wrong), by_place in zip(sentences, found, strict=True):
        place = 0
        for want, typed in zip(right, wrong, strict=True):
            _, new, options = by_place.get(place, (0, typed, [typed]))
            place += len(typed) + 1
            total, left = total + 1, left + (new != want)
            if typed != want:
                errors += 1
                fixed += new == want
                listed += want in options[:7]
                strictly += want in options[:7] and new != typed
            else:
                broken += new != want
    return (
        f"{total:,} words, {errors / total:.2%} wrong before, {left / total:.2%} after; "
        f"fixed {fixed / errors:.1%}, among the first 7 {listed / errors:.1%} (where changed "
        f"{strictly / errors:.1%}), broken {broken / (total - errors):.2%}; "
        f"{total / seconds:,.0f} words a second"
    )


def judge_ewt(program, data, *, lower, every, wrong=None):
    """Human errors: share of wrong words before and after.

    Args:
        lower: in lower case, as the figures of others were measured.
        every: all sentences; else those with an error.
        wrong: share of wrong words: to sentences with an error so many others are added.
    """
    total = before = after = fixed = 0
    sentences = [
        sentence
        for part in ("dev", "test")
        for sentence in lists.read_ewt(data / f"pos-en/en_ewt-ud-{part}.conllu.xz")
        if every or any(form != correct for form, correct in sentence)
    ]
    if wrong is not None:
        sentences = _diluted(data, sentences, wrong)
    forms = [[f.lower() if lower else f for f, _ in one] for one in sentences]
    joined = [texts.joined_sentence(one) for one in forms]
    for sentence, (line, places), found in zip(
        sentences, joined, program.correct([line for line, _ in joined]), strict=True
    ):
        for (form, correct), place in zip(sentence, places, strict=True):
            form, correct = (form.lower(), correct.lower()) if lower else (form, correct)
            if not (form.isalpha() and correct.replace("'", "").isalpha()):
                continue
            new = _token_after(line, place, form, found)
            if lower:
                new = new.lower()
            total, before = total + 1, before + (form != correct)
            after += new != correct
            fixed += form != correct and new == correct
    return (
        f"{total:,} words, {before / total:.2%} wrong before, {after / total:.2%} after; "
        f"fixed {fixed / before:.1%}"
    )


def _diluted(data, sentences, wrong):
    """Return sentences with others among them, until this share of the words is wrong."""
    words = [form for one in sentences for form, correct in one if form.isalpha()]
    errors = sum(
        form.lower() != correct.lower() and form.isalpha()
        for one in sentences
        for form, correct in one
    )
    others = [
        sentence
        for part in ("dev", "test")
        for sentence in lists.read_ewt(data / f"pos-en/en_ewt-ud-{part}.conllu.xz")
        if all(form == correct for form, correct in sentence)
    ]
    mixer = random.Random(7)
    mixer.shuffle(others)
    total, mixed = len(words), list(sentences)
    while others and errors / total > wrong:
        mixed.append(others.pop())
        total += sum(form.isalpha() for form, _ in mixed[-1])
    mixer.shuffle(mixed)
    return mixed


def _token_after(line, place, form, found):
    """Return what became of a token; one that a change took in with others is wrong."""
    for start, (end, new, _) in found.items():
        if start <= place < end and new != line[start:end]:
            if (start, end) == (place, place + len(form)):
                return new
            old = line[start:end]
            low = place - start
            tail = len(old) - low - len(form)  # the token's part of a longer word
            return new[low : len(new) - tail] if new[:low] == old[:low] else new
    return form


def judge_confusions(program, cases):
    """Real words in the place of others: share put right; share of right sentences changed."""
    fixed = changed = 0
    wrong = program.correct([case[1] for case in cases])
    for (_, _, place, right, typed), found in zip(cases, wrong, strict=True):
        _, new, _ = found.get(place, (0, typed, []))
        fixed += new.lower() == right
    clean = program.correct([case[0] for case in cases])
    for (line, *_), found in zip(cases, clean, strict=True):
        changed += any(
            new.lower() != line[start:end].lower() for start, (end, new, _) in found.items()
        )
    return (
        f"{len(cases)} sentences: put right {fixed / len(cases):.1%}, "
        f"right ones changed {changed / len(cases):.1%}"
    )


def judge_words(program, pairs, most):
    """Misspellings alone: right at once, right among the first seven.

    Known to be wrong: of every program's answers those are counted that are not the word itself.
    """
    pairs = random.Random(1).sample(pairs, most) if len(pairs) > most else pairs
    first = listed = 0
    for word, typed in pairs:
        (found,) = program.correct([typed])
        options = [
            (typed[:start] + option + typed[end:]).lower()
            for start, (end, _, listed_here) in list(found.items())[:1]
            for option in listed_here
        ]
        options = [option for option in options if option != typed][:7]
        first += options[:1] == [word]
        listed += word in options
    shares = f"first {first / len(pairs):.1%}, first 7 {listed / len(pairs):.1%}"
    return f"{len(pairs):,} misspellings: {shares}"


def main():
    """Run all tests and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--peers", action="store_true")
    parser.add_argument("--words", type=int, default=50_000)
    parser.add_argument("--max-time", help="for the networks of the speller, if it is trained")
    parser.add_argument("--only", help="names of programs, with commas between")
    given = parser.parse_args()
    training, folder = given.home / "text", given.home / "checkpoints/english"
    if not folder.exists():
        texts.write_training(given.data, training)
        command = [sys.executable, "-m", "charlm", "train", "speller", training, "-o", "english"]
        if given.max_time:
            command += ["--max-time", given.max_time]
        subprocess.run(command, check=True, env={**os.environ, "CHARLM_HOME": str(given.home)})
    programs = [Charlm(folder)]
    if given.peers:
        whole = given.home / "all.txt"
        if not whole.exists():
            whole.write_text("".join(path.read_text() for path in sorted(training.glob("*.txt"))))
        for peer in PEERS:
            if given.only and peer.name not in given.only.split(","):
                continue
            try:
                programs.append(peer(whole, given.home))
            except (ImportError, OSError) as error:
                print(f"{peer.name}: not here ({error})")
    run(programs, given.data, given.words)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"memory at most {peak / 1024:,.0f} MB" + (" with all of these" if given.peers else ""))


def run(programs, data, words):
    """Print every test of every program."""
    book = (data / "jamspell/sherlockholmes.txt").read_text()
    clean = [
        texts.joined_sentence([form for form, _ in sentence])[0]
        for part in ("dev", "test")
        for sentence in lists.read_ewt(data / f"pos-en/en_ewt-ud-{part}.conllu.xz")
        if all(form == correct for form, correct in sentence)
    ]
    mixed = texts.read_news(data)[:2000] + clean[:2000]
    frequent = [
        word for word in programs[0].opened.speller.lexicon.surfaces[3:15_000] if word.isalpha()
    ]
    listed = texts.confused(mixed, SETS, count=500, seed=5)
    anyone = texts.confused_at_random(mixed, frequent, count=500, seed=5)
    toefl = [
        pair
        for pair in lists.read_toefl(data / "spelling/toefl-spell.tsv")
        if not lists.is_even(pair[0]) and " " not in "".join(pair)
    ]
    birkbeck = [
        pair
        for pair in lists.read_dat(data / "spelling/birkbeck.half.dat")
        if " " not in "".join(pair)
    ]
    norvig = list(lists.read_norvig(data / "spelling/norvig-testset1.txt"))
    cases = Cases(book, data, words, listed, anyone, norvig, toefl, birkbeck)
    for program in programs:
        for name, answer in cases.tests(program):
            print(f"{program.name:14} {name}: {answer}", flush=True)


@dataclasses.dataclass(frozen=True)
class Cases:
    """What all programs are tried on."""

    book: str
    data: Path
    words: int
    listed: list
    anyone: list
    norvig: list
    toefl: list
    birkbeck: list

    def tests(self, program):
        """Yield the name and the result of each test."""
        limit = SLOW.get(program.name, self.words)
        few = limit < self.words
        most = 300 if few else 1500
        yield "JamSpell's protocol", judge(program, self.book, limit)
        yield (
            "EWT, sentences with errors",
            judge_ewt(program, self.data, lower=True, every=False),
        )
        yield (
            "EWT, lower case, 2.67 % wrong",
            judge_ewt(program, self.data, lower=True, every=False, wrong=0.0267),
        )
        if program.name == "charlm":
            yield (
                "EWT, as written, 2.67 % wrong",
                judge_ewt(program, self.data, lower=False, every=False, wrong=0.0267),
            )
        if not few:
            yield "EWT, all, lower case", judge_ewt(program, self.data, lower=True, every=True)
        if program.name == "charlm":  # the others know lower case alone
            yield "EWT, all, as written", judge_ewt(program, self.data, lower=False, every=True)
        yield "confused words", judge_confusions(program, self.listed)
        yield "any word an edit away", judge_confusions(program, self.anyone)
        yield "Norvig 1", judge_words(program, self.norvig, 300)
        yield "TOEFL-Spell, other half", judge_words(program, self.toefl, most)
        yield "Birkbeck half", judge_words(program, self.birkbeck, most)


if __name__ == "__main__":
    main()
