# Twin of lstm.cpp in PyTorch.
import random

import torch

from linear import begin

random.seed(1)
torch.manual_seed(1)
letters, longest = "BTPSXVE ", 60
states = [("TP", (1, 2)), ("SX", (1, 3)), ("TV", (2, 4)), ("XS", (2, 5)), ("PV", (3, 5))]


def reber():
    word, state = "B", 0
    while state < 5:
        which = random.randrange(2)
        word += states[state][0][which]
        state = states[state][1][which]
    return word + "E"


def embedded():
    inner, kind = "".join(reber() for _ in range(5)), random.choice("TP")
    return embedded() if len(inner) + 4 > longest else "B" + kind + inner + kind + "E"


def ids(words):
    return torch.tensor([[letters.index(c) for c in word.ljust(longest)] for word in words])


def learn(recurrent):
    out = begin(torch.nn.Linear(32, 8))
    adam = torch.optim.Adam([*recurrent.parameters(), *out.parameters()], lr=5e-3)

    def logits(words):
        return out(recurrent(torch.nn.functional.one_hot(words[:, :-1], 8).float())[0])

    for step in range(1500):
        if step == 750:
            adam.param_groups[0]["lr"] = 1e-3
        words = ids([embedded() for _ in range(64)])
        adam.zero_grad()
        torch.nn.functional.cross_entropy(logits(words).flatten(0, 1), words[:, 1:].flatten()).backward()
        adam.step()
    words = [embedded() for _ in range(1000)]
    with torch.no_grad():
        found = logits(ids(words))
    return sum(bool(z[len(w) - 3, 1] > z[len(w) - 3, 2]) == (w[1] == "T") for z, w in zip(found, words)) / 1000


print("last but one letter predicted (a guess: 50%)")
for kind in torch.nn.RNN, torch.nn.LSTM:
    print(f"{kind.__name__:4}  {100 * learn(kind(8, 32, batch_first=True)):5.1f}%")
