"""Texts in ASCII, as near as letters allow: for names, not for corpora."""

from __future__ import annotations

import unicodedata

# Letters that no accent makes of an ASCII one, as they are commonly written with those.
_LATIN = "ß ss æ ae œ oe ø o đ d ð d þ th ł l ħ h ı i ŋ ng ĸ k ŧ t ƒ f ɓ b ɗ d ƙ k ǝ e ə e ɛ e ɔ o"
_CYRILLIC = (
    "а a б b в v г g д d е e ё yo ж zh з z и i й y к k л l м m н n о o п p р r с s т t у u ф f "
    "х kh ц ts ч ch ш sh щ shch ы y э e ю yu я ya і i ї yi є ye ґ g ў u ј j љ lj њ nj ђ dj ћ c џ dz"
)
_GREEK = (
    "α a β v γ g δ d ε e ζ z η i θ th ι i κ k λ l μ m ν n ξ x ο o π p ρ r σ s ς s τ t υ y φ f χ ch "
    "ψ ps ω o"
)
_SILENT = "ъь"


def _table() -> dict[int, str]:
    words = f"{_LATIN} {_CYRILLIC} {_GREEK}".split()
    small = dict(zip(words[::2], words[1::2], strict=True)) | dict.fromkeys(_SILENT, "")
    large = {one.upper(): plain.capitalize() for one, plain in small.items()}
    return {ord(one): plain for one, plain in {**large, **small}.items() if len(one) == 1}


_TABLE = _table()


def to_ascii(text: str) -> str:
    """Return a text without accents, in Latin letters where it is Cyrillic or Greek.

    What has no such form stays as it is.

    Example:
        >>> [to_ascii(text) for text in ("Mon été", "Straße", "Война и мир", "Ἰλιάς", "红楼梦")]
        ['Mon ete', 'Strasse', 'Voyna i mir', 'Ilias', '红楼梦']
    """
    whole = unicodedata.normalize("NFC", text).translate(_TABLE)  # й is no и with a sign
    letters = unicodedata.normalize("NFKD", whole)
    plain = "".join(letter for letter in letters if not unicodedata.combining(letter))
    return plain.translate(_TABLE)
