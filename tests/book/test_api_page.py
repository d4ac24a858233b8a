"""The library reference: nothing public is missing, and docstrings read as they are written."""

import re
from collections import Counter
from collections.abc import Iterator
from types import SimpleNamespace

import docutils.core
import docutils.nodes
import pytest

import explorable
import latent
from tests.book.chapters import PAGES, TEACHING, source
from tools.api import as_rst, directives, exported, show_as_code

API = [page for page in PAGES if page.startswith("book/api")]
MODULES = " ".join(re.findall(r"^\.\. api:: (.+)$", "".join(map(source, API)), flags=re.M)).split()
EXPORTED = {module: exported(module) for module in MODULES}
PUBLIC = [f"{p.__name__}.{name}" for p in (latent, explorable) for name in p.__all__]
NAMES = [name for names in EXPORTED.values() for name in names]


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_name_is_in_the_reference(name):
    assert name in [*NAMES, *MODULES], (
        f"{name} is missing: add `.. api:: <its module>` to a page of book/api"
    )


def test_the_reference_has_each_name_once():
    assert [name for name, n in Counter(NAMES).items() if n > 1] == []
    assert [name for name, n in Counter(MODULES).items() if n > 1] == []


@pytest.mark.parametrize("module", MODULES)
def test_a_module_of_the_reference_has_something_to_document(module):
    assert EXPORTED[module], f"{module.split('.')[0]} exports nothing of {module}"


def test_a_module_lists_its_names_as_users_type_them_in_the_order_of_the_file():
    names = list(exported("latent.clustering"))
    assert names[:2] == ["latent.KMeans", "latent.distortion"]
    assert "latent.kmeans" in names
    assert "latent.data.old_faithful" in exported("latent.data")
    assert list(exported("explorable.widget")) == ["explorable.explore", "explorable.show"]


def test_a_class_comes_with_its_public_methods():
    lines = list(directives("latent.hmm"))
    methods = lines[lines.index(".. autoclass:: latent.HMM") + 1]
    assert re.fullmatch(r"   :members: n_states, sample, .*\bstate_marginals\b.*", methods)
    assert "_" not in [m[0] for m in methods.removeprefix("   :members: ").split(", ")]


def parsed(lines: list[str], **names) -> docutils.nodes.document:
    """The document of a docstring, made as the book makes it."""
    text = "\n".join(as_rst(lines, **names))
    return docutils.core.publish_doctree(text, settings_overrides={"warning_stream": False})


def test_formulas_and_symbols_of_a_docstring_stay_as_they_are():
    text = r"Minimise |x - mu|^2 over a*b with x_ free and \n kept, not `code`."
    formula = "    J = sum_n |x_n - mu_k|^2 * r_nk\n          + a_ij"
    document = parsed([text, "", *formula.split("\n"), "", "and so on."])
    first, block, last = document.children
    assert first.astext() == text.replace("`", "")
    assert isinstance(block, docutils.nodes.literal_block)
    assert block.astext() == "J = sum_n |x_n - mu_k|^2 * r_nk\n      + a_ij"
    assert last.astext() == "and so on."


def test_a_description_of_one_letter_is_no_list():
    document = parsed(
        ["Parameters", "----------", "n_steps : int", "    T.", "tol : float", "    J."]
    )
    assert not list(document.findall(docutils.nodes.enumerated_list))
    assert [p.astext() for p in document.findall(docutils.nodes.paragraph)] == [
        "n_steps (int) -- T.",
        "tol (float) -- J.",
    ]


def test_a_list_with_a_formula_in_it_is_one_list():
    document = parsed(["- One:", "", "      a = b,", "", "  and on.", "- Two."])
    (items,) = document.children
    assert [len(item.children) for item in items] == [3, 1]
    assert isinstance(items[0][1], docutils.nodes.literal_block)


def test_a_result_of_a_public_type_is_a_link():
    lines = ["Returns", "-------", "Fit", "    The best."]
    assert as_rst(lines, "latent", ["Fit"])[0] == ":returns: `~latent.Fit` -- The best."
    assert as_rst(lines, "latent", ["Other"])[0] == ":returns: *Fit* -- The best."


@pytest.mark.parametrize(
    ("target", "is_code"),
    [
        ("initial", True),
        ("numpy.ma", True),
        ("latent.kl(q, p)", True),
        ("latent.checks.whole", True),  # there, though not in the reference
        ("latent.no_such_name", False),
        ("latent.chain.no_such_name", False),
    ],
)
def test_a_name_without_an_entry_is_code_unless_it_should_exist(target, is_code):
    env = SimpleNamespace(domains={"py": SimpleNamespace(modules={"latent.chain": ...})})
    node = {"reftype": "obj", "reftarget": target}
    assert show_as_code(None, env, node, "code") == ("code" if is_code else None)
    assert show_as_code(None, env, node | {"reftype": "ref"}, "code") is None


def docstrings() -> Iterator[tuple[str, str]]:
    """Every docstring on the page, with the name of its owner."""
    for names in EXPORTED.values():
        for name, value in names.items():
            yield name, value.__doc__
            for method, member in vars(value).items() if isinstance(value, type) else ():
                if method[0] != "_" and (doc := getattr(member, "__doc__", None)):
                    yield f"{name}.{method}", doc
    for module in MODULES:
        yield module, __import__(module, fromlist=["_"]).__doc__


@pytest.mark.parametrize(("name", "text"), list(docstrings()))
def test_a_docstring_is_well_formed(name, text):
    first, *rest = text.expandtabs().split("\n")
    margin = min((len(r) - len(r.lstrip()) for r in rest if r.strip()), default=0)
    document = parsed([first, *(r[margin:] for r in rest)])
    complaints = [m.astext() for m in document.findall(docutils.nodes.system_message)]
    assert complaints == []
    for unwanted in (docutils.nodes.block_quote, docutils.nodes.definition_list):
        assert not list(document.findall(unwanted)), f"{name}: unclear indentation"


PROSE = re.compile(r"^(```|~~~).*?^\1|^\$\$.*?^\$\$", flags=re.M | re.S)


@pytest.mark.parametrize("page", TEACHING)
def test_the_first_mention_of_a_name_in_a_chapter_is_a_link(page):
    prose = PROSE.sub("", source(page))
    for name in set(re.findall(r"`(latent\.[\w.]+)`", prose)):
        first = prose[prose.index(f"`{name}`") - 1 :]
        assert first.startswith(f"[`{name}`](#{name})"), f"write [`{name}`](#{name})"


@pytest.fixture(scope="module")
def anchors(html) -> set[str]:
    """The addresses of the entries: `book/api/em.html#latent.kmeans`."""
    return {
        f"{page}.html#{name}"
        for page in API
        for name in re.findall(
            r'<dt class="sig[^"]*" id="([^"]+)"', (html / f"{page}.html").read_text()
        )
    }


@pytest.mark.book
def test_the_built_pages_have_an_entry_for_each_name(anchors):
    entries = {anchor.split("#")[1] for anchor in anchors}
    assert {n for n in PUBLIC if n not in MODULES} <= entries
    assert {f"latent.HMM.{n}" for n in ("sample", "log_evidence", "n_states")} <= entries


@pytest.mark.book
@pytest.mark.parametrize("page", TEACHING)
def test_a_link_of_a_chapter_leads_to_an_entry(html, anchors, page):
    text = (html / f"{page}.html").read_text()
    links = re.findall(r'href="\.\./(api/\w+\.html#[^"]+)"', text)
    assert {f"book/{link}" for link in links} <= anchors
    assert len(links) >= source(page).count("](#latent.")
