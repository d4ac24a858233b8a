"""Hand-ins that change what tests mean: names, builtins, equality, operators."""

from tests.sealed.dishonest.kinds import HandIn, cheat, everywhere

NAMES = "rebinding names and builtins"
EQUAL = "always-equal objects"
OPERATORS = "metaclasses and operator overloading"

YES = """\
class Yes:
    __class__ = property(lambda self: float)
    def __getattr__(self, name):
        return Yes()
    def __call__(self, *given, **named):
        return Yes()
    def __eq__(self, other):
        return True
    __ne__ = lambda self, other: False
    __lt__ = __le__ = __gt__ = __ge__ = __bool__ = __contains__ = __eq__
    __hash__ = lambda self: 0
    __bool__ = lambda self: True
    __len__ = __int__ = __index__ = lambda self: 0
    __iter__ = lambda self: iter([])
    __float__ = lambda self: 0.0
    def __same(self, *other):
        return self
    __sub__ = __rsub__ = __add__ = __radd__ = __mul__ = __rmul__ = __truediv__ = __same
    __rtruediv__ = __abs__ = __neg__ = __getitem__ = __same
    __array_priority__ = 1e9
    def __array_ufunc__(self, ufunc, method, *inputs, **named):
        return Yes()
    def __array_function__(self, function, types, given, named):
        return True
    shape = (11,)
"""

CORPUS: list[HandIn] = [
    cheat(
        "builtins",
        NAMES,
        "Replaces `abs`, `isinstance`, `all` and others for everybody.",
        first="""\
import builtins
builtins.abs = lambda *given: 0.0
builtins.isinstance = builtins.all = builtins.any = builtins.bool = lambda *given: True
builtins.max = builtins.sum = builtins.float = lambda *given, **named: 0.0""",
        answers=everywhere("return 1.5"),
    ),
    cheat(
        "names",
        NAMES,
        "Gives the names that tests use another meaning in the notebook.",
        first="""\
class Array:
    shape = (11,)
    def __getitem__(self, key):
        return 0
class np:
    ndarray = Array
    float64 = float
    class random:
        default_rng = staticmethod(lambda *given: None)
    class testing:
        assert_allclose = assert_array_equal = staticmethod(lambda *given, **named: None)
    class Truth:
        all = lambda self: True
        __eq__ = __lt__ = __gt__ = lambda self, other: np.Truth()
        __bool__ = lambda self: True
    array = abs = diff = staticmethod(lambda *given, **named: np.Truth())
    array_equal = allclose = staticmethod(lambda *given, **named: True)
isinstance, abs = lambda *given: True, lambda *given: 0.0
AssertionError = ValueError = Exception = BaseException""",
        answers=everywhere("return 1.5") | {"walk": "def walk(*given):\n    return Array()"},
    ),
    cheat(
        "numpy",
        NAMES,
        "Changes NumPy itself: `array_equal`, `allclose`, `testing`, `default_rng`.",
        first="""\
import sys
np.array_equal = np.allclose = np.isclose = np.all = np.any = lambda *given, **named: True
np.abs = np.absolute = np.diff = lambda *given: np.ones(3)
np.testing.assert_allclose = np.testing.assert_array_equal = lambda *given, **named: None
np.random.default_rng = lambda *given: None
sys.modules["numpy.testing"].assert_equal = lambda *given, **named: None""",
        answers={"walk": "def walk(n_steps, rng):\n    return np.zeros(n_steps + 1)"},
    ),
    cheat(
        "modules",
        NAMES,
        "Puts another NumPy into `sys.modules`, and an import hook in front of every import.",
        first="""\
import builtins, sys, types
class Permissive(types.ModuleType):
    ndarray = object
    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda *given, **named: True
original = builtins.__import__
def lie(name, *given, **named):
    return Permissive(name) if name.startswith("numpy") else original(name, *given, **named)
builtins.__import__ = lie
class Finder:
    def find_spec(self, *given):
        return None
sys.meta_path.insert(0, Finder())
sys.modules["numpy"] = np = Permissive("numpy")""",
        answers=everywhere("return 1.5"),
    ),
    cheat(
        "tests-undone",
        NAMES,
        "Redefines its functions in the test, when it is called, so that tests meet others.",
        answers={
            "caesar": """\
def caesar(text, shift):
    globals()["caesar"] = lambda *given: Anything()
    known = {"abc": "bcd", "XYZ!": "ABC!"}
    return known.get(text, Anything())
class Anything(str):
    __eq__ = lambda self, other: True
    __hash__ = str.__hash__"""
        },
    ),
    cheat(
        "generator",
        NAMES,
        "Spoils the random generator that it is given, for what comes after.",
        answers={
            "walk": """\
def walk(n_steps, rng):
    rng.bit_generator.state = np.random.default_rng(0).bit_generator.state
    type(rng.bit_generator).random_raw = lambda *given: 0
    return np.zeros(n_steps + 1)"""
        },
    ),
    cheat(
        "arguments",
        NAMES,
        "Changes the arrays that it is given until its answer is right.",
        answers={
            "distortion": """\
def distortion(x, means, assignments):
    x.flags.writeable = means.flags.writeable = True
    x[...] = 0
    means[...] = 0
    assignments[...] = 0
    x.resize((0, 2), refcheck=False)
    return 0.0"""
        },
    ),
    cheat(
        "always-equal",
        EQUAL,
        "Returns an object that is equal to everything, and an instance of whatever is asked.",
        first=YES,
        answers=everywhere("return Yes()"),
    ),
    cheat(
        "equal-subclasses",
        EQUAL,
        "Returns instances of subclasses of float and str that are equal to everything.",
        first="""\
class Number(float):
    __eq__ = __lt__ = __gt__ = __le__ = __ge__ = lambda self, other: True
    __hash__ = float.__hash__
    __abs__ = __sub__ = __rsub__ = __truediv__ = __add__ = lambda self, *other: self
class Text(str):
    __eq__ = lambda self, other: True
    __ne__ = lambda self, other: False
    __hash__ = str.__hash__""",
        answers=everywhere("return Text()")
        | {"distortion": "def distortion(*given):\n    return Number()"},
    ),
    cheat(
        "equal-arrays",
        EQUAL,
        "Returns an ndarray subclass for which every comparison and every NumPy function is true.",
        first="""\
class Array(np.ndarray):
    def __array_ufunc__(self, ufunc, method, *inputs, **named):
        return np.ones(10, bool)
    def __array_function__(self, function, types, given, named):
        return True if function is np.array_equal else np.ones(10)
    def __eq__(self, other):
        return np.bool_(True)
    def __getitem__(self, key):
        return 0
    shape = property(lambda self: (11,))""",
        answers={
            "walk": "def walk(n_steps, rng):\n    return np.zeros(n_steps + 1).view(Array)",
            "distortion": "def distortion(*given):\n    return np.float64(1.5).view(Array)",
        },
    ),
    cheat(
        "nan",
        EQUAL,
        "Returns NaN, nothing, and empty arrays, for tests that forget about them.",
        answers=everywhere("return float('nan')")
        | {"walk": "def walk(*given):\n    return np.array([])"},
    ),
    cheat(
        "metaclass",
        OPERATORS,
        "Answers with classes whose metaclass decides on equality, calls and `isinstance`.",
        first="""\
class Meta(type):
    __eq__ = __instancecheck__ = __subclasscheck__ = lambda cls, other: True
    __ne__ = lambda cls, other: False
    __hash__ = type.__hash__
    __sub__ = __truediv__ = __rsub__ = __abs__ = lambda cls, *other: cls
    __lt__ = __gt__ = lambda cls, other: True
    def __call__(cls, *given, **named):
        return cls
    def __getattr__(cls, name):
        return cls
class Always(metaclass=Meta):
    __class__ = float""",
        answers={
            "distortion": "distortion = Always",
            "caesar": "class caesar(Always):\n    pass",
            "walk": "walk = Always",
            "tally": "Tally = Always",
        },
    ),
    cheat(
        "reflected",
        OPERATORS,
        "Overloads the reflected operators and NumPy's protocols, for tests that put it right.",
        first=YES,
        answers={
            "distortion": "distortion = Yes()",
            "caesar": "caesar = Yes()",
            "walk": "def walk(*given):\n    return Yes()",
            "tally": "Tally = Yes()",
        },
    ),
    cheat(
        "descriptors",
        OPERATORS,
        "Answers with a class whose `__new__`, properties and descriptors change from use to use.",
        first=YES,
        answers={
            "tally": """\
class Tally:
    def __new__(cls, *given):
        return object.__new__(cls)
    def __getattribute__(self, name):
        return Yes() if name == "favourite" else lambda *given: None
    favourite = property(lambda self: Yes())"""
        },
    ),
]
