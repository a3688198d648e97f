# Twin of dqn.cpp in PyTorch.
import copy
import math
import random

import torch
from torch.nn import Linear, Sequential, Tanh

from linear import begin

random.seed(1)
torch.manual_seed(1)


def push(s, right):
    force, sine, cosine = 10 if right else -10, math.sin(s[2]), math.cos(s[2])
    a = (force + 0.05 * s[3] ** 2 * sine) / 1.1
    angular = (9.8 * sine - cosine * a) / (0.5 * (4 / 3 - 0.1 * cosine**2 / 1.1))
    linear = a - 0.05 * angular * cosine / 1.1
    return [s[0] + 0.02 * s[1], s[1] + 0.02 * linear, s[2] + 0.02 * s[3], s[3] + 0.02 * angular]


q = begin(Sequential(Linear(4, 64), Tanh(), Linear(64, 64), Tanh(), Linear(64, 2)))
target = copy.deepcopy(q)
adam = torch.optim.Adam(q.parameters(), lr=1e-3)
memory, steps, lengths = [], 0, []
while len(lengths) < 400 and (len(lengths) < 20 or sum(lengths[-20:]) / 20 < 475):
    s, length, end = [random.uniform(-0.05, 0.05) for _ in range(4)], 0, False
    while not end and length < 500:
        if random.random() < max(0.02, 1 - steps / 3000):
            action = random.randrange(2)
        else:
            with torch.no_grad():
                action = int(q(torch.tensor(s)).argmax())
        after = push(s, action)
        end = abs(after[0]) > 2.4 or abs(after[2]) > 0.2095
        if len(memory) < 20000:
            memory.append(None)
        memory[steps % 20000] = (s, action, after, float(not end))
        s, length, steps = after, length + 1, steps + 1
        if len(memory) < 500:
            continue
        before, actions, afters, going_on = map(torch.tensor, zip(*random.choices(memory, k=128)))
        with torch.no_grad():
            worth = 1 + 0.99 * going_on * target(afters).max(1).values
        loss = torch.nn.functional.huber_loss(q(before).gather(1, actions[:, None])[:, 0], worth)
        adam.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(q.parameters(), 10)
        adam.step()
        if steps % 300 == 0:
            target.load_state_dict(q.state_dict())
    lengths.append(length)
for end in range(20, len(lengths) + 1, 20):
    print(f"episodes {end - 19:3} to {end:3}  {sum(lengths[end - 20:end]) / 20:5.1f} steps")
print(f"after {len(lengths)} episodes, the last 20: {sum(lengths[-20:]) / 20:.1f} steps")
