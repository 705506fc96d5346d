"""Chapter 4: one training step, by hand.

Why: `fit` repeats this step and nothing else. Once you have written it, you
can train what `fit` does not foresee: two networks that play against each
other, or an image instead of the weights.
"""

import keras


def train_step(model, loss_function, optimizer, images, masks):
    """Takes one training step, on TensorFlow or on JAX.

    Everything in Keras is the same on both, except for how you get the
    gradients. Complete the function of the backend that you use (TensorFlow,
    unless you have set KERAS_BACKEND). The check says which one it ran.

    Args:
        model: a `keras.Model` with batch normalisation, so it has to know
            that this is training: `training=True`.
        loss_function: (masks, probabilities) -> loss, a single number.
        optimizer: of Keras, built for this model.
        images: (B, H, W, 3) array.
        masks: (B, H, W) array of class indices.

    Returns:
        loss: the loss before the step, a number.
        model: the same model, with its new weights.
    """
    if keras.backend.backend() == "tensorflow":
        step = step_on_tensorflow
    elif keras.backend.backend() == "jax":
        step = step_on_jax
    else:
        raise ValueError("this exercise is for TensorFlow and JAX")
    return step(model, loss_function, optimizer, images, masks)


def step_on_tensorflow(model, loss_function, optimizer, images, masks):
    """TensorFlow writes down what you compute, and goes back through it.

    1. Inside `with tf.GradientTape() as tape:` compute the probabilities,
       `model(images, training=True)`, and their loss.
    2. `tape.gradient(loss, weights)` gives a gradient for each of
       `weights = model.trainable_variables`.
    3. `optimizer.apply(gradients, weights)` changes the weights.
    4. Return `float(loss), model`.
    """
    import tensorflow as tf

    raise NotImplementedError


def step_on_jax(model, loss_function, optimizer, images, masks):
    """JAX turns a function into its gradient; it must not change anything.

    So everything that changes goes in as an argument and comes out as a
    result. There are three lists: `weights`, the `v.value` of each v in
    `model.trainable_variables`; `statistics`, those of
    `model.non_trainable_variables` (of the batch normalisation); `memory`,
    those of `optimizer.variables`.

    1. Write `compute_loss(weights, statistics)`. It calls
       `model.stateless_call(weights, statistics, images, training=True)`,
       which returns the probabilities and the new statistics. It returns the
       loss and the new statistics.
    2. `jax.value_and_grad(compute_loss, has_aux=True)` is a function with
       the same arguments. It returns ((loss, statistics), gradients).
    3. `optimizer.stateless_apply(memory, gradients, weights)` returns the
       new weights and the new memory.
    4. Put all three lists back: `variable.assign(value)` for each.
    5. Return `float(loss), model`.
    """
    import jax

    raise NotImplementedError
