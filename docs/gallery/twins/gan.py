# Twin of gan.cpp in PyTorch.
import math

import torch
from torch.nn import Linear, ReLU, Sequential
from torch.nn.functional import binary_cross_entropy_with_logits

from linear import begin

torch.manual_seed(1)
angle = torch.arange(8) * math.pi / 4
centres = 2 * torch.stack([angle.cos(), angle.sin()], 1)


def network(inputs, outputs):
    return begin(Sequential(Linear(inputs, 128), ReLU(), Linear(128, 128), ReLU(), Linear(128, outputs)))


def judged(x, real):
    return binary_cross_entropy_with_logits(discriminator(x), torch.full((len(x), 1), float(real)))


generator, discriminator = network(8, 2), network(2, 1)
of_generator = torch.optim.Adam(generator.parameters(), lr=1e-3, betas=(0.5, 0.999))
of_discriminator = torch.optim.Adam(discriminator.parameters(), lr=1e-3, betas=(0.5, 0.999))
for step in range(1, 5001):
    real = (centres[torch.randint(8, (256,))] + 0.1 * torch.randn(256, 2)).requires_grad_()
    (slope,) = torch.autograd.grad(discriminator(real).sum(), real, create_graph=True)
    fake = generator(torch.randn(256, 8)).detach()
    of_discriminator.zero_grad()
    (judged(real, 1) + judged(fake, 0) + 0.05 * (slope**2).sum() / 256).backward()
    of_discriminator.step()
    of_generator.zero_grad()
    judged(generator(torch.randn(256, 8)), 1).backward()
    of_generator.step()
    if step % 1000 == 0:
        with torch.no_grad():
            near = torch.cdist(generator(torch.randn(2000, 8)), centres) < 0.3
        print(f"step {step:4}  {(near.sum(0) >= 20).sum()} of 8 Gaussians drawn, {near.sum() / 20:3.0f}% near one")
