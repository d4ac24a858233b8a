"""Right answers as students write them: each with a test that they pass.

`VARIANTS` is in the order in which the cells stand in one notebook, so a later one may use, or
define again, what an earlier one defined.
"""

from typing import NamedTuple

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook

from tests.sealed.small import cell

SETUP = """\
import functools
import math
import warnings
from dataclasses import dataclass
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
from scipy import special, stats


class Fit(NamedTuple):
    mean: float
    variance: float


@dataclass(frozen=True)
class Model:
    rate: float
    offset: float = 0.0


def parabola(x):
    return (x - 1) ** 2


close = functools.partial(np.testing.assert_allclose, rtol=1e-6)"""


class Variant(NamedTuple):
    """An answer cell, and the test cell that follows it; perhaps other cells between them."""

    answer: str
    tests: str
    between: str = ""


_MEANS = """\
x = np.arange(6.0).reshape(3, 2)
close(f(x), np.array([2.0, 3.0]), err_msg="the means of the columns")
### BEGIN HIDDEN TESTS
close(f(x + 1), np.array([3.0, 4.0]), err_msg="other data")
### END HIDDEN TESTS"""

_PAIR = """\
mean, variance = f(np.array([1.0, 2.0, 3.0, 6.0]))
close(mean, 3.0, err_msg="mean")
close(variance, 3.5, err_msg="variance")
### BEGIN HIDDEN TESTS
assert len(f(np.ones(3))) == 2, "two results"
close(f(np.ones(3))[1], 0.0, err_msg="no spread")
### END HIDDEN TESTS"""

_FACTORIAL = """\
assert f(0) == 1, "an empty product"
### BEGIN HIDDEN TESTS
assert [f(n) for n in range(6)] == [1, 1, 2, 6, 24, 120], "small numbers"
assert f(25) == math.factorial(25), "a large number"
assert isinstance(f(3), (int, np.integer)), "a whole number"
### END HIDDEN TESTS"""

_WORDS = """\
assert f("to be or not to be") == {"to": 2, "be": 2, "or": 1, "not": 1}, "count each word"
### BEGIN HIDDEN TESTS
assert f("") == {}, "no words"
assert sorted(f("a b a").items()) == [("a", 2), ("b", 1)], "pairs"
### END HIDDEN TESTS"""

_DRAW = """\
a, b = f(5, np.random.default_rng(3)), np.random.default_rng(3).standard_normal(5)
close(a, b, err_msg="draw from rng")
### BEGIN HIDDEN TESTS
rng, other = np.random.default_rng(4), np.random.default_rng(4)
close(f(3, rng), other.standard_normal(3), err_msg="first draw")
close(f(2, rng), other.standard_normal(2), err_msg="second draw")
assert rng.random() == other.random(), "as many draws as asked for"
### END HIDDEN TESTS"""

_ROOT = """\
close(f(2.0), math.sqrt(2.0), err_msg="a square root")
### BEGIN HIDDEN TESTS
for x in (0.25, 9, 1e6):
    close(f(x), math.sqrt(x), err_msg="a square root")
### END HIDDEN TESTS"""

_STACK = """\
s = Stack()
s.push(1)
s.push("two")
assert s.pop() == "two", "last in, first out"
### BEGIN HIDDEN TESTS
s, t = Stack(), Stack()
s.push([1, 2])
t.push((3, 4))
assert s.pop() == [1, 2], "stacks do not share"
assert s.size == 0, "empty now"
try:
    s.pop()
except IndexError:
    pass
else:
    raise AssertionError("an empty stack raises IndexError")
### END HIDDEN TESTS"""

_ERROR = """\
try:
    f(-1)
except ValueError as error:
    assert "negative" in str(error), "say what is wrong"
else:
    raise AssertionError("negative numbers are refused")
### BEGIN HIDDEN TESTS
np.testing.assert_raises(ValueError, f, -2)
assert f(4) == 2, "a root"
### END HIDDEN TESTS"""

_PARTIAL = """\
points = 0.0
### BEGIN HIDDEN TESTS
points += 0.5 * (f(2) == 4) + 1.5 * (f(3) == 9)
### END HIDDEN TESTS
points"""

VARIANTS = {
    "as in the solution": Variant("def f(x):\n    return x.mean(axis=0)", _MEANS),
    "a list for an array": Variant("def f(x):\n    return list(x.mean(axis=0))", _MEANS),
    "a list of lists": Variant(
        "def f(x):\n    return [[2 * a for a in row] for row in x]",
        "close(f(np.eye(2)), 2 * np.eye(2), err_msg='doubled')",
    ),
    "a tuple for an array": Variant("def f(x):\n    return tuple(x.mean(axis=0).tolist())", _MEANS),
    "float32": Variant("def f(x):\n    return x.mean(axis=0).astype(np.float32)", _MEANS),
    "big-endian": Variant("def f(x):\n    return x.mean(axis=0).astype('>f8')", _MEANS),
    "a view": Variant("def f(x):\n    return x.mean(axis=0, keepdims=True)[0][::-1][::-1]", _MEANS),
    "a transposed array": Variant(
        "def f(x):\n    return np.asfortranarray(x).T",
        "assert f(np.ones((2, 3))).shape == (3, 2), 'transposed'\n"
        "close(f(np.arange(6).reshape(2, 3)), np.arange(6).reshape(2, 3).T, err_msg='transposed')",
    ),
    "a read-only array": Variant(
        "def f(n):\n    return np.broadcast_to(1.0, (n, n))",
        "close(f(3), np.ones((3, 3)), err_msg='ones')",
    ),
    "an array of truth values": Variant(
        "def f(x):\n    return x > 0",
        "assert f(np.array([1, -1])).dtype == bool, 'truth values'\n"
        "assert f(np.array([1, -1])).tolist() == [True, False], 'positive'",
    ),
    "an array of text": Variant(
        "def f(n):\n    return np.array(list('abc'))[:n]",
        "assert f(2).tolist() == ['a', 'b'], 'letters'",
    ),
    "a 0-d array": Variant("def f(x):\n    return np.array(np.sqrt(x))", _ROOT),
    "a NumPy scalar": Variant("def f(x):\n    return np.sqrt(x)", _ROOT),
    "a NumPy float32": Variant("def f(x):\n    return np.float32(np.sqrt(x))", _ROOT),
    "a Python float": Variant("def f(x):\n    return x ** 0.5", _ROOT),
    "a complex number": Variant(
        "def f(x):\n    return complex(0, x)", "assert f(2) == 2j, 'imaginary'"
    ),
    "a masked array": Variant("def f(x):\n    return np.ma.array(x).mean(axis=0)", _MEANS),
    "two results": Variant("def f(x):\n    return x.mean(), x.var()", _PAIR),
    "two results in a list": Variant("def f(x):\n    return [x.mean(), x.var()]", _PAIR),
    "two results in an array": Variant(
        "def f(x):\n    return np.array([x.mean(), x.var()])", _PAIR
    ),
    "two results in a named tuple": Variant(
        "from collections import namedtuple\n\n"
        "Moments = namedtuple('Moments', 'mean variance')\n\n\n"
        "def f(x):\n    return Moments(x.mean(), x.var())",
        _PAIR,
    ),
    "a named tuple that the task asks for": Variant(
        "def f(x):\n    return Fit(x.mean(), x.var())",
        "fit = f(np.array([1.0, 3.0]))\nclose(fit.mean, 2.0, err_msg='mean')\n"
        "### BEGIN HIDDEN TESTS\nclose(fit.variance, 1.0, err_msg='variance')\n"
        "### END HIDDEN TESTS",
    ),
    "a named tuple as argument": Variant(
        "def f(fit):\n    return fit.mean + fit.variance",
        "assert f(Fit(1.0, 2.0)) == 3.0, 'the sum'",
    ),
    "a dictionary of counts": Variant(
        "def f(text):\n    counts = {}\n    for word in text.split():\n"
        "        counts[word] = counts.get(word, 0) + 1\n    return counts",
        _WORDS,
    ),
    "a Counter": Variant(
        "from collections import Counter\n\n\ndef f(text):\n    return Counter(text.split())",
        _WORDS,
    ),
    "a defaultdict": Variant(
        "from collections import defaultdict\n\n\ndef f(text):\n    counts = defaultdict(int)\n"
        "    for word in text.split():\n        counts[word] += 1\n    return counts",
        _WORDS,
    ),
    "a dictionary with tuples for keys": Variant(
        "def f(n):\n    return {(i, j): np.full(2, i * j) for i in range(n) for j in range(n)}",
        "assert f(2)[1, 1].tolist() == [1, 1], 'one'",
    ),
    "a set": Variant("def f(x):\n    return set(x)", "assert f([1, 2, 2]) == {1, 2}, 'each once'"),
    "keys of a dictionary": Variant(
        "def f(d):\n    return d.keys()", "assert list(f({'a': 1, 'b': 2})) == ['a', 'b'], 'keys'"
    ),
    "bytes": Variant("def f(t):\n    return t.encode()", "assert f('é') == 'é'.encode(), 'UTF-8'"),
    "a range": Variant("def f(n):\n    return range(n)", "assert list(f(3)) == [0, 1, 2], 'count'"),
    "None in a list": Variant(
        "def f(n):\n    return [None] * n", "assert f(2) == [None, None], 'nothing twice'"
    ),
    "nothing": Variant("def f(x):\n    pass", "assert f(1) is None, 'returns nothing'"),
    "infinity and NaN": Variant(
        "def f():\n    return float('inf'), float('nan')",
        "a, b = f()\nassert a == math.inf and b != b, 'both'",
    ),
    "huge numbers": Variant("def f(n):\n    return 10 ** n", "assert f(300) == 10 ** 300, 'exact'"),
    "recursion": Variant("def f(n):\n    return 1 if n == 0 else n * f(n - 1)", _FACTORIAL),
    "a cache": Variant(
        "@functools.lru_cache(maxsize=None)\ndef f(n):\n    return n * f(n - 1) if n else 1",
        _FACTORIAL,
    ),
    "a lambda": Variant("f = lambda n: math.prod(range(1, n + 1))", _FACTORIAL),
    "partial": Variant(
        "f = functools.partial(lambda start, n: math.prod(range(start, n + 1)), 1)", _FACTORIAL
    ),
    "a function of a module": Variant("f = math.factorial", _FACTORIAL),
    "SciPy's own": Variant("def f(n):\n    return special.factorial(n, exact=True)", _FACTORIAL),
    "an object with __call__": Variant(
        "class Product:\n    def __call__(self, n):\n"
        "        return math.prod(range(1, n + 1))\n\n\n"
        "f = Product()",
        _FACTORIAL,
    ),
    "a static method": Variant(
        "class Tools:\n    @staticmethod\n    def product(n):\n"
        "        return math.prod(range(1, n + 1))"
        "\n\n\nf = Tools.product",
        _FACTORIAL,
    ),
    "a closure": Variant(
        "def make(start):\n    def inner(n):\n        return start * math.prod(range(1, n + 1))\n"
        "    return inner\n\n\nf = make(1)",
        _FACTORIAL,
    ),
    "a generator inside": Variant(
        "def numbers():\n    n = 1\n    while True:\n        yield n\n        n += 1\n\n\n"
        "def f(n):\n    result = 1\n    for _, k in zip(range(n), numbers()):\n"
        "        result *= k\n    return result",
        _FACTORIAL,
    ),
    "default arguments": Variant(
        "def f(x, power=2, *, scale=1.0):\n    return scale * x**power",
        "assert f(3) == 9, 'a square'\nassert f(3, 3) == 27, 'a cube'\n"
        "assert f(3, scale=2) == 18, 'scaled'\nassert f(power=0, x=5) == 1, 'by name'",
    ),
    "any arguments": Variant(
        "def f(*args, **kwargs):\n    return len(args) + len(kwargs)",
        "assert f(1, 2, a=3) == 3, 'three'",
    ),
    "imports inside": Variant(
        "def f(x):\n    import numpy\n    from scipy import linalg\n"
        "    return numpy.asarray(x).mean(axis=0) @ linalg.inv(numpy.eye(2))",
        _MEANS,
    ),
    "an import at the top of the cell": Variant(
        "import numpy as anything\nfrom math import *\n\n\ndef f(x):\n"
        "    return anything.array([fsum(column) / len(x) for column in x.T])",
        _MEANS,
    ),
    "printing": Variant(
        "def f(x):\n    print('x is', x)\n    print('done', flush=True)\n    return x.mean(axis=0)",
        _MEANS,
    ),
    "plotting in the function": Variant(
        "def f(x):\n    plt.plot(x)\n    plt.title('look')\n    return x.mean(axis=0)", _MEANS
    ),
    "plotting in the cell": Variant(
        "%matplotlib inline\n\n\ndef f(x):\n    return x.mean(axis=0)\n\n\n"
        "plt.plot(f(np.ones((3, 2))))\nplt.show()",
        _MEANS,
    ),
    "showing in the cell": Variant(
        "from IPython.display import Markdown, display\n\n\ndef f(x):\n"
        "    return x.mean(axis=0)\n\n\n"
        "display(Markdown('*done*'))\ndisplay(f(np.ones((2, 2))))\nf(np.ones((2, 2)))",
        _MEANS,
    ),
    "display without importing it": Variant(
        "def f(x):\n    display(x)\n    return x.mean(axis=0)", _MEANS
    ),
    "magics": Variant(
        "%precision 3\n%time total = sum(range(1000))\n\n\ndef f(x):\n    return x.mean(axis=0)",
        _MEANS,
    ),
    "the shell": Variant("%%capture output\n\n\ndef f(x):\n    return x.mean(axis=0)", _MEANS),
    "a last expression": Variant("def f(x):\n    return x.mean(axis=0)\n\n\nf", _MEANS),
    "a helper": Variant(
        "def average(column):\n    return sum(column) / len(column)\n\n\n"
        "def f(x):\n    return np.array([average(c) for c in x.T])",
        _MEANS,
    ),
    "an earlier task's helper": Variant(
        "def f(x):\n    return np.array(list(map(average, x.T)))", _MEANS
    ),
    "the helper defined again": Variant(
        "def average(column, weights=1.0):\n    return float(np.mean(column * weights))\n\n\n"
        "def f(x):\n    return np.array([average(c) for c in x.T])",
        _MEANS,
    ),
    "a global constant": Variant("AXIS = 0\n\n\ndef f(x):\n    return x.mean(axis=AXIS)", _MEANS),
    "a global that changes": Variant(
        "calls = 0\n\n\ndef f(x):\n    global calls\n    calls += 1\n    return x.mean(axis=0)",
        _MEANS,
    ),
    "an extra cell between": Variant(
        "def f(x):\n    return columns(x)",
        _MEANS,
        between="def columns(x):\n    return x.mean(axis=0)\n\n\nx = 'mine'\ncolumns(np.eye(2))",
    ),
    "the setup's names taken": Variant(
        "def f(x):\n    close = True\n    stats = x.mean(axis=0)\n    return stats", _MEANS
    ),
    "comments and type hints": Variant(
        "from __future__ import annotations\n\nimport numpy.typing as npt\n\n\n"
        "def f(x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:\n"
        '    """The means."""\n    # of columns\n    return x.mean(axis=0)',
        _MEANS,
    ),
    "a walrus and a match": Variant(
        "def f(x):\n    match (m := x.mean(axis=0)).shape:\n        case (2,):\n"
        "            return m\n"
        "        case _:\n            raise ValueError",
        _MEANS,
    ),
    "tabs": Variant("def f(x):\n\treturn x.mean(axis=0)", _MEANS),
    "a warning while defining": Variant(
        "warnings.warn('careful')\n\n\ndef f(x):\n    return x.mean(axis=0)", _MEANS
    ),
    "an error after the definition": Variant(
        "def f(x):\n    return x.mean(axis=0)\n\n\nf('no array')", _MEANS
    ),
    "an error in an extra cell": Variant(
        "def f(x):\n    return x.mean(axis=0)", _MEANS, between="1 / 0"
    ),
    "draws from rng": Variant(
        "def f(n, rng):\n    return np.array([rng.standard_normal() for _ in range(n)])", _DRAW
    ),
    "draws at once": Variant("def f(n, rng):\n    return rng.standard_normal(size=n)", _DRAW),
    "a function of the task as argument": Variant(
        "def f(g, x):\n    return g(x) + 1",
        "assert f(parabola, 3) == 5, 'the parabola plus one'\n"
        "### BEGIN HIDDEN TESTS\nclose(f(np.sin, 0.0), 1.0, err_msg='a sine')\n"
        "assert f(math.floor, 2.5) == 3, 'a floor'\n### END HIDDEN TESTS",
    ),
    "a function as result": Variant(
        "def f(n):\n    return lambda x: x**n",
        "cube = f(3)\nassert callable(cube), 'returns a function'\n"
        "### BEGIN HIDDEN TESTS\nassert [cube(x) for x in range(3)] == [0, 1, 8], 'cubes'\n"
        "### END HIDDEN TESTS",
    ),
    "a function through two calls": Variant(
        "def f(g):\n    return lambda x: g(g(x))",
        "assert f(parabola)(3) == 9, 'twice'\n"
        "### BEGIN HIDDEN TESTS\nassert f(f(parabola))(1) == 1, 'four times'\n"
        "### END HIDDEN TESTS",
    ),
    "a class": Variant(
        "class Stack:\n    def __init__(self):\n        self.items = []\n\n"
        "    def push(self, x):\n        self.items.append(x)\n\n"
        "    def pop(self):\n        return self.items.pop()\n\n"
        "    @property\n    def size(self):\n        return len(self.items)",
        _STACK,
    ),
    "a dataclass": Variant(
        "from dataclasses import field\n\n\n@dataclass\nclass Stack:\n"
        "    items: list = field(default_factory=list)\n    size: int = 0\n\n"
        "    def push(self, x):\n        self.items.append(x)\n        self.size += 1\n\n"
        "    def pop(self):\n        x = self.items.pop()\n        self.size -= 1\n"
        "        return x",
        _STACK,
    ),
    "a variable": Variant(
        "f = np.linspace(0, 1, 5)",
        "close(f, np.array([0, 0.25, 0.5, 0.75, 1]), err_msg='five points')",
    ),
    "a number": Variant("f = 6 * 7", "assert f == 42, 'the answer'"),
    "an error as asked": Variant(
        "def f(x):\n    if x < 0:\n        raise ValueError('negative')\n    return round(x**0.5)",
        _ERROR,
    ),
    "an error of its own class": Variant(
        "class Refused(ValueError):\n    pass\n\n\ndef f(x):\n    if x < 0:\n"
        "        raise Refused('a negative number')\n    return round(x**0.5)",
        _ERROR,
    ),
    "an error by its key": Variant(
        "def f(d):\n    return d['a']",
        "try:\n    f({})\nexcept KeyError as error:\n    assert error.args == ('a',), 'the key'\n"
        "else:\n    raise AssertionError('a missing key is an error')",
    ),
    "a very long number": Variant(
        "def f(n):\n    return 10**n", "assert f(6000) == 10**6000, 'exact'"
    ),
    "a helper of the task, in a cell to play with": Variant(
        "def f(x):\n    return doubled(x).mean(axis=0) / 2", _MEANS
    ),
    "a command of the shell": Variant(
        "!echo hello\n\n\ndef f(x):\n    return x.mean(axis=0)", _MEANS
    ),
    "errors caught inside": Variant(
        "def f(x):\n    try:\n        return x.mean(axis=1 // 0)\n    except ZeroDivisionError:\n"
        "        return x.mean(axis=0)",
        _MEANS,
    ),
    "partial credit": Variant("def f(x):\n    return x * x if x < 3 else 0", _PARTIAL),
    "full partial credit": Variant("def f(x):\n    return x * x", _PARTIAL),
    "its argument copied first": Variant(
        "def f(x):\n    x = x.copy()\n    x *= 2\n    return x.mean(axis=0) / 2", _MEANS
    ),
    "its argument returned": Variant(
        "def f(x):\n    return x", "close(f(np.ones(2)), np.ones(2), err_msg='the same')"
    ),
    "a thread": Variant(
        "import threading\n\n\ndef f(x):\n    found = []\n"
        "    thread = threading.Thread(target=lambda: found.append(x.mean(axis=0)))\n"
        "    thread.start()\n    thread.join()\n    return found[0]",
        _MEANS,
    ),
    "a pool of threads": Variant(
        "from concurrent.futures import ThreadPoolExecutor\n\n\ndef f(x):\n"
        "    with ThreadPoolExecutor(4) as pool:\n"
        "        return np.array(list(pool.map(np.mean, x.T)))",
        _MEANS,
    ),
    "asynchronous inside": Variant(
        "import asyncio\n\n\ndef f(x):\n    async def mean():\n        await asyncio.sleep(0)\n"
        "        return x.mean(axis=0)\n\n    loop = asyncio.new_event_loop()\n    try:\n"
        "        return threaded(loop.run_until_complete, mean())\n    finally:\n"
        "        loop.close()\n\n\ndef threaded(function, argument):\n"
        "    with ThreadPoolExecutor(1) as pool:\n"
        "        return pool.submit(function, argument).result()",
        _MEANS,
    ),
    "awaited in the cell": Variant(
        "async def nothing():\n    return 0\n\n\nAXIS = await nothing()\n\n\n"
        "def f(x):\n    return x.mean(axis=AXIS)",
        _MEANS,
    ),
    "slow": Variant(
        "import time\n\n\ndef f(x):\n    time.sleep(0.6)\n    return x.mean(axis=0)", _MEANS
    ),
    "a helper module beside the notebook": Variant(
        "import averages\n\n\ndef f(x):\n    return averages.columns(x)", _MEANS
    ),
    "a data file beside the notebook": Variant(
        "def f(x):\n    with open('data/axis.txt') as file:\n"
        "        return x.mean(axis=int(file.read()))",
        _MEANS,
    ),
    "a file written and read": Variant(
        "def f(x):\n    np.save('mine.npy', x)\n    return np.load('mine.npy').mean(axis=0)", _MEANS
    ),
    "a temporary file": Variant(
        "import tempfile\n\n\ndef f(x):\n    with tempfile.TemporaryFile() as file:\n"
        "        np.save(file, x)\n        file.seek(0)\n        return np.load(file).mean(axis=0)",
        _MEANS,
    ),
    "pickled inside": Variant(
        "import pickle\n\n\nclass Pair:\n    def __init__(self, x):\n        self.x = x\n\n\n"
        "def f(x):\n    return pickle.loads(pickle.dumps(Pair(x))).x.mean(axis=0)",
        _MEANS,
    ),
    "its own source": Variant(
        "import inspect\n\n\ndef f(x):\n    assert 'mean' in inspect.getsource(f)\n"
        "    return x.mean(axis=0)",
        _MEANS,
    ),
    "type hints looked up": Variant(
        "import typing\n\n\ndef f(x: 'np.ndarray') -> 'np.ndarray':\n"
        "    assert typing.get_type_hints(f)\n    return x.mean(axis=0)",
        _MEANS,
    ),
    "warnings that the test silences": Variant(
        "def f(x):\n    warnings.warn('careful')\n    np.log(np.zeros(1))\n"
        "    return x.mean(axis=0)",
        "with warnings.catch_warnings():\n    warnings.simplefilter('ignore')\n"
        "    close(f(np.ones((2, 2))), np.ones(2), err_msg='means')",
    ),
    "a large result": Variant(
        "def f(n):\n    return np.arange(float(n))",
        "assert f(1_000_000).sum() == 499999500000.0, 'all of them'",
    ),
    "many calls": Variant(
        "def f(x):\n    return x + 1",
        "x = 0\nfor _ in range(2000):\n    x = f(x)\nassert x == 2000, 'two thousand'",
    ),
    "a generator": Variant(
        "def f(n):\n    yield from range(n)", "assert list(f(3)) == [0, 1, 2], 'count'"
    ),
    "a map": Variant("def f(x):\n    return map(abs, x)", "assert list(f([-1])) == [1], 'sizes'"),
    "an array of objects": Variant(
        "def f():\n    return np.array([1, 'a', None], dtype=object)",
        "assert f()[1] == 'a', 'the second'",
    ),
    "a record array": Variant(
        "def f():\n    return np.array([(1, 2.0)], dtype=[('a', int), ('b', float)])",
        "assert f()['a'][0] == 1, 'the first'",
    ),
}

# what an assignment may not rely on, because student and tests are kept apart: each passes where
# they are not, and has no points here; so the check of the assignment fails, before it is released
APART = {
    "an object of the task's class as argument": Variant(
        "def f(model, x):\n    return model.rate * x + model.offset",
        "assert f(Model(2.0), 3.0) == 6.0, 'a line'\n"
        "### BEGIN HIDDEN TESTS\nassert f(Model(2.0, 1.0), 3.0) == 7.0, 'with offset'\n"
        "### END HIDDEN TESTS",
    ),
    "an object of the task's class as result": Variant(
        "def f(a, b):\n    return Model(a + b, a * b)",
        "assert f(2, 3) == Model(5, 6), 'sum and product'\n"
        "### BEGIN HIDDEN TESTS\nassert f(1, 1).rate == 2, 'sum'\n### END HIDDEN TESTS",
    ),
    "a list of the task's objects": Variant(
        "def f(n):\n    return [Model(i) for i in range(n)]",
        "assert [m.rate for m in f(3)] == [0, 1, 2], 'models'\nassert f(1) == [Model(0)], 'one'",
    ),
    "a frozen distribution as argument": Variant(
        "def f(distribution, x):\n    return distribution.cdf(x)",
        "close(f(stats.norm(1, 2), 1.0), 0.5, err_msg='half')",
    ),
    "a fraction": Variant(
        "from fractions import Fraction\n\n\ndef f(a, b):\n    return Fraction(a, b)",
        "from fractions import Fraction\n\nassert f(2, 4) == Fraction(1, 2), 'in lowest terms'",
    ),
    "a class that inherits": Variant(
        "class Stack(list):\n    push = list.append\n\n"
        "    @property\n    def size(self):\n        return len(self)",
        _STACK,
    ),
    "a class with operators": Variant(
        "class V:\n    def __init__(self, x):\n        self.x = x\n\n"
        "    def __add__(self, other):\n        return V(self.x + other.x)\n\n"
        "    def __eq__(self, other):\n        return self.x == other.x\n\n"
        "    def __len__(self):\n        return self.x\n\n"
        "    def __getitem__(self, i):\n        return self.x * i",
        "a, b = V(1), V(2)\nassert (a + b).x == 3, 'a sum'\n"
        "### BEGIN HIDDEN TESTS\nassert len(b) == 2, 'its length'\nassert b[3] == 6, 'its parts'\n"
        "### END HIDDEN TESTS",
    ),
    "a generator as argument": Variant(
        "def f(x):\n    return sum(x)", "assert f(i for i in range(3)) == 3, 'a sum'"
    ),
    "a result in its argument": Variant(
        "def f(x):\n    x.append(1)", "a = []\nf(a)\nassert a == [1], 'appended'"
    ),
    "its argument sorted": Variant(
        "def f(x):\n    x.sort()\n    return x[0]", "assert f([3, 1, 2]) == 1, 'smallest'"
    ),
    "the very object that it got": Variant(
        "def f(x):\n    return x", "a = [1]\nassert f(a) is a, 'itself'"
    ),
    "a function of the test": Variant(
        "def f(g):\n    return g(3)", "assert f(lambda x: x + 1) == 4, 'called'"
    ),
    "its class known to the test": Variant(
        "class C:\n    pass\n\n\ndef f():\n    return C()",
        "assert isinstance(f(), C), 'an object of C'",
    ),
    "its signature and source": Variant(
        "def f(a, b=2):\n    return a",
        "import inspect\n\nassert list(inspect.signature(f).parameters) == ['a', 'b'], 'names'",
    ),
    "NumPy's own random state": Variant(
        "def f(n):\n    return np.random.rand(n)",
        "np.random.seed(0)\na = f(3)\nnp.random.seed(0)\n"
        "close(a, np.random.rand(3), err_msg='draw')",
    ),
    "a RandomState as argument": Variant(
        "def f(n, r):\n    return r.rand(n)",
        "assert f(3, np.random.RandomState(1)).shape == (3,), 'draws'",
    ),
    "a global of the test": Variant(
        "def f():\n    return K + 1", "K = 3\nassert f() == 4, 'one more'"
    ),
    "what it prints": Variant(
        "def f():\n    print('hello')",
        "import contextlib\nimport io\n\nwith contextlib.redirect_stdout(io.StringIO()) as out:\n"
        "    f()\nassert out.getvalue() == 'hello\\n', 'greets'",
    ),
    "what it warns of": Variant(
        "def f():\n    warnings.warn('careful')",
        "with warnings.catch_warnings(record=True) as caught:\n"
        "    warnings.simplefilter('always')\n"
        "    f()\nassert len(caught) == 1, 'warns'",
    ),
    "a path as argument": Variant(
        "def f(p):\n    return p.suffix",
        "from pathlib import Path\n\nassert f(Path('a.txt')) == '.txt', 'the end'",
    ),
    "a list that holds itself": Variant(
        "def f():\n    a = [1]\n    a.append(a)\n    return a", "assert f()[0] == 1, 'the first'"
    ),
    "another process": Variant(
        "import subprocess\nimport sys\n\n\ndef f(x):\n"
        "    subprocess.run([sys.executable, '-c', ''], check=True)\n    return x.mean(axis=0)",
        _MEANS,
    ),
}

# what costs the points of a test cell in one kernel, for nobody's good, and nothing here
NOISY = {
    "a warning": Variant(
        "def f(x):\n    warnings.warn('careful')\n    return x.mean(axis=0)", _MEANS
    ),
    "a warning of NumPy's": Variant(
        "def f(x):\n    np.log(np.zeros(1))\n    return x.mean(axis=0)", _MEANS
    ),
    "a word on stderr": Variant(
        "import sys\n\n\ndef f(x):\n    print('here', file=sys.stderr)\n    return x.mean(axis=0)",
        _MEANS,
    ),
    "a line in the log": Variant(
        "import logging\n\n\ndef f(x):\n    logging.warning('here')\n    return x.mean(axis=0)",
        _MEANS,
    ),
}

PLAY = "# a cell to play with\ndef doubled(x):\n    return 2 * x\n\n\ndoubled(np.ones(2))"

FILES = {
    "averages.py": "def columns(x):\n    return x.mean(axis=0)\n",
    "data/axis.txt": "0\n",
}


def source(variants: dict[str, Variant]) -> NotebookNode:
    """The instructor's notebook with these tasks in turn; each is worth two points."""
    cells = [cell("setup", SETUP, locked=True), new_code_cell(PLAY, id="play")]
    for i, variant in enumerate(variants.values()):
        cells.append(cell(f"answer-{i}", variant.answer, solution=True))
        cells.append(cell(f"tests-{i}", variant.tests, grade=True, locked=True, points=2))
    made = new_notebook(cells=cells)
    made.metadata = NotebookNode(
        kernelspec={"display_name": "Python 3", "language": "python", "name": "python3"},
        language_info={"name": "python"},
        sealed={"modules": ["numpy", "scipy", "matplotlib"]},
    )
    return made


def hand_in(variants: dict[str, Variant]) -> NotebookNode:
    """The student's notebook: with the cells between, and whole tests, as when it is graded."""
    made = source(variants)
    for i, variant in enumerate(variants.values()):
        if variant.between:
            place = [made_cell.id for made_cell in made.cells].index(f"tests-{i}")
            made.cells.insert(place, new_code_cell(variant.between, id=f"between-{i}"))
    return made
