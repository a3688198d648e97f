# elk::nn::Linear draws its weights from N(0, 2 / inputs) and begins with biases of 0; PyTorch's draws both otherwise.
import torch


def begin(net, variance=2):
    """Lets the Linear layers of `net` begin so."""
    for layer in net.modules():
        if isinstance(layer, torch.nn.Linear):
            torch.nn.init.normal_(layer.weight, std=(variance / layer.in_features) ** 0.5)
            torch.nn.init.zeros_(layer.bias)
    return net
