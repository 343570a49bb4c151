"""The Python API."""

import math

import pytest

import charlm
from charlm.tasks.plot import MAX_POINTS, thin


def test_a_loaded_model_samples_streams_and_scores(tiny):
    model = charlm.load("tiny")
    text = model.sample("the ", max_new_tokens=20, seed=1)
    assert len(text) == 20
    assert text == "".join(model.stream("the ", max_new_tokens=20, seed=1))
    assert [text] == model.samples("the ", max_new_tokens=20, seed=1)
    assert model.samples("the ", max_new_tokens=20, seed=1, num_samples=2)[0] == text
    scored = model.score("the fox")
    assert scored.log_prob == model.log_prob("the fox")
    assert math.fsum(token.log_prob for token in scored.per_token) == scored.log_prob
    assert repr(model) == "<charlm model 'tiny'>"
    assert model.folder.samefile(tiny / "checkpoints" / "tiny")


def test_a_model_opens_by_folder_and_by_default(tiny):
    assert charlm.load(tiny / "checkpoints" / "tiny").name == "tiny"
    assert charlm.load().name == "tiny"


def test_wrong_settings_are_refused(tiny):
    with pytest.raises(charlm.ConfigError, match=r"^temperature must be at least 0, got -1$"):
        charlm.load("tiny").sample("the ", temperature=-1)


def test_a_missing_model_is_refused_with_the_nearest(tiny):
    with pytest.raises(charlm.CheckpointError) as error:
        charlm.load("tinny")
    assert str(error.value).endswith("(did you mean 'tiny'?)")


def test_a_model_whose_tokenizer_does_not_fit_is_refused(tiny, save_tiny):
    other = tiny / "checkpoints" / "other"
    save_tiny(other, text="abc")
    from charlm.store.checkpoint import load_model, save_model

    stored, wrong = load_model(tiny / "checkpoints" / "tiny"), load_model(other)
    save_model(
        other,
        kind="lm",
        model_config=stored.model_config,
        tokenizer_config=wrong.tokenizer_config,
        tokenizer_files=wrong.tokenizer_files,
        tensors=stored.tensors(),
        training={},
        card="",
    )
    size = stored.model_config["vocab_size"]
    with pytest.raises(charlm.CheckpointError) as error:
        charlm.load("other")
    assert str(error.value) == (
        f"{other}: the tokenizer has 4 tokens, the model {size}; train it again"
    )


def test_curves_are_thinned_and_keep_their_end():
    points = [(float(x), float(x)) for x in range(10 * MAX_POINTS + 7)]
    kept = thin(points)
    assert len(kept) <= MAX_POINTS + 1
    assert (kept[0], kept[-1]) == (points[0], points[-1])
    assert thin(points[:5]) == points[:5]
