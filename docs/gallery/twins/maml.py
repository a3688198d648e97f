# Twin of maml.cpp in PyTorch.
import math

import torch

torch.manual_seed(1)


def forward(w, x):
    for i in range(0, 6, 2):
        x = x @ w[i] + w[i + 1]
        if i < 4:
            x = torch.relu(x)
    return x


def losses(w, x, y):
    return len(x) * torch.nn.functional.mse_loss(forward(w, x), y)


def adapt(w, x, y, rate=0.01):
    gradients = torch.autograd.grad(losses(w, x, y), w, create_graph=True)
    return [weight - rate * gradient for weight, gradient in zip(w, gradients)]


def make_tasks(count):
    amplitude, phase = 0.1 + 4.9 * torch.rand(count, 1, 1), math.pi * torch.rand(count, 1, 1)
    x, x_new = 10 * torch.rand(count, 10, 1) - 5, 10 * torch.rand(count, 10, 1) - 5
    return x, amplitude * torch.sin(x + phase), x_new, amplitude * torch.sin(x_new + phase)


table = []
for meta in True, False:
    weights = []
    for inputs, outputs in (1, 40), (40, 40), (40, 1):
        weights += [torch.randn(inputs, outputs) * math.sqrt(2 / inputs), torch.zeros(1, outputs)]
    weights = [w.requires_grad_() for w in weights]
    adam = torch.optim.Adam(weights, lr=1e-3)
    for step in range(10000):
        x, y, x_new, y_new = make_tasks(25)
        w = [weight.expand(25, -1, -1) for weight in weights]
        adam.zero_grad()
        (losses(adapt(w, x, y) if meta else w, x_new, y_new) / 25).backward()
        adam.step()
    x, y, x_new, y_new = make_tasks(500)
    w = [weight.detach().expand(500, -1, -1).requires_grad_() for weight in weights]
    errors = []
    for step in range(11):
        errors.append(torch.nn.functional.mse_loss(forward(w, x_new), y_new).item())
        w = [weight.detach().requires_grad_() for weight in adapt(w, x, y, 0.01 if meta else 0.001)]
    table.append(errors)
print("mean squared error on new waves\nsteps on ten points   MAML   fit to all waves")
for step in 0, 1, 2, 5, 10:
    print(f"{step:19}  {table[0][step]:5.2f}  {table[1][step]:17.2f}")
