"""The check of `train_step`: against `train_on_batch` of Keras, on the backend in use."""

import keras
import numpy as np
from keras import layers

BACKEND = {"tensorflow": "TensorFlow", "jax": "JAX", "torch": "PyTorch"}[keras.backend.backend()]


def make(normalise, optimizer):
    """A small model with known weights and its optimizer, and a batch of two images."""
    rng = np.random.default_rng(0)
    inputs = x = keras.Input((4, 5, 3), name="image")
    if normalise:
        x = layers.Conv2D(4, 3, padding="same", use_bias=False, name="conv")(x)
        x = layers.BatchNormalization(name="norm")(x)
        x = layers.ReLU(name="relu")(x)
    outputs = layers.Conv2D(3, 1, activation="softmax", name="probabilities")(x)
    model = keras.Model(inputs, outputs)
    for weight in model.trainable_weights:
        weight.assign(rng.normal(size=weight.shape))
    loss_function = keras.losses.SparseCategoricalCrossentropy()
    model.compile(optimizer, loss_function, run_eagerly=True)
    optimizer.build(model.trainable_variables)
    images = rng.normal(size=(2, 4, 5, 3)).astype("float32")
    masks = rng.integers(0, 3, (2, 4, 5)).astype("int32")
    return model, loss_function, optimizer, images, masks


def view(answer):
    """The loss, and every number that a step changes, each under its name."""
    if isinstance(answer, dict):  # already seen
        return answer
    try:
        loss, model = answer
        found = {"the loss": float(loss)}
        found |= {w.path: keras.ops.convert_to_numpy(w) for w in model.weights}
    except (TypeError, ValueError, AttributeError):
        raise ValueError("expected the loss and the model") from None
    memory = [v for v in model.optimizer.variables if len(v.shape)]
    return found | {f"the optimizer's {v.name}": keras.ops.convert_to_numpy(v) for v in memory}


def expected(model, loss_function, optimizer, images, masks):
    return model.train_on_batch(images, masks), model


def step(model, loss_function, images, masks, sign=1, training=True):
    """A step as the mistakes take it: Keras' own, with something changed."""
    optimizer = model.optimizer
    rate = float(optimizer.learning_rate)
    norms = [] if training else [x for x in model.layers if "norm" in x.name]
    for norm in norms:  # its mean and variance as they are, instead of those of the batch
        call = norm.call
        norm.call = lambda x, training=None, mask=None, call=call: call(x, training=False)
    optimizer.learning_rate = sign * rate
    loss = model.train_on_batch(images, masks)
    optimizer.learning_rate = rate
    return loss


def uphill(model, loss_function, optimizer, images, masks):
    return step(model, loss_function, images, masks, sign=-1), model


def not_training(model, loss_function, optimizer, images, masks):
    return step(model, loss_function, images, masks, training=False), model


def not_applied(model, loss_function, optimizer, images, masks):
    return float(loss_function(masks, model(images, training=True))), model


def loss_afterwards(model, loss_function, optimizer, images, masks):
    step(model, loss_function, images, masks)
    return float(loss_function(masks, model(images, training=False))), model


def statistics_forgotten(model, loss_function, optimizer, images, masks):
    before = values(model.non_trainable_variables)
    loss = step(model, loss_function, images, masks)
    restore(model.non_trainable_variables, before)
    return loss, model


def memory_forgotten(model, loss_function, optimizer, images, masks):
    before = values(optimizer.variables)
    loss = step(model, loss_function, images, masks)
    restore(optimizer.variables, before)
    return loss, model


def own_rule(model, loss_function, optimizer, images, masks):
    """Weight minus learning rate times gradient: what SGD does and Adam does not."""
    before = values(optimizer.variables)
    sgd = keras.optimizers.SGD(float(optimizer.learning_rate))
    model.compile(sgd, loss_function, run_eagerly=True)
    loss = step(model, loss_function, images, masks)
    model.compile(optimizer, loss_function, run_eagerly=True)
    restore(optimizer.variables, before)
    return loss, model


def values(variables):
    return [keras.ops.convert_to_numpy(v) for v in variables]


def restore(variables, before):
    for variable, value in zip(variables, before, strict=True):
        variable.assign(value)


CASES = [
    (
        f"one 1 x 1 convolution and SGD, on {BACKEND}",
        lambda: make(normalise=False, optimizer=keras.optimizers.SGD(0.5)),
        "Print the loss and the gradients: there is one gradient for each weight, of its shape. "
        "(No gradients with TensorFlow? The model and the loss have to run inside the `with`.) "
        "The optimizer needs both lists in the same order.",
    ),
    (
        f"with batch normalisation and Adam, on {BACKEND}",
        lambda: make(normalise=True, optimizer=keras.optimizers.Adam(0.1)),
        "Three kinds of numbers change in a step: the weights, the running mean and variance of "
        "the batch normalisation, and the optimizer's memory. The name says which one differs.",
    ),
]
MISTAKES = [
    (
        not_applied,
        "The weights are the old ones. On TensorFlow, `optimizer.apply` changes them. On JAX the "
        "new ones are only a list so far: `assign` them.",
    ),
    (
        uphill,
        "Uphill: the weights move with the gradient, so the loss grows. The optimizer subtracts "
        "by itself; give it the gradient as it is.",
    ),
    (
        loss_afterwards,
        "The weights are right. The loss is that of the new weights; we asked for the one whose "
        "gradient you took.",
    ),
    (
        not_training,
        "The model did not know that it is being trained: it normalised with the running mean and "
        "variance, instead of those of the batch. Say `training=True`.",
    ),
    (
        statistics_forgotten,
        "The running mean and variance of the batch normalisation did not change. On JAX, "
        "`stateless_call` returns them: pass them on, and assign them at the end.",
    ),
    (
        own_rule,
        "Weight minus learning rate times gradient is the rule of SGD. Adam has another one, so "
        "leave it to the optimizer: `apply`, or `stateless_apply` on JAX.",
    ),
    (
        memory_forgotten,
        "The weights are right, but the optimizer has forgotten the step: its momentum is as "
        "before. On JAX, `stateless_apply` also returns its new variables. Assign them.",
    ),
]
READ = "The network"
GOOD_FOR = (
    f"You have written what `fit` repeats for every batch, on {BACKEND}; the how-to page on "
    "attacks takes the same gradient with respect to the image instead of the weights."
)
