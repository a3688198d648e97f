# Twin of xor.cpp in PyTorch, from the same weights: elk::Rng is NumPy's RandomState.
import numpy as np
import torch

x = torch.tensor([[0.0, 0], [0, 1], [1, 0], [1, 1]])
y = torch.tensor([[0.0], [1], [1], [0]])
draws = np.random.RandomState(2)
net = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Sigmoid(), torch.nn.Linear(2, 1), torch.nn.Sigmoid())
for layer in net[0], net[2]:
    layer.weight.data = torch.tensor(draws.randn(2, layer.out_features).T, dtype=torch.float32)  # times sqrt(2 / 2)
    layer.bias.data.zero_()
sgd = torch.optim.SGD(net.parameters(), lr=0.5, momentum=0.9)
for epoch in range(2001):
    loss = torch.nn.functional.mse_loss(net(x), y)
    if epoch % 400 == 0:
        print(f"epoch {epoch:4}  mean squared error {loss.item():.5f}")
    sgd.zero_grad()
    loss.backward()
    sgd.step()
