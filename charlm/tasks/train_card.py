"""The README of a model folder, for people who find it."""

from __future__ import annotations

from typing import Any

from charlm.engine.config import LanguageModelConfig, describe


def model_card(
    name: str, model: LanguageModelConfig, tokenizer: str, training: dict[str, Any]
) -> str:
    """Return the Markdown text of a language model's card."""
    backward = training.get("direction") == "backward"
    lines = [
        f"# {name}, backward" if backward else f"# {name}",
        "",
        f"A recurrent language model ({describe(model)}, {training['parameters']:,} parameters, "
        f"{model.vocab_size:,} {tokenizer} tokens), trained with charlm"
        f"{' to read texts from their ends' if backward else ''}.",
        "",
        f"- text: {safe_text(training['description'])}, {training['tokens']:,} training tokens",
        f"- training: {training['steps']:,} steps, {training['epochs']:.3g} epochs, "
        f"{training['duration_seconds']:.0f} s on {training['device']} in {training['precision']}",
    ]
    vectors = training.get("config", {}).get("vectors")
    if vectors is not None:
        lines.append(f"- words: begun with the vectors of {safe_text(vectors)}")
    lines += held_out_lines(training)
    verb = "embed" if backward else "sample"
    lines += ["", "```console", f'$ charlm {verb} -m {name} "…"', "```", ""]
    return "\n".join(lines)


def held_out_lines(training: dict[str, Any]) -> list[str]:
    """Return a card's lines on the held-out texts."""
    parts = [(part, training[part]) for part in ("valid", "test") if training[part]]
    return [
        f"- {part}: {held['nats_per_token']:.4f} nats a token, perplexity "
        f"{held['perplexity']:.4g}, {held['bits_per_char']:.4f} bits a character over "
        f"{held['tokens']:,} tokens{_unknown(held)}"
        for part, held in parts
    ]


def _unknown(held: dict[str, Any]) -> str:
    rate = held.get("unknown_rate") or 0.0
    return f", of which {rate:.2%} are unknown" if rate >= 5e-5 else ""


def safe_text(text: str) -> str:
    """Return a text without what Markdown or a terminal would act on."""
    return "".join(char if char.isprintable() and char not in "<>`[]" else "?" for char in text)
