"""Chapter 4: one training step, by hand."""

import keras


def train_step(model, loss_function, optimizer, images, masks):
    if keras.backend.backend() == "tensorflow":
        step = step_on_tensorflow
    elif keras.backend.backend() == "jax":
        step = step_on_jax
    else:
        raise ValueError("this exercise is for TensorFlow and JAX")
    return step(model, loss_function, optimizer, images, masks)


def step_on_tensorflow(model, loss_function, optimizer, images, masks):
    import tensorflow as tf

    weights = model.trainable_variables
    with tf.GradientTape() as tape:
        probabilities = model(images, training=True)
        loss = loss_function(masks, probabilities)
    gradients = tape.gradient(loss, weights)
    optimizer.apply(gradients, weights)
    return float(loss), model


def step_on_jax(model, loss_function, optimizer, images, masks):
    import jax

    weights = [v.value for v in model.trainable_variables]
    statistics = [v.value for v in model.non_trainable_variables]
    memory = [v.value for v in optimizer.variables]

    def compute_loss(weights, statistics):
        probabilities, statistics = model.stateless_call(
            weights,
            statistics,
            images,
            training=True,
        )
        return loss_function(masks, probabilities), statistics

    loss_and_gradients = jax.value_and_grad(compute_loss, has_aux=True)
    (loss, statistics), gradients = loss_and_gradients(weights, statistics)
    weights, memory = optimizer.stateless_apply(memory, gradients, weights)
    for variables, values in (
        (model.trainable_variables, weights),
        (model.non_trainable_variables, statistics),
        (optimizer.variables, memory),
    ):
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)
    return float(loss), model
