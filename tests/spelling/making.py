"""Spellers made of a few sentences, in a fraction of a second."""

from charlm.ngram.kneser_ney import build_ngram
from charlm.spelling.channel import parse_channel, shipped_channel
from charlm.spelling.counting import Counting, choose_vocabulary
from charlm.spelling.folder import save_speller
from charlm.spelling.lexicon import END
from charlm.spelling.speller import build_speller
from charlm.spelling.weights import Weights

SENTENCES = """
The office is about fifteen minutes from my house.
We went to their house because they're our friends and there is a lot to eat.
I don't believe that it's better than the other one.
The quick brown fox jumps over the lazy dog.
She will receive the letter in a few minutes.
He walked into the garden with his dog and sat there for an hour.
It took them about ten minutes to walk from the office to the garden.
Their letter came to our house in the morning, and it was too late.
"""


def make_speller(text=SENTENCES * 30, **weights):
    counting = Counting()
    counting.add(text)
    found = choose_vocabulary(counting.finish(), min_count=1, most=10_000)
    model = build_ngram(found.ids, vocab_size=found.lexicon.vocab_size, order=3, line_end_id=END)
    data = shipped_channel()
    channel = parse_channel(data, "the shipped table")
    return build_speller(found.lexicon, model, found.rare, channel, data, Weights(**weights))


def save_made(folder, text=SENTENCES * 30):
    save_speller(folder, make_speller(text), training={"note": text[:100]}, card=text[:100])
