# Twin of residual.cpp in PyTorch; ELK_DATA_DIR holds cifar-10, as ./elk data cifar-10 leaves it.
import glob
import gzip
import os

import numpy as np
import torch
from torch.nn import AdaptiveAvgPool2d, BatchNorm2d, Conv2d, Flatten, Linear, MaxPool2d, ReLU, Sequential

from linear import begin

torch.manual_seed(1)


def load(name):
    folder = os.path.join(os.environ.get("ELK_DATA_DIR", "data"), "cifar-10")
    files = sorted(glob.glob(os.path.join(folder, "**", name + "*"), recursive=True))
    read = [(gzip.open if file.endswith(".gz") else open)(file, "rb").read() for file in files]
    data = torch.tensor(np.frombuffer(b"".join(read), np.uint8).copy().reshape(-1, 3073))
    return data[:, 1:].reshape(-1, 3, 32, 32) / 255, data[:, 0].long()


class Block(torch.nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.body = Sequential(
            Conv2d(inputs, outputs, 3, stride, 1, bias=False), BatchNorm2d(outputs), ReLU(),
            Conv2d(outputs, outputs, 3, 1, 1, bias=False), BatchNorm2d(outputs))
        self.shortcut = Sequential()
        if inputs != outputs:
            self.shortcut = Sequential(Conv2d(inputs, outputs, 1, stride, bias=False), BatchNorm2d(outputs))

    def forward(self, x):
        return torch.relu(self.body(x) + self.shortcut(x))


def changed(x):  # mirrored, and cropped out of a margin of zeros
    x = torch.where(torch.rand(len(x), 1, 1, 1) < 0.5, x.flip(3), x)
    padded = torch.nn.functional.pad(x, (4, 4, 4, 4))
    rows, columns = (torch.randint(9, (len(x), 1)) + torch.arange(32) for _ in range(2))
    at = torch.arange(len(x))[:, None, None]
    return padded[at, :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


(x, y), (x_test, y_test) = load("data_batch_*.bin"), load("test_batch.bin")
net = begin(Sequential(
    Conv2d(3, 32, 3, padding=1, bias=False), BatchNorm2d(32), ReLU(), MaxPool2d(2), Block(32, 32, 1), Block(32, 64, 2),
    Block(64, 128, 2), AdaptiveAvgPool2d(1), Flatten(), Linear(128, 10)))
sgd = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9, nesterov=True, weight_decay=5e-4)
schedule = torch.optim.lr_scheduler.OneCycleLR(sgd, 0.1, 12 * 391, cycle_momentum=False)
for epoch in range(12):
    for rows in torch.randperm(50000).split(128):
        sgd.zero_grad()
        loss = torch.nn.functional.cross_entropy(net(4 * changed(x[rows]) - 2), y[rows])
        loss.backward()
        sgd.step()
        schedule.step()
    print(f"epoch {epoch + 1:2}  loss of the last batch {loss.item():.4f}", flush=True)
net.eval()
with torch.no_grad():
    right = sum(int((net(4 * a - 2).argmax(1) == b).sum()) for a, b in zip(x_test.split(1000), y_test.split(1000)))
print(f"test accuracy {right / 10000:.4f}")
