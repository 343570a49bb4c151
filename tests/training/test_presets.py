"""What is chosen where the user left it open."""

import pytest

from charlm.base.errors import ConfigError
from charlm.training.config import TrainConfig
from charlm.training.presets import (
    budget_of,
    outputs,
    plan_run,
    recurrent_weights,
    step_weights,
)


def plan(config=None, *, vocab=65, tokens=1_000_000, chars=1.0, speed=4e11, device="cpu"):
    return plan_run(
        config or TrainConfig(max_time="3m"),
        vocab_size=vocab,
        train_tokens=tokens,
        chars_per_token=chars,
        operations_per_second=speed,
        device=device,
    )


def test_more_time_and_a_faster_machine_give_larger_models():
    short, long = (plan(TrainConfig(max_time=time)).model.hidden_size for time in ("20s", "10m"))
    assert short < long
    assert plan(speed=1e10).model.hidden_size < plan(speed=1e12).model.hidden_size


def test_the_chosen_model_can_read_enough_in_its_time():
    chosen = plan().model
    tokens = 180 * 4e11 / 6 / step_weights(chosen)
    assert tokens >= 2.3 * recurrent_weights(chosen)


def test_drawn_outputs_cost_less_than_all_and_leave_time_for_a_larger_model():
    drawn = TrainConfig(softmax="sampled", softmax_samples=100, max_time="180s")
    assert (outputs(drawn, 50_000), outputs(drawn, 60)) == (101, 60)
    assert outputs(TrainConfig(), 50_000) == 50_000
    form = plan(vocab=50_000).model
    width = form.embedding_dim  # of tied words
    assert step_weights(form, 101) - recurrent_weights(form) == 101 * width
    assert step_weights(form) - recurrent_weights(form) == 50_000 * width
    full = TrainConfig(max_time="180s")
    sizes = [plan(c, vocab=50_000, tokens=10**8, speed=1e12).model for c in (full, drawn)]
    assert sizes[0].hidden_size < sizes[1].hidden_size


def test_what_the_user_names_is_taken():
    named = TrainConfig(
        hidden_size=96, embedding_dim=7, dropout=0.0, learning_rate=0.1, batch_size=3, bptt=5
    )
    chosen = plan(named)
    assert (chosen.model.hidden_size, chosen.model.embedding_dim) == (96, 7)
    assert (chosen.dropouts.output, chosen.learning_rate) == (0.0, 0.1)
    assert (chosen.batch_size, chosen.bptt) == (3, 5)


def test_words_share_their_embedding_with_the_output_and_characters_do_not():
    assert plan(vocab=10_000, chars=5.0).model.tie_weights
    assert not plan(vocab=65).model.tie_weights
    assert not plan(TrainConfig(tie_weights=False), vocab=10_000).model.tie_weights


def test_more_epochs_mean_more_dropout():
    few, many = (plan(tokens=tokens).dropouts.output for tokens in (50_000_000, 500_000))
    assert few < many


def test_the_plain_preset_is_one_small_layer_and_what_the_user_names():
    chosen = plan(TrainConfig(preset="plain", hidden_size=100, max_time="1h"))
    assert (chosen.model.hidden_size, chosen.model.num_layers) == (100, 1)
    assert (chosen.dropouts.output, chosen.dropouts.input) == (0.0, 0.0)
    assert plan(TrainConfig(preset="plain")).model.hidden_size == 256


@pytest.mark.parametrize(
    ("name", "layers", "units", "tied", "weight_drop"),
    [("fast", 1, 512, False, 0.0), ("charrnn", 2, 512, False, 0.0), ("awd", 3, 1150, True, 0.5)],
)
def test_recipes_have_their_published_sizes(name, layers, units, tied, weight_drop):
    chosen = plan(TrainConfig(preset=name, max_time="3m"))
    assert (chosen.model.num_layers, chosen.model.hidden_size) == (layers, units)
    assert (chosen.model.tie_weights, chosen.dropouts.weight) == (tied, weight_drop)


def test_what_the_user_names_goes_before_a_recipe():
    named = TrainConfig(preset="awd", num_layers=1, dropout=0.0, batch_size=7, max_steps=1)
    chosen = plan(named)
    assert (chosen.model.num_layers, chosen.dropouts.output, chosen.batch_size) == (1, 0.0, 7)
    assert chosen.model.hidden_size == 1150


def test_a_recipe_takes_fewer_streams_of_a_short_text():
    assert plan(TrainConfig(preset="fast", max_steps=1), tokens=640).batch_size == 10


def test_a_short_text_gets_fewer_streams():
    assert plan(tokens=640).batch_size == 10


def test_a_run_without_a_limit_takes_a_minute():
    assert budget_of(TrainConfig()).seconds == 60.0
    assert budget_of(TrainConfig(epochs=2.0)).seconds is None


@pytest.mark.parametrize("text", ["soon", "0s", "-3m", "3 parsecs"])
def test_a_time_that_is_none_is_refused(text):
    with pytest.raises(ConfigError, match="is no duration"):
        budget_of(TrainConfig(max_time=text))


def test_a_gpu_gets_sizes_that_its_library_is_fast_with():
    for vocab, chars, bptt in ((65, 1.0, 128), (10_000, 5.0, 70)):
        for speed in (1e11, 1e13, 1e15):
            chosen = plan(vocab=vocab, chars=chars, speed=speed, device="cuda")
            sizes = {chosen.model.hidden_size % 128, chosen.model.embedding_dim % 128}
            assert (sizes, chosen.batch_size, chosen.bptt) == ({0}, 64, bptt)


def test_on_a_gpu_the_text_bounds_the_model_that_time_would_allow():
    sizes = [
        (chosen.model.num_layers, chosen.model.hidden_size)
        for chosen in (
            plan(tokens=tokens, speed=1e15, device="cuda") for tokens in (10_000, 10**6, 10**8)
        )
    ]
    assert sizes == [(1, 256), (2, 512), (2, 1024)]
    assert plan(TrainConfig(num_layers=3), speed=1e15, device="cuda").model.num_layers == 3
    assert plan(speed=1e15, device="cuda").dropouts.weight == 0.3
    assert plan(tokens=10**9, speed=1e13, device="cuda").dropouts.weight == 0.0
