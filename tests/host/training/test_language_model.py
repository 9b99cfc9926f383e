"""Language models: routing, batches, a training that learns and goes on where it was ended."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_experts import datasets
from edge_experts.errors import UsageError

SMALL: dict[str, Any] = {
    "experts": 4,
    "top_k": 2,
    "batch_size": 256,
    "learning_rate": 0.01,
    "language_model": {
        "units": 16,
        "layers": 2,
        "heads": 2,
        "key_heads": 1,
        "inner": 8,
        "context": 16,
        "pieces": 300,
    },
}


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sentences of which each word determines the next one."""
    path = tmp_path_factory.mktemp("text") / "chain.txt"
    words = ["red", "cat", "runs", "past", "old", "trees", "and", "small", "dogs", "bark"]
    draw = np.random.default_rng(0)
    starts = draw.integers(0, len(words), 150)
    lines = [" ".join(words[(start + n) % len(words)] for n in range(60)) for start in starts]
    path.write_text("\n\n".join(f"{line} {n}" for n, line in enumerate(lines)))
    return path


def _config(**settings: Any) -> Any:
    from edge_experts.training import config_for

    return config_for("document", **{**SMALL, **settings})


def _model(**settings: Any) -> Any:
    from edge_experts.training.language_model.language_network import LanguageModel
    from edge_experts.training.language_model.language_trainer import size_of
    from edge_experts.training.randomness import reseed

    reseed(0, "network")
    return LanguageModel(size_of(_config(**settings), 300))


@pytest.mark.parametrize("top_k", [1, 2])
def test_each_token_gets_the_weighted_output_of_its_experts(keras: Any, top_k: int) -> None:
    from edge_experts.training.language_model.expert_layer import mixed, route

    model = _model(top_k=top_k)
    x = np.random.default_rng(0).normal(size=(50, 16)).astype(np.float32)
    routing = route(model.routers[0], x, top_k, "sigmoid")
    experts = model.of_layer(0)
    wanted = np.zeros_like(x)
    for row, picks in enumerate(routing.picks.numpy()):
        for place, pick in enumerate(picks):
            wanted[row] += routing.weights[row, place] * experts[pick](x[row : row + 1])[0]
    assert np.allclose(mixed(routing, experts, x), wanted, atol=1e-6)
    sums = routing.weights.numpy().sum(axis=1)
    assert np.allclose(sums, 1) if top_k > 1 else (sums < 1).all()


def test_biases_change_the_choice_and_not_the_weights(keras: Any) -> None:
    from edge_experts.training.language_model.expert_layer import route

    router = _model().routers[0]
    x = np.random.default_rng(0).normal(size=(50, 16)).astype(np.float32)
    router.bias.assign([0, 0, 0, 10])
    routing = route(router, x, 2, "sigmoid")
    assert (routing.picks.numpy()[:, 0] == 3).all()
    scores = 1 / (1 + np.exp(-routing.logits.numpy()))
    chosen = np.take_along_axis(scores, routing.picks.numpy(), axis=1)
    assert np.allclose(routing.weights, chosen / chosen.sum(axis=1, keepdims=True), atol=1e-6)


@pytest.mark.parametrize("top_k", [1, 2])
def test_routers_learn_by_gradients(keras: Any, top_k: int) -> None:
    import tensorflow as tf

    model = _model(top_k=top_k)
    tokens = np.random.default_rng(0).integers(0, 300, (2, 8))
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.square(model(tokens)))
    kernels = [router.kernel for router in model.routers]
    assert all(np.abs(one.numpy()).max() > 0 for one in tape.gradient(loss, kernels))


def test_a_token_does_not_see_later_ones(keras: Any) -> None:
    model = _model()
    tokens = np.random.default_rng(0).integers(0, 300, (1, 12))
    other = tokens.copy()
    other[0, 8:] = 7
    assert np.allclose(model(tokens)[0, :8], model(other)[0, :8], atol=1e-6)


def test_rows_of_the_embedding_enter_normalized(keras: Any) -> None:
    from edge_experts.converters.language_model.file_networks import networks

    from edge_experts.runtime.tasks.language_model.network_settings import EMBEDDING

    model, tokens = _model(), np.arange(300)
    table = model.embedding.numpy()
    wanted = table / np.sqrt(np.square(table).mean(axis=1, keepdims=True) + 1e-6)
    assert np.allclose(model.embedded(tokens), wanted, atol=1e-5)
    assert np.allclose(networks(model)[EMBEDDING].get_weights()[0], wanted, atol=1e-5)
    hidden = model.hidden(tokens[None, :12])[0]
    model.embedding.assign(10 * table)
    assert np.allclose(model.hidden(tokens[None, :12])[0], hidden, atol=0.02)


def test_networks_of_earlier_versions_take_the_rows_as_they_are(keras: Any) -> None:
    from edge_experts.converters.language_model.file_networks import networks

    from edge_experts.runtime.tasks.language_model.network_settings import EMBEDDING
    from edge_experts.training.language_model.language_network import LanguageModel

    config = _model().get_config()
    for later in ("normalized", "factor"):
        del config["size"][later]
    model = LanguageModel(config["size"])
    table = model.embedding.numpy()
    assert (model.embedded(np.arange(300)).numpy() == table).all()
    assert (networks(model)[EMBEDDING].get_weights()[0] == table).all()
    same = _model()
    same.set_weights(model.get_weights())
    rows = np.random.default_rng(0).normal(size=(3, 16)).astype(np.float32)
    assert np.allclose(same.experts[0](rows), 2 * model.experts[0](rows))


def test_dense_baselines_have_the_active_and_the_total_size(keras: Any) -> None:
    counts = {}
    for dense in (None, "active", "all"):
        model = _model(dense=dense)
        counts[dense] = sum(one.count_params() for one in model.experts)
        assert bool(model.routers) == (dense is None)
    assert counts["all"] == counts[None] == 2 * counts["active"]


def test_every_target_of_an_epoch_is_one_token_of_the_text() -> None:
    from edge_experts.training.language_model.token_batches import epoch, steps_of, windows

    tokens = np.arange(1000, dtype=np.int32)
    batches = list(epoch(tokens, 16, 4, (0, 0)))
    assert len(batches) == steps_of(len(tokens), 16, 4)
    targets = np.concatenate([batch[:, 1:].ravel() for batch in batches])
    assert len(set(targets.tolist())) == len(targets) > 900
    assert all((np.diff(row) == 1).all() for batch in batches for row in batch)
    again = list(epoch(tokens, 16, 4, (0, 1)))
    assert not np.array_equal(batches[0], again[0])
    found = [int(one) for window in windows(range(100), 16) for one in window[1:]]
    assert found == list(range(1, 100))


def test_it_learns_and_leaves_a_run(keras: Any, text: Path, tmp_path: Path) -> None:
    from edge_experts.training import train

    run = train(datasets.load(str(text)), tmp_path / "a.run", _config(epochs=12))
    metrics = run.metrics
    assert metrics["test_perplexity"] < 6 < 300 / 3, "a word determines the next one"
    assert metrics["test_loss"] == pytest.approx(np.log(metrics["test_perplexity"]))
    assert run.task_type == "language-model"
    assert len(metrics["routing"]) == 2
    for layer in metrics["routing"]:
        assert sum(layer["usage"]) == pytest.approx(1, abs=1e-3)
        assert layer["entropy"] > 0.5
    model = keras.models.load_model(tmp_path / "a.run" / "model.keras", compile=False)
    assert len(model.experts) == 8
    assert not list(tmp_path.glob("*.checkpoints"))


def test_an_ended_training_goes_on_with_the_same_result(
    keras: Any, text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edge_experts.training import checkpoints, train
    from edge_experts.training.language_model import language_learner

    data = datasets.load(str(text))
    run = train(data, tmp_path / "whole.run", _config(epochs=2))
    steps = run.metrics["training_tokens"] // 2 // SMALL["batch_size"]
    # Snapshots after every step, and an end within the second epoch.
    monkeypatch.setattr(checkpoints.EpochClock, "is_due", lambda clock, step: True)
    original, left = language_learner.LanguageLearner.step, iter(range(steps + 3, -1, -1))

    def step(self: Any, *arguments: Any) -> float:
        if next(left, None) == 0:
            raise KeyboardInterrupt
        return original(self, *arguments)

    monkeypatch.setattr(language_learner.LanguageLearner, "step", step)
    with pytest.raises(KeyboardInterrupt):
        train(data, tmp_path / "ended.run", _config(epochs=2))
    train(data, tmp_path / "ended.run", _config(epochs=2))
    first, second = (
        keras.models.load_model(tmp_path / name / "model.keras", compile=False).get_weights()
        for name in ("whole.run", "ended.run")
    )
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"combine": "sum"}, "do not support this setting: combine"),
        ({"select": "greedy"}, "do not support this setting: select"),
        ({"top_k": 5}, r"top_k must be at most 4 \(experts\)"),
        ({"language_model": {"units": 0}}, r"language_model\.units must be at least 1"),
        ({"language_model": {"units": 2.5}}, r"language_model\.units must be of type int"),
        ({"language_model": {"unit": 2}}, "language_model has no setting unit"),
        ({"language_model": {"gate": "tanh"}}, "gate must be one of"),
        ({"language_model": {"heads": 3}}, "units must be a multiple of twice the heads"),
    ],
)
def test_odd_settings_are_refused(keras: Any, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        _model(**settings)


def test_pairs_of_tokens_reuse_experts(keras: Any) -> None:
    from edge_experts.features.byte_pairs import BytePairFeatures, lexicon_of
    from edge_experts.training.language_model.routing_findings import findings

    model = _model()
    made = findings(model, ["abcd"], BytePairFeatures(lexicon_of(["zz"])))
    tokens = np.array([[0, *(1 + ord(one) for one in "abcd")]])
    _, routings = model.hidden(tokens)
    for layer, routing in zip(made, routings, strict=True):
        picks = routing.picks.numpy().tolist()
        shared = [len(set(a) & set(b)) / 2 for a, b in pairwise(picks)]
        assert layer.reuse == pytest.approx(np.mean(shared), abs=1e-4)


def test_characteristic_tokens_are_those_an_expert_gets_more_often() -> None:
    from edge_experts.features.byte_pairs import BytePairFeatures, lexicon_of
    from edge_experts.training.language_model.routing_findings import _of_layer

    counts = np.full((3, 300), 5)
    counts[1, 1 + ord("a")], counts[0, 1 + ord("\n")], counts[2, 0] = 90, 40, 2
    found = _of_layer(counts, 0.5, BytePairFeatures(lexicon_of(["zz"])))
    assert found.tokens[1][0] == "a"
    assert found.tokens[0][0] == "⏎"
    assert "end of text" not in found.tokens[2]
    assert sum(found.usage) == pytest.approx(1, abs=1e-3)
    assert 0.99 < found.entropy < 1


def test_a_vocabulary_too_small_for_the_text_is_refused(keras: Any) -> None:
    from edge_experts.errors import DataError
    from edge_experts.training.language_model.byte_pair_vocabulary import learn

    with pytest.raises(DataError, match="pieces 260 is too small for the characters"):
        learn(["a b c d e f g h i j k l m n o p"] * 20, 260)
    with pytest.raises(DataError, match="pieces must be above 257"):
        learn(["a"], 257)


def test_texts_of_different_lengths_are_not_taken_for_equal_ones() -> None:
    """One short text must not make every new text look like a trained one."""
    from edge_experts.datasets.documents.splits import of_documents
    from edge_experts.datasets.row_hashes import trained_rows
    from edge_experts.features.byte_pairs import BytePairFeatures, lexicon_of

    draw = np.random.default_rng(0)
    texts = ["a", *("".join(draw.choice(list("abcd"), 40)) for _ in range(40))]
    documents = [(str(place), text, 0) for place, text in enumerate(texts)]
    rows = trained_rows(
        BytePairFeatures(lexicon_of(["zz"])), of_documents("x", ("a",), documents, "made up")
    )
    assert rows.chance < 1e-6


def test_a_training_in_bfloat16_leaves_a_float32_model(
    keras: Any, text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edge_experts.training.language_model import language_trainer

    losses = {}
    for precision in ("float32", "bfloat16"):
        monkeypatch.setattr(language_trainer, "fast_precision", lambda one=precision: one)
        out = tmp_path / precision
        dataset = datasets.load(str(text), 0, "language-model")
        run = language_trainer.train(dataset, out, _config(epochs=2), force=False)
        assert run.metrics["precision"] == precision
        losses[precision] = run.metrics["validation_loss"]
        model = keras.models.load_model(out / "model.keras", compile=False)
        assert model.compute_dtype == "float32"
        assert {weight.dtype.name for weight in model.weights} == {"float32"}
        assert model(np.array([[1, 2]])).dtype.name == "float32"
    assert keras.mixed_precision.global_policy().name == "float32"
    assert losses["bfloat16"] == pytest.approx(losses["float32"], abs=0.1)
