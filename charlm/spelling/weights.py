"""What the parts of a decision weigh. All terms are in nats."""

from __future__ import annotations

import dataclasses

from charlm.base.config import check, setting


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Weights:
    """How n-gram model, channel and circumstances add up to the score of an option."""

    model: float = setting(0.85, "weight of the n-gram model's log-probability", gt=0)
    channel: float = setting(0.76, "weight of log p(spelling | word)", gt=0)
    nonword: float = setting(-0.55, "for a change of a word that is not known")
    realword: float = setting(-3.6, "for a change of a word that is known")
    split: float = setting(-5.3, "for an unknown word as two")
    split_known: float = setting(-9.0, "for a known word as two")
    merge: float = setting(-4.0, "for two words as one, one of them unknown")
    merge_known: float = setting(-6.5, "for two known words as one")
    unknown: float = setting(-1.8, "for leaving an unknown word")
    plausible: float = setting(0.52, "weight of how probable an unknown word's spelling is")
    name: float = setting(8.8, "for leaving an unknown word with a capital inside a sentence")
    first_name: float = setting(2.0, "for leaving an unknown word with a capital elsewhere")
    capitals: float = setting(8.0, "for leaving an unknown word in capitals")
    seen: float = setting(1.15, "for each doubling of how often an unknown word came before")
    derived: float = setting(2.24, "for leaving an unknown word that is made of known ones")
    rare: float = setting(1.92, "for a change of a known word that nearly never comes")
    confused: float = setting(-1.6, "for a change among words that are written for each other")
    case: float = setting(0.91, "weight of how often an option has a capital, where there is one")
    rate: float = setting(1.8, "weight of how frequent errors are in the text so far")
    nonword_rate: float = setting(1.0, "how much of that holds for unknown words")
    cache: float = setting(0.58, "weight of how often an option came in the text so far", ge=0)
    cloze: float = setting(0.64, "share of the recurrent networks in what words around say", ge=0)
    margin: float = setting(2.15, "what a change must be better by")

    def __post_init__(self) -> None:
        check(self)
