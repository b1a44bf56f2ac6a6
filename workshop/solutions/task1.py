"""Task 1: the amplitude is the root of alpha_bar. It falls all the way: take the first time below 0.1."""

from ddpm_core import schedule

first = {}
for name, made in {"linear": schedule.linear(T=1000), "cosine": schedule.cosine(T=1000)}.items():
    below = made.alpha_bar.sqrt() < 0.1
    first[name] = int(below.nonzero()[0])
print(f"below a tenth from t = {first['linear']} on the linear schedule, from t = {first['cosine']} on the cosine one")
assert first["linear"] < first["cosine"] - 200, "the linear schedule drowns a picture much earlier"
