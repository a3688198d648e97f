# Twin of vae.cpp in PyTorch; see digits.py.
import torch
from torch.nn import Linear, ReLU, Sequential
from torch.nn.functional import binary_cross_entropy_with_logits

from digits import images
from linear import begin

torch.manual_seed(1)
train, test = images("train", 10000), images("test", 1000)
encoder = begin(Sequential(Linear(784, 256), ReLU(), Linear(256, 4)))
decoder = begin(Sequential(Linear(2, 256), ReLU(), Linear(256, 784)))


def loss(x):
    mean, log_variance = encoder(x).split(2, 1)
    z = mean + torch.exp(log_variance / 2) * torch.randn(mean.shape)
    divergence = (mean**2 + log_variance.exp() - log_variance - 1).sum() / 2
    return 784 * binary_cross_entropy_with_logits(decoder(z), x) + divergence / len(x)


adam = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=1e-3)
for epoch in range(1, 21):
    for x in train[torch.randperm(10000)].split(100):
        adam.zero_grad()
        loss(x).backward()
        adam.step()
    if epoch % 5 == 0:
        with torch.no_grad():
            print(f"epoch {epoch:2}  -ELBO of new digits {loss(test):6.2f} nats")
