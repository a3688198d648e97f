# Twin of denoising.cpp in PyTorch; see digits.py.
import torch
from torch.nn.functional import binary_cross_entropy_with_logits, mse_loss

from digits import images
from linear import begin

torch.manual_seed(1)
train, clean = images("train", 10000), images("test", 1000)


class Autoencoder(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.encode = begin(torch.nn.Linear(784, 128))
        self.bias = torch.nn.Parameter(torch.zeros(784))

    def forward(self, x):
        return torch.sigmoid(self.encode(x)) @ self.encode.weight + self.bias


def spoil(x):
    return x * (torch.rand(x.shape) < 0.5)


net = Autoencoder()
adam = torch.optim.Adam(net.parameters(), lr=1e-3)
noisy = spoil(clean)
for epoch in range(1, 21):
    for x in train[torch.randperm(10000)].split(50):
        loss = binary_cross_entropy_with_logits(net(spoil(x)), x)
        adam.zero_grad()
        loss.backward()
        adam.step()
    if epoch % 5 == 0:
        with torch.no_grad():
            after = mse_loss(torch.sigmoid(net(noisy)), clean)
        print(f"epoch {epoch:2}  mean squared error {mse_loss(noisy, clean):.4f} as they come, {after:.4f} denoised")
