"""Wrong answers that a student may hand in: each must cost its own task, and no other.

`WRONG[task][what is wrong]` is the source of an answer cell. These are thought of by people;
`sealed check` makes others from the right answers, by spoiling what they return.
"""

WRONG: dict[str, dict[str, str]] = {}

# --- Task 1 ------------------------------------------------------------------------------------
_running = """
def still_running(initial, transition, n_steps):
    A = np.asarray(transition, dtype=float)
    p, joint = np.asarray(initial, dtype=float), []
    for t in range(n_steps):
        joint.append(p)
        p = {step}
    joint = np.array(joint)
    running = joint.sum(axis=1)
    with np.errstate(all="ignore"):
        states = np.where(running[:, None] > 0, joint / running[:, None], {dead})
    return {result}
"""


def _still_running(step="A.T @ p", dead="0.0", result="running, states"):
    return _running.format(step=step, dead=dead, result=result)


WRONG["still-running"] = {
    "transition not transposed": _still_running(step="A @ p"),
    "states not conditioned": _still_running(result="running, joint"),
    "rows of A normalised": _still_running(step="(A / A.sum(axis=1, keepdims=True)).T @ p"),
    "states from normalised rows": """
def still_running(initial, transition, n_steps):
    moves = [np.linalg.matrix_power(transition, t) for t in range(n_steps)]
    running = np.array([initial @ move for move in moves]).sum(axis=1)
    rows = transition.sum(axis=1, keepdims=True)
    kept = np.divide(transition, rows, out=np.zeros(transition.shape), where=rows > 0)
    states = np.array([initial @ np.linalg.matrix_power(kept, t) for t in range(n_steps)])
    return running, states
""",
    "one step late": _still_running().replace("= np.asarray(initial", "= A.T @ np.asarray(initial"),
    "NaN after the end": _still_running(dead="np.nan"),
    "uniform after the end": _still_running(dead="1 / len(p)"),
    "p(L = t) for p(L >= t)": _still_running(result="running - [*running[1:], p.sum()], states"),
    "p(L > t) for p(L >= t)": _still_running(result="np.array([*running[1:], p.sum()]), states"),
    "states transposed": _still_running(result="running, states.T"),
    "one step too many": _still_running().replace("range(n_steps)", "range(n_steps + 1)"),
    "works in place": """
def still_running(initial, transition, n_steps):
    joint = np.empty((n_steps, len(initial)))
    for t in range(n_steps):
        joint[t] = initial
        initial[:] = transition.T @ initial
    running = joint.sum(axis=1)
    states = np.zeros_like(joint)
    states[running > 0] = joint[running > 0] / running[running > 0, None]
    return running, states
""",
    "the library's marginals": """
def still_running(initial, transition, n_steps):
    import latent

    states = latent.state_marginals(np.asarray(initial, dtype=float), transition, n_steps)
    return np.ones(n_steps), states
""",
    "the library's marginals with an absorbing exit": """
def still_running(initial, transition, n_steps):
    import latent

    n = len(initial)
    absorbing = np.eye(n + 1)
    absorbing[:n, :n] = transition
    absorbing[:n, n] = 1 - transition.sum(axis=1)
    states = latent.state_marginals(np.append(initial, 0.0), absorbing, n_steps)
    return 1 - states[:, -1], states[:, :n]
""",
}

# --- Task 2 ------------------------------------------------------------------------------------
_lloyd = """
def weighted_lloyd(points, weights, centres):
    weights = np.asarray(weights, dtype=float)
    distances = ((points[:, None, :] - centres) ** 2).sum(axis=2)
    nearest = {nearest}
    new_centres = {start}
    for k in range(len(centres)):
        mine = nearest == k
        if {condition}:
            new_centres[k] = {mean}
    objective = {objective}
    return {result}
"""


def _weighted_lloyd(
    nearest="distances.argmin(axis=1)",
    start="np.array(centres, dtype=float)",
    condition="weights[mine].sum() > 0",
    mean="np.average(points[mine], axis=0, weights=weights[mine])",
    objective="weights @ ((points - new_centres[nearest]) ** 2).sum(axis=1)",
    result="new_centres, objective",
):
    return _lloyd.format(**locals())


WRONG["weighted-lloyd"] = {
    "weights ignored": _weighted_lloyd(
        condition="mine.any()",
        mean="points[mine].mean(axis=0)",
        objective="((points - new_centres[nearest]) ** 2).sum()",
    ),
    "weights ignored in the means": _weighted_lloyd(mean="points[mine].mean(axis=0)"),
    "weights ignored in the objective": _weighted_lloyd(
        objective="((points - new_centres[nearest]) ** 2).sum()"
    ),
    "weights only switch points on": _weighted_lloyd(
        mean="points[mine & (weights > 0)].mean(axis=0)"
    ),
    "divided by the number of points": _weighted_lloyd(
        mean="weights[mine] @ points[mine] / mine.sum()"
    ),
    "objective at the old centres": _weighted_lloyd(
        objective="weights @ ((points - centres[nearest]) ** 2).sum(axis=1)"
    ),
    "objective after assigning again": _weighted_lloyd(
        objective="weights @ ((points[:, None] - new_centres) ** 2).sum(axis=2).min(axis=1)"
    ),
    "objective of distances, not squares": _weighted_lloyd(
        objective="weights @ np.sqrt(((points - new_centres[nearest]) ** 2).sum(axis=1))"
    ),
    "objective averaged": _weighted_lloyd(result="new_centres, objective / weights.sum()"),
    "ties to the last": _weighted_lloyd(
        nearest="distances.shape[1] - 1 - distances[:, ::-1].argmin(axis=1)"
    ),
    "empty cluster at zero": _weighted_lloyd(start="np.zeros(centres.shape)"),
    "empty cluster is NaN": _weighted_lloyd(start="np.full(centres.shape, np.nan)"),
    "zero weight not handled": _weighted_lloyd(condition="mine.any()"),
    "zero weight becomes the plain mean": _weighted_lloyd(
        condition="mine.any()",
        mean="np.average(points[mine], axis=0, weights=weights[mine] + 1e-12)",
    ),
    "dtype of the centres kept": _weighted_lloyd(start="centres.copy()"),
    "works in place": _weighted_lloyd(start="centres if centres.dtype == float else centres * 1.0"),
    "two iterations": """
def _once(points, weights, centres):
    nearest = ((points[:, None, :] - centres) ** 2).sum(axis=2).argmin(axis=1)
    centres = np.array(centres, dtype=float)
    for k in range(len(centres)):
        if weights[nearest == k].sum() > 0:
            mine = nearest == k
            centres[k] = np.average(points[mine], axis=0, weights=weights[mine])
    return centres, weights @ ((points - centres[nearest]) ** 2).sum(axis=1)


def weighted_lloyd(points, weights, centres):
    return _once(points, weights, _once(points, weights, centres)[0])
""",
    "the library's K-means": """
def weighted_lloyd(points, weights, centres):
    import latent

    points, centres = np.asarray(points, dtype=float), np.asarray(centres, dtype=float)
    assignments = latent.assign(points, centres)
    means = latent.cluster_means(points, assignments, centres)
    return means, latent.distortion(points, means, assignments)
""",
}

# --- Task 3 ------------------------------------------------------------------------------------
_bound = """
def bound_and_gap(x, w, variance, m, v):
    s2 = {s2}
    likelihood = -0.5 * (np.log(2 * np.pi * s2) + ((x - w * m) ** 2 + {spread}) / s2)
    prior = {prior}
    entropy = 0.5 * (np.log(2 * np.pi * v) + 1)
    post_v, post_m = s2 / (s2 + w**2), w * x / (s2 + w**2)
    bound = {bound}
    gap = {gap}
    return {result}
"""


def _bound_and_gap(
    s2="variance",
    spread="w**2 * v",
    prior="-0.5 * (np.log(2 * np.pi) + m**2 + v)",
    bound="likelihood + prior + entropy",
    gap="0.5 * (v / post_v - 1 - np.log(v / post_v) + (m - post_m) ** 2 / post_v)",
    result="bound, gap",
):
    return _bound.format(**locals())


WRONG["bound-and-gap"] = {
    "no entropy": _bound_and_gap(bound="likelihood + prior"),
    "entropy subtracted": _bound_and_gap(bound="likelihood + prior - entropy"),
    "no prior": _bound_and_gap(bound="likelihood + entropy"),
    "prior at the mean of q": _bound_and_gap(prior="-0.5 * (np.log(2 * np.pi) + m**2)"),
    "likelihood at the mean of q": _bound_and_gap(spread="0"),
    "w not squared": _bound_and_gap(spread="w * v"),
    "variance taken for a standard deviation": _bound_and_gap(s2="variance**2"),
    "v taken for a standard deviation": _bound_and_gap(
        bound="likelihood + prior + 0.5 * (np.log(2 * np.pi * v**2) + 1)"
    ),
    "log base 2 in the entropy": _bound_and_gap(
        bound="likelihood + prior + 0.5 * (np.log2(2 * np.pi * v) + 1)"
    ),
    "reverse divergence": _bound_and_gap(
        gap="0.5 * (post_v / v - 1 - np.log(post_v / v) + (m - post_m) ** 2 / v)"
    ),
    "divergence from the prior": _bound_and_gap(gap="0.5 * (v - 1 - np.log(v) + m**2)"),
    "sign of the gap": _bound_and_gap(result="bound, -gap"),
    "gap without its half": _bound_and_gap(result="bound, 2 * gap"),
    "always the evidence and no gap": _bound_and_gap(result="bound + gap, np.zeros_like(bound)"),
    "summed over the observations": _bound_and_gap(result="bound.sum(), gap.sum()"),
    "averaged over the observations": _bound_and_gap(
        result="np.full_like(bound, bound.mean()), np.full_like(gap, gap.mean())"
    ),
    "gap first": _bound_and_gap(result="gap, bound"),
    "works in place": _bound_and_gap(result="bound, gap").replace(
        "    return", "    m *= 0.5\n    return"
    ),
    "a coarse grid": """
def bound_and_gap(x, w, variance, m, v):
    z = np.linspace(-8, 8, 400)
    bound = []
    for a, b, c in zip(x, m, v):
        log_q = stats.norm.logpdf(z, b, np.sqrt(c))
        log_joint = stats.norm.logpdf(a, w * z, np.sqrt(variance)) + stats.norm.logpdf(z)
        bound.append((np.exp(log_q) * (log_joint - log_q)).sum() * (z[1] - z[0]))
    bound = np.array(bound)
    return bound, stats.norm.logpdf(x, 0, np.sqrt(w**2 + variance)) - bound
""",
    "the library's sums on a grid": """
def bound_and_gap(x, w, variance, m, v):
    import latent

    z = np.linspace(-8, 8, 400)
    bound, gap = [], []
    for a, b, c in zip(x, m, v):
        q = stats.norm.pdf(z, b, np.sqrt(c))
        log_joint = stats.norm.logpdf(a, w * z, np.sqrt(variance)) + stats.norm.logpdf(z)
        q, p = q / q.sum(), np.exp(log_joint) / np.exp(log_joint).sum()
        bound.append(latent.elbo(q[None], log_joint[None]))
        gap.append(latent.kl(q, p))
    return np.array(bound), np.array(gap)
""",
}

# --- Task 4 ------------------------------------------------------------------------------------
_switching = """
def switching_step(x, sigma, lam, rho):
    x = np.asarray(x, dtype=float)
    previous = {previous}
    with np.errstate(all="ignore"):
        gamma = {gamma}
        new_lam = {new_lam}
        new_rho = {new_rho}
    return {result}
"""


def _switching_step(
    previous="np.concatenate([[0.0], x[:-1]])",
    gamma="special.expit(np.log(rho) - np.log1p(-rho) + 2 * lam * x * previous / sigma**2)",
    new_lam="(2 * gamma - 1) @ (x * previous) / (previous @ previous)"
    " if previous.any() else float(lam)",
    new_rho="gamma.mean()",
    result="new_lam, new_rho",
):
    return _switching.format(**locals())


WRONG["switching-step"] = {
    "the chapter's fair coin": _switching_step(
        gamma="special.expit(2 * lam * x * previous / sigma**2)"
    ),
    "rho never learnt": _switching_step(new_rho="rho"),
    "rho without the first step": _switching_step(
        new_rho="gamma[1:].mean() if len(x) > 1 else float(rho)"
    ),
    "rho summed over T, divided by T - 1": _switching_step(
        new_rho="gamma.sum() / max(len(x) - 1, 1)"
    ),
    "exponents that overflow": _switching_step(
        gamma="rho * np.exp(lam * x * previous / sigma**2) / (rho * np.exp(lam * x * previous"
        " / sigma**2) + (1 - rho) * np.exp(-lam * x * previous / sigma**2))"
    ),
    "densities that underflow": _switching_step(
        gamma="rho * stats.norm.pdf(x, lam * previous, sigma) / (rho * stats.norm.pdf(x, lam *"
        " previous, sigma) + (1 - rho) * stats.norm.pdf(x, -lam * previous, sigma))"
    ),
    "exponent without its 2": _switching_step(
        gamma="special.expit(np.log(rho) - np.log1p(-rho) + lam * x * previous / sigma**2)"
    ),
    "sigma not squared": _switching_step(
        gamma="special.expit(np.log(rho) - np.log1p(-rho) + 2 * lam * x * previous / sigma)"
    ),
    "hard signs": _switching_step(
        gamma="(np.log(rho) - np.log1p(-rho) + 2 * lam * x * previous / sigma**2 > 0) * 1.0"
    ),
    "prior odds upside down": _switching_step(
        gamma="special.expit(np.log1p(-rho) - np.log(rho) + 2 * lam * x * previous / sigma**2)"
    ),
    "signs left out of lambda": _switching_step(
        new_lam="x @ previous / (previous @ previous) if previous.any() else float(lam)"
    ),
    "gamma for its expected sign": _switching_step(
        new_lam="gamma @ (x * previous) / (previous @ previous) if previous.any() else float(lam)"
    ),
    "divided by the sum of x_t squared": _switching_step(
        new_lam="(2 * gamma - 1) @ (x * previous) / (x @ x) if previous.any() else float(lam)"
    ),
    "x_0 is x_T": _switching_step(previous="np.roll(x, 1)"),
    "NaN where nothing is known": _switching_step(
        new_lam="(2 * gamma - 1) @ (x * previous) / (previous @ previous)"
    ),
    "zero where nothing is known": _switching_step(
        new_lam="(2 * gamma - 1) @ (x * previous) / (previous @ previous)"
        " if previous.any() else 0.0"
    ),
    "rho from a second E-step": _switching_step(
        new_rho="special.expit(np.log(rho) - np.log1p(-rho)"
        " + 2 * new_lam * x * previous / sigma**2).mean()"
    ),
    "works in place": _switching_step().replace("return", "x += 1e-9\n    return"),
    "results swapped": _switching_step(result="new_rho, new_lam"),
    "the library's update": """
def switching_step(x, sigma, lam, rho):
    import latent

    return latent.sign_switching.update(lam, x, sigma), rho
""",
}

# --- Task 5 ------------------------------------------------------------------------------------
_tied = """
def tied_step(x, weights, means, covariance):
    x = np.asarray(x, dtype=float)
    T, D = x.shape
    with np.errstate(all="ignore"):
        log_joint = np.log(weights) + np.array(
            [stats.multivariate_normal(mean, covariance).logpdf(x) for mean in means]
        ).T
        log_p = {log_p}
        gamma = {gamma}
        counts = gamma.sum(axis=0)
        new_means = {new_means}
        deviations = {deviations}
        pooled = np.einsum("nk,nki,nkj->kij", gamma, deviations, deviations)
        new_covariance = {new_covariance}
    return {result}
"""


def _tied_step(
    log_p="special.logsumexp(log_joint, axis=1)",
    gamma="np.exp(log_joint - log_p[:, None])",
    new_means="np.where(counts[:, None] > 0, gamma.T @ x / counts[:, None], means)",
    deviations="x[:, None] - new_means",
    new_covariance="pooled.sum(axis=0) / T",
    result="counts / T, new_means, new_covariance, log_p.sum()",
):
    return _tied.format(**locals())


WRONG["tied-step"] = {
    "deviations from the old means": _tied_step(deviations="x[:, None] - means"),
    "divided by T - 1": _tied_step(new_covariance="pooled.sum(axis=0) / (T - 1)"),
    "a covariance for each component": _tied_step(
        new_covariance="pooled / np.maximum(counts, 1e-300)[:, None, None]"
    ),
    "plain average of the covariances": _tied_step(
        new_covariance="(pooled / np.maximum(counts, 1e-300)[:, None, None]).mean(axis=0)"
    ),
    "covariance of all the data": _tied_step(new_covariance="np.cov(x.T, bias=True).reshape(D, D)"),
    "diagonal covariance": _tied_step(new_covariance="np.diag(np.diag(pooled.sum(axis=0))) / T"),
    "covariance not updated": _tied_step(new_covariance="np.array(covariance, dtype=float)"),
    "means not updated": _tied_step(
        new_means="np.array(means, dtype=float)", deviations="x[:, None] - means"
    ),
    "densities that underflow": _tied_step(
        log_p="np.log(np.exp(log_joint).sum(axis=1))",
        gamma="np.exp(log_joint) / np.exp(log_joint).sum(axis=1, keepdims=True)",
    ),
    "hard responsibilities": _tied_step(gamma="np.eye(len(weights))[log_joint.argmax(axis=1)]"),
    "weights left out of the responsibilities": _tied_step(
        gamma="special.softmax(log_joint - np.log(weights), axis=1)"
    ),
    "NaN for a component without points": _tied_step(new_means="gamma.T @ x / counts[:, None]"),
    "epsilon for a component without points": _tied_step(
        new_means="gamma.T @ x / (counts[:, None] + 1e-10)"
    ),
    "counts for weights": _tied_step(result="counts, new_means, new_covariance, log_p.sum()"),
    "means transposed": _tied_step(result="counts / T, new_means.T, new_covariance, log_p.sum()"),
    "evidence per point": _tied_step(result="counts / T, new_means, new_covariance, log_p.mean()"),
    "evidence not a logarithm": _tied_step(
        result="counts / T, new_means, new_covariance, np.exp(log_p.sum())"
    ),
    "evidence of the new parameters": _tied_step().replace(
        "    return",
        """    with np.errstate(all="ignore"):
        new = np.array([
            stats.multivariate_normal(mean, new_covariance, allow_singular=True).logpdf(x)
            for mean in new_means
        ]).T
        log_p = special.logsumexp(np.log(counts / T) + new, axis=1)
    return""",
    ),
    "works in place": _tied_step().replace(
        "    return", "    if means.dtype == float:\n        means[:] = new_means\n    return"
    ),
    "the library's M-step, averaged": """
def tied_step(x, weights, means, covariance):
    import latent

    old = latent.GMM(weights, means, np.array([covariance] * len(weights)))
    new = old.m_step(x, old.responsibilities(x))
    pooled = np.einsum("k,kij->ij", weights, new.covariances)
    return new.weights, new.means, pooled, old.log_evidence(x)
""",
    "the library's M-step, pooled": """
def tied_step(x, weights, means, covariance):
    import latent

    old = latent.GMM(weights, means, np.array([covariance] * len(weights)))
    new = old.m_step(x, old.responsibilities(x))
    pooled = np.einsum("k,kij->ij", new.weights, new.covariances)
    return new.weights, new.means, pooled, old.log_evidence(x)
""",
}

# --- Task 6 ------------------------------------------------------------------------------------
_censored = """
def censored_step(x, censored, mean, variance):
    x = np.asarray(x, dtype=float)
    sd = np.sqrt(variance)
    with np.errstate(all="ignore"):
        alpha = {alpha}
        h = {h}
        first = np.where(censored, {first}, x)
        second = np.where(censored, {second}, x**2)
        new_mean = {new_mean}
        new_variance = {new_variance}
    return {result}
"""


def _censored_step(
    alpha="(x - mean) / sd",
    h="np.exp(stats.norm.logpdf(alpha) - stats.norm.logsf(alpha))",
    first="mean + sd * h",
    second="mean**2 + variance + sd * h * (x + mean)",
    new_mean="first.mean()",
    new_variance="second.mean() - new_mean**2",
    result="new_mean, new_variance",
):
    return _censored.format(**locals())


WRONG["censored-step"] = {
    "censored waits taken as they are": _censored_step(first="x", second="x**2"),
    "censored waits dropped": _censored_step(
        new_mean="x[~censored].mean()", new_variance="x[~censored].var()"
    ),
    "quotient that underflows": _censored_step(h="stats.norm.pdf(alpha) / stats.norm.sf(alpha)"),
    "quotient set to zero where it underflows": _censored_step(
        h="np.nan_to_num(stats.norm.pdf(alpha) / stats.norm.sf(alpha))"
    ),
    "quotient clipped": _censored_step(
        h="np.exp(stats.norm.logpdf(np.minimum(alpha, 8)) - stats.norm.logsf(np.minimum(alpha, 8)))"
    ),
    "quotient replaced by alpha in the tail": _censored_step(
        h="np.where(alpha > 5, alpha, np.exp(stats.norm.logpdf(alpha) - stats.norm.logsf(alpha)))"
    ),
    "square of the expected wait": _censored_step(second="(mean + sd * h) ** 2"),
    "deviations from the old mean": _censored_step(
        new_variance="second.mean() - 2 * mean * first.mean() + mean**2"
    ),
    "square of the old mean": _censored_step(new_variance="second.mean() - mean**2"),
    "divided by T - 1": _censored_step(
        new_variance="(second.mean() - new_mean**2) * len(x) / max(len(x) - 1, 1)"
    ),
    "censored from above taken for below": _censored_step(
        h="-np.exp(stats.norm.logpdf(alpha) - stats.norm.logcdf(alpha))"
    ),
    "variance taken for a standard deviation": _censored_step(alpha="(x - mean) / variance"),
    "standard deviation returned": _censored_step(result="new_mean, np.sqrt(new_variance)"),
    "density without its standard deviation": _censored_step(first="mean + h"),
    "mask turned round": _censored_step().replace("np.where(censored,", "np.where(~censored,"),
    "old parameters returned": _censored_step(result="float(mean), float(variance)"),
    "results swapped": _censored_step(result="new_variance, new_mean"),
    "works in place": _censored_step().replace(
        "return", "x[censored] = first[censored]\n    return"
    ),
    "the library's normal M-step": """
def censored_step(x, censored, mean, variance):
    import latent

    start = latent.Gaussian(np.array([[mean]]), np.array([[[variance]]]))
    fitted = start.m_step(np.asarray(x, dtype=float)[:, None], np.ones((len(x), 1)))
    return fitted.means[0, 0], fitted.covariances[0, 0, 0]
""",
}
