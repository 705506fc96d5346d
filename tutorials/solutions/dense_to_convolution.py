"""Chapter 3: a dense layer as a convolution."""


def dense_to_convolution(weights, height, width):
    inputs, outputs = weights.shape
    return weights.reshape(height, width, inputs // (height * width), outputs)
