# Twin of regression.cpp in PyTorch, on the prices.csv that it leaves.
import csv

import torch

from linear import begin

rows = list(csv.DictReader(open("prices.csv")))
age = torch.tensor([float(row["age"] or "nan") for row in rows], dtype=torch.float64)
age = torch.where(age.isnan(), age[:800].nanmean(), age)
area, y = (torch.tensor([float(row[name]) for row in rows], dtype=torch.float64) for name in ("area", "price"))
district = torch.tensor([[row["district"] == name for name in ("centre", "north", "south")] for row in rows])
x = torch.cat([area[:, None], age[:, None], district.double()], 1)
x = (x - x[:800].mean(0)) / x[:800].std(0, unbiased=False)
y = y[:, None] / 100


def explained(net):
    begin(net).double()
    adam = torch.optim.Adam(net.parameters(), lr=0.01)
    for step in range(2000):
        adam.zero_grad()
        torch.nn.functional.mse_loss(net(x[:800]), y[:800]).backward()
        adam.step()
    return float(1 - torch.nn.functional.mse_loss(net(x[800:]), y[800:]) / y[800:].var(unbiased=False))


torch.manual_seed(1)
line = explained(torch.nn.Linear(5, 1))
network = explained(torch.nn.Sequential(torch.nn.Linear(5, 32), torch.nn.Tanh(), torch.nn.Linear(32, 1)))
print(f"variance of new prices explained\nleast squares  {line:4.2f}\nnetwork        {network:4.2f}")
