# Twin of transformer.cpp in PyTorch.
import torch
from torch.nn import Embedding, LayerNorm, Linear, Sequential, TransformerEncoderLayer

from linear import begin

torch.manual_seed(1)
length, numbers, size = 12, 32, 64


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.tokens, self.positions = Embedding(numbers, size), Embedding(length, size)
        layers = [TransformerEncoderLayer(size, 4, 128, 0, batch_first=True, norm_first=True) for _ in range(2)]
        self.layers = Sequential(*layers, LayerNorm(size), Linear(size, numbers))

    def forward(self, x):
        return self.layers(self.tokens(x) + self.positions(torch.arange(length)))


net = begin(Net())
for layer in net.layers[:2]:
    begin(layer.self_attn.out_proj, 1)
    begin(layer.linear2, 1)
adam = torch.optim.Adam(net.parameters(), lr=1e-3)
schedule = torch.optim.lr_scheduler.OneCycleLR(adam, 1e-3, 2000, cycle_momentum=False)
for step in range(2000):
    x = torch.randint(numbers, (64, length))
    adam.zero_grad()
    torch.nn.functional.cross_entropy(net(x).flatten(0, 1), x.sort().values.flatten()).backward()
    adam.step()
    schedule.step()
x = torch.randint(numbers, (1000, length))
with torch.no_grad():
    right = (net(x).argmax(2) == x.sort().values).all(1).double().mean()
print(f"of 1000 new lists {100 * right:.1f}% are sorted without a mistake")
