"""Chapter 4: a convolution as a matrix."""

import numpy as np


def convolution_matrix(kernel, size, stride, pad):
    outputs = (size + 2 * pad - len(kernel)) // stride + 1
    matrix = np.zeros((outputs, size))
    for i in range(outputs):
        for k, value in enumerate(kernel):
            j = i * stride + k - pad  # the number of x below the kernel's number k
            if 0 <= j < size:
                matrix[i, j] = value
    return matrix
