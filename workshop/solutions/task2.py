"""Task 2: the sum of the betas decides where a chain ends. A fifth of the steps needs five times the betas."""

from ddpm_core import schedule

long = schedule.linear(T=1000)
short = schedule.linear(T=200, beta_1=5e-4, beta_T=0.1)
as_it_is = schedule.linear(T=200)
ends = [made.alpha_bar[-1].log().item() for made in (long, short, as_it_is)]
print("log alpha_bar_T: {:.2f} long, {:.2f} with five times the betas, {:.2f} with the betas as they are".format(*ends))
assert ends[1] < ends[0] < ends[2] / 4, "five times the betas end a little later than the long chain"
assert abs(ends[1] - ends[0]) < 0.5, "the betas' squares are all that is left between the two"
