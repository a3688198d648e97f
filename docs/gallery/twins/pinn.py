# Twin of pinn.cpp in PyTorch.
import math

import torch
from torch.nn import Linear, Sequential, Tanh
from torch.nn.functional import mse_loss

from linear import begin

torch.manual_seed(1)
net = begin(Sequential(Linear(2, 32), Tanh(), Linear(32, 32), Tanh(), Linear(32, 1)))
adam = torch.optim.Adam(net.parameters(), lr=3e-3)


def u(x, t):
    return net(torch.cat([x, t], 1))


def solution(x, t):
    return torch.exp(-0.1 * math.pi**2 * t) * torch.sin(math.pi * x)


x_test, t_test = torch.rand(1000, 1), torch.rand(1000, 1)
for step in range(1, 3001):
    if step == 1500:
        adam.param_groups[0]["lr"] = 3e-4
    x, t = torch.rand(128, 1, requires_grad=True), torch.rand(128, 1, requires_grad=True)
    none, end = torch.zeros(128, 1), (torch.rand(128, 1) < 0.5).float()
    u_x, u_t = torch.autograd.grad(u(x, t).sum(), (x, t), create_graph=True)
    (u_xx,) = torch.autograd.grad(u_x.sum(), x, create_graph=True)
    loss = mse_loss(u_t, 0.1 * u_xx) + mse_loss(u(x, none), solution(x, none)) + mse_loss(u(end, t), none)
    adam.zero_grad()
    loss.backward()
    adam.step()
    if step % 600 == 0:
        with torch.no_grad():
            wanted = solution(x_test, t_test)
            error = (mse_loss(u(x_test, t_test), wanted) / (wanted**2).mean()).sqrt()
        print(f"step {step:4}  loss {loss:.1e}  relative error {error:.4f}")
