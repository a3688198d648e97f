# Twin of perceptron.cpp in PyTorch, from the same weights: elk::Rng is NumPy's RandomState.
import numpy as np
import torch

x = torch.tensor([[0.0, 0], [0, 1], [1, 0], [1, 1]])
for name, y in ("AND", [-1.0, -1, -1, 1]), ("OR", [-1.0, 1, 1, 1]), ("XOR", [-1.0, 1, 1, -1]):
    y = torch.tensor(y)[:, None]
    unit = torch.nn.Linear(2, 1)
    unit.weight.data = torch.tensor(np.random.RandomState(1).randn(2, 1).T, dtype=torch.float32)
    unit.bias.data.zero_()
    rule = torch.optim.SGD(unit.parameters(), lr=1)
    epoch = correct = 0
    while correct < 4 and epoch < 1000:
        epoch += 1
        for i in range(4):
            rule.zero_grad()
            score = y[i] * unit(x[i])
            torch.where(score <= 0, -score, torch.zeros(())).sum().backward()
            rule.step()
        correct = int((y * unit(x) > 0).sum())
    print(f"{name:3}  {correct} of 4 right after {epoch} epochs")
