"""Words for a first association test: what most people find pleasant, and what they do not."""

from __future__ import annotations

# Common ones each, so that vectors of a small text know most of them.
FLOWERS = (
    "rose lily violet tulip daisy orchid poppy lavender jasmine blossom sunflower lotus daffodil "
    "lilac marigold bouquet"
)
INSECTS = (
    "fly wasp mosquito cockroach spider flea beetle locust maggot moth hornet termite louse "
    "gnat centipede worm"
)
PLEASANT = (
    "beautiful lovely sweet happy joy peace pleasant delight friend love gentle wonderful charming "
    "kind cheerful honest"
)
UNPLEASANT = (
    "ugly horrible dirty sad pain disease filthy disgust enemy hatred cruel terrible nasty rotten "
    "misery poison"
)
