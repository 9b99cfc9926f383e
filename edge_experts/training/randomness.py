"""Random numbers and operations that a resumed training repeats bit for bit."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from itertools import count
from typing import Any

import tensorflow as tf
import tf_keras
from tensorflow.python.framework import config as framework
from tensorflow.python.ops import gen_random_ops

_MOST = 2**31 - 1  # largest seed
_Key = Callable[[int | None], tf.Tensor]
_key: ContextVar[_Key | None] = ContextVar("key", default=None)  # of the step that is being traced


def reseed(seed: int, *names: str) -> None:
    """Seed Python, NumPy and TensorFlow; the names distinguish uses of the seed.

    A stage that begins with it draws the same numbers, independent of what was drawn or restored
    before.
    """
    tf_keras.utils.set_random_seed(_hashed(seed, *names))
    tf_keras.backend.reset_uids()  # later layers have the same names in each run


@contextmanager
def deterministic() -> Iterator[None]:
    """Make TensorFlow's operations deterministic in the block, bit for bit.

    The environment variable TF_DETERMINISTIC_OPS=0 disables this: for some operations a GPU has no
    deterministic kernel, and raises an UnimplementedError.
    """
    before = framework.is_op_determinism_enabled()
    if os.environ.get("TF_DETERMINISTIC_OPS") == "0" or before:
        yield
        return
    tf.config.experimental.enable_op_determinism()
    try:
        yield
    finally:
        framework.disable_op_determinism()


@contextmanager
def by_step(step: tf.Variable, seed: int | None = None) -> Iterator[None]:
    """Make random operations depend on the step's number, in a step that is traced in the block.

    TensorFlow's own operations continue from the state of their kernels, which no checkpoint can
    hold. They are replaced by stateless ones, whose key is the global seed, the index of the
    operation in the step, and `step`. This covers dropout and noise of all layers, custom ones too.

    Args:
        step: () int64, the optimizer's iterations.
        seed: replaces the global one, which is that at the time of tracing.
    """
    _install()
    passed, places = tf.cast(tf.identity(step), tf.int64), count()

    def key(now: int | None) -> tf.Tensor:
        replica = tf.distribute.get_replica_context()
        number = 0 if replica is None else replica.replica_id_in_sync_group
        base = (now or 0) if seed is None else seed
        place = tf.constant(_hashed(base, str(next(places))), tf.int64)
        return tf.stack([place + tf.cast(number, tf.int64), passed])

    token = _key.set(key)
    try:
        yield
    finally:
        _key.reset(token)


@cache
def _install() -> None:
    """Patch TensorFlow's random operations to use a key; without one they are unchanged.

    A step of several replicas is traced by threads that take turns, so the patch cannot be undone
    at the end of one of them.
    """
    random = tf.random

    def of_shape(stateless: Callable[..., tf.Tensor]) -> Callable[..., tf.Tensor]:
        return lambda key, shape, dtype: stateless(shape, key, dtype=dtype)

    def whole(key: tf.Tensor, shape: Any, low: Any, high: Any) -> tf.Tensor:
        return random.stateless_uniform(shape, key, low, high, tf.convert_to_tensor(low).dtype)

    replacements: dict[str, Callable[..., tf.Tensor]] = {
        "random_uniform": of_shape(random.stateless_uniform),
        "random_uniform_int": whole,
        "random_standard_normal": of_shape(random.stateless_normal),
        "truncated_normal": of_shape(random.stateless_truncated_normal),
        "random_shuffle": lambda key, value: random.experimental.stateless_shuffle(value, key),
    }

    def asking(
        before: Callable[..., tf.Tensor], stateless: Callable[..., tf.Tensor]
    ) -> Callable[..., tf.Tensor]:
        def operation(
            *arguments: Any, seed: int | None = 0, seed2: int | None = 0, **options: Any
        ) -> tf.Tensor:
            key = _key.get()
            if key is None:
                return before(*arguments, seed=seed, seed2=seed2, **options)
            options.pop("name", None)
            return stateless(key(seed), *arguments, **options)

        return operation

    for name, stateless in replacements.items():
        setattr(gen_random_ops, name, asking(getattr(gen_random_ops, name), stateless))


def generator_states(model: tf_keras.Model) -> list[tf.Variable]:
    """States of random generators that layers of a model own, such as that of RandomFlip."""
    generators: list[Any] = [
        getattr(getattr(layer, "_random_generator", None), "_generator", None)
        for layer in model._flatten_layers()
    ]
    return [each.state for each in generators if isinstance(each, tf.random.Generator)]


def _hashed(seed: int, *names: str) -> int:
    text = "/".join((str(seed), *names))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") & _MOST
