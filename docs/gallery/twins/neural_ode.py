# Twin of neural_ode.cpp in PyTorch.
import torch
from torch.nn import Linear, Sequential, Tanh

from linear import begin

torch.manual_seed(1)
h = 0.025


def solve(f, x, count):
    path = [x]
    for _ in range(count):
        k1 = f(x)
        k2 = f(x + h / 2 * k1)
        k3 = f(x + h / 2 * k2)
        k4 = f(x + h * k3)
        x = x + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        path.append(x)
    return torch.stack(path)


net = begin(Sequential(Linear(2, 50), Tanh(), Linear(50, 2)))
adam = torch.optim.Adam(net.parameters(), lr=1e-2)
schedule = torch.optim.lr_scheduler.CosineAnnealingLR(adam, 1500)
a, start = torch.tensor([[-0.1, -2], [2, -0.1]]), torch.tensor([[2.0, 0]])
spiral = solve(lambda x: x**3 @ a.T, start, 1000)[:, 0]
for step in range(1, 1501):
    first = torch.randint(981, (32,))
    wanted = spiral[first + torch.arange(21)[:, None]]
    loss = (solve(lambda x: net(x**3), wanted[0], 20) - wanted).abs().mean()
    adam.zero_grad()
    loss.backward()
    adam.step()
    schedule.step()
    if step % 300 == 0:
        with torch.no_grad():
            error = (solve(lambda x: net(x**3), start, 1000)[:, 0] - spiral).abs().mean()
        print(f"step {step:4}  mean error along the spiral {error:.3f}")
