"""Chapter 3: from strides to dilations."""


def dilations_for_strides(strides):
    dilations = []
    dilation = 1
    for stride in strides:
        dilations.append(dilation)
        dilation *= stride
    return dilations
