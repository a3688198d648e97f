#!/usr/bin/python3
"""Writes throws.csv: how far a ball flies, by its speed and angle. Simulated with the drag of the air on a ball of 150 g,
7 cm across; the distances are measured to about 1%.

    docs/data/throws.py > docs/data/throws.csv
"""
import math
import random

draw = random.Random(1)
print("speed,angle,distance")
for _ in range(80):
    speed, angle = draw.uniform(5, 45), draw.uniform(10, 80)
    vx, vy = speed * math.cos(math.radians(angle)), speed * math.sin(math.radians(angle))
    x, y, step = 0.0, 0.0, 1e-3
    while y >= 0:
        drag = 0.5 * 1.2 * 0.47 * math.pi * 0.035**2 / 0.15 * math.hypot(vx, vy)
        vx, vy = vx - step * drag * vx, vy - step * (drag * vy + 9.81)
        x, y = x + step * vx, y + step * vy
    print(f"{speed:.1f},{angle:.1f},{x * draw.gauss(1, 0.01):.1f}")
