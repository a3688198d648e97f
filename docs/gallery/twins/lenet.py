# Twin of lenet.cpp in PyTorch; ELK_DATA_DIR holds mnist, as ./elk data mnist leaves it.
import gzip
import os

import numpy as np
import torch
from torch.nn import Conv2d, Flatten, Linear, MaxPool2d, ReLU
from torch.nn.functional import affine_grid, grid_sample

from linear import begin

torch.manual_seed(1)


def read(name, skip):
    path = os.path.join(os.environ.get("ELK_DATA_DIR", "data"), "mnist", name)
    data = open(path, "rb").read() if os.path.exists(path) else gzip.open(path + ".gz").read()
    return torch.tensor(np.frombuffer(data, np.uint8, offset=skip).copy())


def load(part):
    x = read(part + "-images-idx3-ubyte", 16).reshape(-1, 1, 28, 28) / 255
    return x, read(part + "-labels-idx1-ubyte", 8).long()


def shifted(x):  # each image by -2 to 2 pixels along both axes, in halves of its width
    change = torch.eye(2, 3).repeat(len(x), 1, 1)
    change[:, :, 2] = (4 * torch.rand(len(x), 2) - 2) / 14
    return grid_sample(x, affine_grid(change, x.shape, align_corners=False), align_corners=False)


(x, y), (x_test, y_test) = load("train"), load("t10k")
net = begin(torch.nn.Sequential(
    Conv2d(1, 6, 5, padding=2), ReLU(), MaxPool2d(2), Conv2d(6, 16, 5), ReLU(), MaxPool2d(2), Flatten(),
    Linear(400, 120), ReLU(), Linear(120, 84), ReLU(), Linear(84, 10)))
adam = torch.optim.Adam(net.parameters(), lr=3e-3)
schedule = torch.optim.lr_scheduler.OneCycleLR(adam, 3e-3, 10 * 938, cycle_momentum=False)
for epoch in range(10):
    for rows in torch.randperm(60000).split(64):
        adam.zero_grad()
        torch.nn.functional.cross_entropy(net(shifted(x[rows])), y[rows]).backward()
        adam.step()
        schedule.step()
with torch.no_grad():
    print(f"test accuracy {(net(x_test).argmax(1) == y_test).double().mean():.4f}")
