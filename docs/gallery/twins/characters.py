# Twin of characters.cpp in PyTorch.
import math

import torch

from linear import begin

ones = ["", *"one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
        "seventeen eighteen nineteen".split()]
tens = ["", "", *"twenty thirty forty fifty sixty seventy eighty ninety".split()]


def spell(n):
    if n < 20:
        return ones[n]
    if n < 100:
        return tens[n // 10] + ("-" + ones[n % 10] if n % 10 else "")
    unit, name = (100, " hundred") if n < 1000 else (1000, " thousand")
    return ones[n // unit] + name + (" " + spell(n % unit) if n % unit else "")


torch.manual_seed(1)
alphabet = "\n -abcdefghijklmnopqrstuvwxyz"
numbers = [spell(n + 1) + "\n" for n in torch.randperm(9999)]
train, test = (torch.tensor([alphabet.index(c) for c in "".join(part)]) for part in (numbers[:9000], numbers[9000:]))


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = torch.nn.Embedding(29, 8)
        self.layers = torch.nn.Sequential(torch.nn.Linear(96, 128), torch.nn.Tanh(), torch.nn.Linear(128, 29))

    def forward(self, before):
        return self.layers(self.embedding(before).flatten(1))


net = begin(Net())
adam = torch.optim.Adam(net.parameters(), lr=3e-3)
window = torch.arange(-12, 0)
for step in range(4000):
    if step == 2000:
        adam.param_groups[0]["lr"] = 3e-4
    at = torch.randint(12, len(train), (256,))
    loss = torch.nn.functional.cross_entropy(net(train[at[:, None] + window]), train[at])
    adam.zero_grad()
    loss.backward()
    adam.step()
at = torch.arange(12, len(test))
with torch.no_grad():
    loss = torch.nn.functional.cross_entropy(net(test[at[:, None] + window]), test[at])
print(f"perplexity of a character  {math.exp(loss):.3f} on new numbers")
