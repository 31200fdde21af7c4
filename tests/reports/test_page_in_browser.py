"""The report's page in a browser: read, searched, sorted, printed, and what it does not do."""

import csv
import json
import os
import re
import shutil
import unicodedata
from collections.abc import Iterator
from io import BytesIO, StringIO
from itertools import pairwise
from pathlib import Path
from urllib.parse import quote

import pytest
from axe_playwright_python.sync_playwright import Axe
from markdown_it import MarkdownIt
from playwright.sync_api import Browser, Locator, Page, sync_playwright
from pypdf import PdfReader
from safetensors import safe_open
from safetensors.numpy import save_file

from ablations.claims import CLAIMS
from ablations.plan import Plan
from ablations.planning import about, define
from ablations.results import Results
from ablations.run import DatasetRef
from ablations.store import Store
from ablations.study import Base, Contrast, FinalError, Study
from alexnet.presets import tiny
from reports.evidence import EVIDENCE
from reports.page.report import write_report
from reports.page.tables import NUMBERS
from tests.builders.kernels import CLASSES, written
from tests.builders.plans import MANIFEST, chosen, plan_of
from tests.builders.records import leaving, measures_of, record_of

TEMPLATES = Path(__file__).parents[2] / "reports" / "page" / "templates"
WIDE, DESK, TABLET, PHONE = 1920, 1280, 768, 375  # CSS pixels across
PAPER = 688  # A4 without its margins: 182 mm
UNFOLD = "document.querySelectorAll('details').forEach((one) => { one.open = true; })"

REFERENCE = "as it is"
NAMES = (
    "<script>alert(1)</script>",
    "</style><h1>x</h1>",
    "</script><b>x</b>",
    "<img src=x onerror=taken=1>",
    '" onmouseover="alert(4)',
    "\"double\" and 'single'",
    r"{{ 7*7 }} {% raise %} $\foo$",
    "&amp; &lt;b&gt;",
    "one | two \\| three \\",
    "two\nlines of which the second is longer than any legend has room for",
)
"""What others may call their arms."""
POINTS = (6.0, 5.5, -1.0, 0.5, 1.0, 2.0, 3.0, -4.0, 0.1, 10.0)
"""By which each errs more than the reference; as text, 10 would come before 2."""
# Names of files, which a plan is refused for if they could leave their folder.
STUDY, DATASET = "ideas", "their.own-images"
TITLE, QUESTION = "<i>Ideas</i> & more", "</p></article><script>alert(6)</script> {{ 6*7 }}?"
LEFT_OPEN, COMMAND = "<img src=x onerror=alert(7)>", "invoke ablate --study '</code><b>' --seeds 10"
HOSTILE_CLASS = "</style><b>x</b>"


def times(dataset: str, setting: str) -> Plan:
    """Return a plan of ReLU against tanh, ten seeds."""
    plan = chosen(plan_of(seeds=10))
    ref = plan.definition.dataset.model_copy(update={"name": dataset, "digest": dataset * 8})
    changed = plan.definition.model_copy(update={"setting": setting, "dataset": ref})
    return plan.model_copy(update={"definition": changed})


def errors() -> Plan:
    """Return a plan of ten contrasts whose every word is somebody else's."""
    changes = {name: {"training": {"batch": 10 + at}} for at, name in enumerate(NAMES)}
    contrasts = tuple(
        Contrast(
            arm=name, against=REFERENCE, direction="higher", margin=0.005, margin_reason=LEFT_OPEN
        )
        for name in NAMES
    )
    base = Base(
        config=tiny(), metric=FinalError(), rates=(0.001, 0.003), left_open=(LEFT_OPEN,)
    )  # fmt: skip
    study = Study(
        name=STUDY, title=TITLE, question=QUESTION, arms={REFERENCE: {}, **changes},
        contrasts=contrasts, bases={"fashion_mini": base},
    )  # fmt: skip
    definition = define(study, "fashion_mini", MANIFEST, 10, "float32", smoke=False)
    ref = DatasetRef(name=DATASET, digest="f" * 64, split="f" * 64)
    registered = plan_of().registered.model_copy(update={"command": COMMAND})
    return chosen(
        Plan(
            definition=definition.model_copy(update={"dataset": ref}),
            about=about(study, "fashion_mini"),
            registered=registered,
        )
    )


def examples(folder: Path) -> Path:
    """Write what a run keeps for Figure 4, one of its classes called as no class should be."""
    path = written(folder)
    with safe_open(path, "numpy") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    classes = [HOSTILE_CLASS, *CLASSES[1:]]
    known = {"dataset": DATASET, "classes": classes, "towers": 2}
    save_file(tensors, path, metadata={"about": json.dumps(known)})
    return path


def filled(results: Path) -> Store:
    """Return a folder of a question of one's own: ten effects of errors, one run with examples."""
    store, ideas = Store(results), errors()
    store.write_plan(ideas)
    for seed in range(10):
        for arm, more in ((REFERENCE, 0.0), *zip(NAMES, POINTS, strict=True)):
            noise = (seed % 3 - 1) * (0.0 if arm == REFERENCE else 0.001)
            measures = measures_of(0.1, 0.2, 0.3 + more / 100 + noise)
            run = ideas.run(arm, seed)
            record = record_of(run, [0.5, 0.2], measures=measures)
            if (arm, seed) == (REFERENCE, 0):
                store.folder(run).mkdir(parents=True)
                record = leaving(record, examples(store.folder(run)))
            store.add(record)
    return store


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a page: times on the paper's data, ten effects of errors, and a study half done."""
    store = filled(tmp_path_factory.mktemp("browser") / "results")
    for plan, seeds in ((times("cifar10", "closest reading"), 10), (times("half", "stand-in"), 3)):
        store.write_plan(plan)
        for seed in range(seeds):
            store.add(record_of(plan.run("tanh", seed), [0.6, 0.3, 0.1]))
            store.add(record_of(plan.run("relu", seed), [0.4 + seed / 100, 0.0]))
    return written_of(Store(store.path))  # as it is read from disk


def written_of(results: Results, out: Path | None = None) -> Path:
    """Write the page of a results folder, and return where it lies."""
    page, *_ = write_report(results, out or results.path / "report")
    return page


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a page that holds a question of one's own, and none of the paper's."""
    return written_of(filled(tmp_path_factory.mktemp("own") / "results"))


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the page of the evidence that ships: real studies, as many as there are."""
    return written_of(Results(EVIDENCE), tmp_path_factory.mktemp("shipped"))


def chromium() -> str:
    """Return where the system's Chromium or Chrome is; none is ever fetched."""
    found = shutil.which("chromium") or shutil.which("google-chrome")
    if found is None:
        reason = "needs a browser: apt-get install chromium"
        (pytest.fail if os.environ.get("REQUIRE_BROWSER") else pytest.skip)(reason)
    return str(found)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Return the system's own Chromium; where there is none, skip, or fail if it is required."""
    path = chromium()
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path)
        yield started
        started.close()


@pytest.fixture
def opened(browser: Browser, report: Path) -> Iterator[Page]:
    """Return the page on a desk's screen."""
    page = browser.new_page(viewport={"width": DESK, "height": 800})
    page.goto(report.as_uri())
    yield page
    page.close()


def texts(rows: Locator) -> list[str]:
    """Return the texts of elements in their order, spaces of all kinds alike."""
    return [re.sub(r"\s+", " ", text).strip() for text in rows.all_text_contents()]


def letters(text: str) -> str:
    """Return text without its spaces, and ligatures as their letters: how a PDF has it."""
    return re.sub(r"\s+", "", unicodedata.normalize("NFKC", text))


def table(within: Page | Locator, caption: str) -> Locator:
    """Return the first table with a caption."""
    return within.locator("table").filter(has_text=caption).first


# ---- The browser


@pytest.mark.parametrize(
    ("required", "outcome"), [("", pytest.skip.Exception), ("1", pytest.fail.Exception)]
)
def test_without_a_browser_these_are_skipped_unless_one_is_required(
    required: str, outcome: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the reason and the way out; where all is checked, no test may go missing quietly."""
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("REQUIRE_BROWSER", required)

    with pytest.raises(outcome, match="apt-get install chromium"):
        chromium()


# ---- Nothing but the page, and all of it


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_the_page_asks_for_nothing_and_complains_of_nothing(
    scripts: bool, browser: Browser, report: Path
) -> None:
    """One request, for the file itself; nothing on the console, no error."""
    context = browser.new_context(java_script_enabled=scripts)
    page = context.new_page()
    asked: list[str] = []
    said: list[object] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda line: said.append(line.text))
    page.on("pageerror", lambda error: said.append(error))

    page.goto(report.as_uri())

    # Images inside of figures are written in the page itself.
    assert [url for url in asked if not url.startswith("data:image/png;")] == [report.as_uri()]
    assert said == []
    context.close()


def test_without_scripts_everything_is_read(browser: Browser, report: Path) -> None:
    """Headline, verdict, tables and figures are there; what would do nothing is not."""
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(report.as_uri())

    assert page.locator("nav.side a").first.is_visible()
    assert page.locator("h1").inner_text().startswith("AlexNet")
    figure_1 = page.locator("article.study", has_text="claim C09").first
    for folded in page.locator("article.study > details > summary").all():
        folded.click()
    assert figure_1.locator(".verdicts").inner_text().startswith("C09 weaker: 1.91 times")
    assert page.get_by_text("Incomplete: 6 of 20 comparison runs.").is_visible()
    for caption in ("Claims with results", "Result of each arm", "Contrasts"):
        assert table(page, caption).is_visible(), caption
    assert page.locator("table.ledger tbody tr").count() == 30
    pictures = page.locator("figure:not(.small) .picture svg:visible")
    assert pictures.count() == 9  # front, Figures 1, 2, 3, both halves of 4, three studies
    assert all((one.bounding_box() or {"height": 0})["height"] > 100 for one in pictures.all())
    assert not page.locator(".filter").is_visible()
    assert not page.locator(".unfold").is_visible()
    assert page.locator("th button").count() == 0
    context.close()


# ---- Other people's words


def test_names_from_a_results_folder_stay_text(browser: Browser, report: Path) -> None:
    """Ten arms, a study, a dataset, a class and sentences that would be markup, scripts, code."""
    page = browser.new_page()
    dialogs: list[object] = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    page.goto(report.as_uri())
    there = page.evaluate(
        """() => ({
          scripts: document.scripts.length, images: document.images.length,
          styles: document.querySelectorAll("head > style").length,
          h1: document.querySelectorAll("h1").length,
          bold: document.querySelectorAll("b, i").length,
          handlers: [...document.querySelectorAll("*")].filter(
            (one) => [...one.attributes].some((each) => each.name.startsWith("on"))).length,
          taken: "taken" in window,
        })"""
    )
    study = page.locator("article.study", has=page.locator("h3", has_text=TITLE))

    assert dialogs == []
    assert there == {
        "scripts": 1, "images": 0, "styles": 1, "h1": 1, "bold": 0, "handlers": 0, "taken": False
    }  # fmt: skip
    names = table(study, "Result of each arm").locator("tbody th")
    assert names.all_text_contents() == [REFERENCE, *NAMES]
    shown = study.text_content() or ""
    for said in (STUDY, DATASET, TITLE, QUESTION, LEFT_OPEN, COMMAND):
        assert said in shown, said
    drawn = study.locator("svg text").all_text_contents()
    for name in NAMES:
        assert any(text.startswith(name.partition("\n")[0]) for text in drawn), name
    classes = page.locator("figure.photo svg text").all_text_contents()
    assert HOSTILE_CLASS in classes
    page.close()


def test_a_link_to_a_study_leads_to_it(opened: Page) -> None:
    """Whatever it is called."""
    opened.locator("nav a", has_text=TITLE).click()

    assert opened.locator("article.study h3:target").text_content() == f"{TITLE} {DATASET}"


def test_names_survive_in_the_tables_that_are_written(report: Path) -> None:
    """Markdown by a reader of it, CSV by Python's; in LaTeX by what would end a cell or a row."""
    stem = report.parent / "tables" / f"{STUDY}@{DATASET}"
    of_markdown, of_csv, of_latex = (
        Path(f"{stem}.{ending}").read_text() for ending in ("md", "csv", "tex")
    )
    in_a_line = [REFERENCE, *(name.replace("\n", " ") for name in NAMES)]

    tokens = MarkdownIt("commonmark").enable("table").parse(of_markdown)
    cells = [
        [part.content for part in inside.children or () if part.type != "html_inline"]
        for opening, inside in pairwise(tokens)
        if opening.type == "td_open"
    ]
    columns = sum(token.type == "th_open" for token in tokens)
    assert ["".join(cell) for cell in cells[::columns]] == in_a_line
    assert len(cells) == columns * len(in_a_line)

    rows = list(csv.reader(StringIO(of_csv)))
    assert [row[0] for row in rows[1:]] == [REFERENCE, *NAMES]
    headings = [inside.content for opening, inside in pairwise(tokens) if opening.type == "th_open"]
    assert rows[0][:columns] == headings  # what follows is the same in numbers
    assert {len(row) for row in rows} == {columns + 2 + len(NUMBERS)}

    between = of_latex.partition("\\midrule\n")[2].partition("\\bottomrule")[0]
    lines = between.splitlines()
    assert len(lines) == len(in_a_line)
    for line in lines:
        assert line.endswith(r" \\")
        assert len(re.findall(r"(?<!\\)&", line)) == columns - 1
        assert not re.search(r"(?<!\\)[#$%_]", line)


def test_a_curve_says_which_run_it_is(opened: Page, report: Path) -> None:
    """Under the pointer: its arm, its seed and the id that `report.json` has for it."""
    content = json.loads((report.parent / "report.json").read_text())
    study = next(name for name in content["studies"] if name.endswith("@cifar10"))
    run = content["studies"][study]["runs"]["relu"][3]
    tip = opened.locator(".tip")
    assert tip.is_hidden()

    curve = opened.locator("article.study [id$='curve-1-3']").first
    curve.scroll_into_view_if_needed()
    curve.locator("path").dispatch_event("pointermove")

    assert tip.text_content() == f"relu, seed 3, run {run['id']}"
    assert run["seed"] == 3
    curve.dispatch_event("pointerleave")
    assert tip.is_hidden()


# ---- Sorted and searched


def test_the_ledger_is_sorted_by_the_claims_numbers(opened: Page) -> None:
    """It comes as what surprises most; one click counts up, the next down."""
    ledger = table(opened, "Claims with results")
    head = ledger.locator("thead th").first
    ids = ledger.locator("tbody .id")

    def claims() -> list[str]:
        return [text[:3] for text in texts(ids)]

    before = claims()
    assert before != sorted(before)
    head.locator("button").click()
    assert (claims(), head.get_attribute("aria-sort")) == (sorted(before), "ascending")
    head.locator("button").click()
    assert (claims(), head.get_attribute("aria-sort")) == (sorted(before)[::-1], "descending")
    ledger.locator("thead button").nth(1).click()
    assert head.get_attribute("aria-sort") is None


@pytest.mark.parametrize("column", ["in margins", "ours [95 %]"])
def test_numbers_are_sorted_as_numbers(column: str, opened: Page) -> None:
    """From -8 to +20 margins, both ways; as text, +10 would come before +2, and -8 after -2."""
    opened.locator("details.forest summary").click()
    effects = table(opened, "Every effect that has a word")
    head = effects.locator("thead th", has_text=column)
    at = texts(effects.locator("thead th")).index(column)

    def numbers() -> list[float]:
        cells = texts(effects.locator(f"tbody tr > :nth-child({at + 1})"))
        return [float(re.sub(r"[^-+.\d].*", "", cell)) for cell in cells]

    before = numbers()
    assert len(before) == 11
    assert before != sorted(before)
    head.locator("button").click()
    assert (numbers(), head.get_attribute("aria-sort")) == (sorted(before), "ascending")
    head.locator("button").click()
    assert (numbers(), head.get_attribute("aria-sort")) == (sorted(before)[::-1], "descending")


@pytest.mark.parametrize(
    ("cells", "up"),
    [
        (["9.45", "> 16.0", "-", "at least 12.0 times", "-3"], [4, 0, 3, 1, 2]),
        (["1,200 images", "150 images", "60,965,224", ""], [1, 0, 2, 3]),
        (["3e-05", "0.001", "0.0001"], [0, 2, 1]),
        (["10 % of it", "9 seeds", "arm 10", "arm 9"], [1, 0, 3, 2]),  # not all numbers: words
        (["conv2", "conv10", "-", "conv1"], [3, 0, 1, 2]),
    ],
)
def test_bounds_groups_of_digits_and_gaps_have_their_place(
    cells: list[str], up: list[int], browser: Browser
) -> None:
    """By hand; what has no number comes last, whichever way."""
    rows = "".join(f"<tr><td>{cell}</td><td>{at}</td></tr>" for at, cell in enumerate(cells))
    page = browser.new_page()
    page.set_content(
        '<table class="sortable"><thead><tr><th>a</th><th>b</th></tr></thead>'
        f"<tbody>{rows}</tbody></table><script>{(TEMPLATES / 'script.js').read_text()}</script>"
    )
    empty = [at for at in up if cells[at] in ("-", "")]
    places = page.locator("tbody td:last-child")

    page.locator("th button").first.click()
    assert [int(text) for text in texts(places)] == up
    page.locator("th button").first.click()
    down = [at for at in up[::-1] if at not in empty] + empty
    assert [int(text) for text in texts(places)] == down
    page.close()


@pytest.mark.parametrize("width", [DESK, PHONE])
def test_the_filter_shows_the_rows_that_say_it(width: int, opened: Page) -> None:
    """In folded groups too, and how many of how many; spaces that do not break are spaces."""
    opened.set_viewport_size({"width": width, "height": 800})
    rows = opened.locator("table.ledger tbody tr")
    output, folded = opened.locator(".filter output"), opened.locator("details.folded")
    said = texts(rows)
    wanted = [at for at, text in enumerate(said) if "Decay".lower() in text.lower()]
    assert not all(rows.nth(at).is_visible() for at in wanted)  # one is folded away

    opened.fill("#filter", "  Decay ")
    assert [at for at in range(30) if rows.nth(at).is_visible()] == wanted
    assert output.text_content() == f"{len(wanted)} of 30"

    opened.fill("#filter", "25 % training error")
    assert [said[at][:3] for at in range(30) if rows.nth(at).is_visible()] == ["C09"]
    assert output.text_content() == "1 of 30"

    opened.fill("#filter", "nobody says this")
    assert output.text_content() == "0 of 30"

    opened.fill("#filter", "")
    assert opened.locator("table.ledger tbody tr[hidden]").count() == 0
    assert not any(one.get_attribute("open") is not None for one in folded.all())
    assert output.text_content() == ""


# ---- On every screen, for everyone, on paper


@pytest.mark.parametrize("width", [PHONE, TABLET, DESK])
def test_the_page_is_never_wider_than_the_screen(width: int, opened: Page) -> None:
    """Nor once everything is unfolded; what is wider scrolls in a frame of its own."""
    opened.set_viewport_size({"width": width, "height": 800})
    across = "document.scrollingElement.scrollWidth"

    assert opened.evaluate(across) <= width
    opened.evaluate(UNFOLD)
    assert opened.evaluate(across) <= width


def test_the_answer_is_on_the_first_screen(opened: Page) -> None:
    """On 1280 pixels: the sentence, and with eleven judged effects both pictures."""
    headline = opened.locator("h1").bounding_box()
    pictures = [one.bounding_box() for one in opened.locator("header .picture:visible").all()]

    assert headline is not None
    assert headline["y"] + headline["height"] <= 300
    assert len(pictures) == 2
    for box in pictures:
        assert box is not None
        assert box["y"] <= 300
        assert box["y"] + box["height"] <= 900


@pytest.mark.parametrize("width", [PHONE, DESK])
def test_the_front_picture_fits_its_screen(width: int, opened: Page) -> None:
    """Names and verdicts without a scroll; on a phone above the bars, and 10 pixels large."""
    opened.set_viewport_size({"width": width, "height": 800})
    shown = opened.locator("header figure:is(.desk, .phone):visible")
    picture = shown.locator(".picture")
    smallest = (
        "(svg) => Math.min(...[...svg.querySelectorAll('text')].map("
        "(one) => one.getBoundingClientRect().height))"
    )

    assert shown.count() == 1
    assert picture.evaluate("(one) => one.scrollWidth - one.clientWidth") <= 0
    said = texts(picture.locator("svg text"))
    assert "weaker" in said
    assert "ReLU trains faster than tanh" in said
    assert picture.locator("svg").evaluate(smallest) >= (10 if width == PHONE else 8)
    assert ("goes on to the right" in before_of(shown.locator("figcaption"))) is False


@pytest.mark.parametrize("width", [PHONE, DESK])
def test_verdicts_are_seen_without_scrolling(width: int, opened: Page) -> None:
    """Beside names of any length, in tables of which the rest goes on to the right."""
    opened.set_viewport_size({"width": width, "height": 800})
    opened.evaluate(UNFOLD)
    tables = opened.locator("article.study .scroll", has=opened.locator("table.judged"))

    assert tables.count() == 4  # two of times, and of errors the arms and the contrasts
    for one in tables.all():
        frame = one.bounding_box()
        for cell in one.locator("tbody td:nth-child(2)").all():
            box = cell.evaluate(
                "(one) => { const words = document.createRange(); words.selectNodeContents(one);"
                " return words.getBoundingClientRect().right; }"
            )
            assert frame is not None
            assert box <= frame["x"] + frame["width"]


def before_of(element: Locator) -> str:
    """Return what a style puts before an element."""
    return str(element.evaluate("(one) => getComputedStyle(one, '::before').content"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [DESK, PHONE])
def test_nothing_keeps_anyone_from_reading_it(width: int, scheme: str, opened: Page) -> None:
    """By axe's rules: contrast, names, structure, keyboard; nothing that it calls serious."""
    opened.set_viewport_size({"width": width, "height": 800})
    opened.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    opened.evaluate(UNFOLD)

    found = Axe().run(opened, {"exclude": [["svg"]]}).response  # named by what is around them

    scrolls = {"scrollable-region-focusable"} if width == PHONE else set()  # on a desk nothing does
    assert {"color-contrast", *scrolls} <= {one["id"] for one in found["passes"]}
    assert [(one["id"], one["impact"], len(one["nodes"])) for one in found["violations"]] == []


def test_paper_has_what_the_screen_has(opened: Page) -> None:
    """What is folded stays so, and what was opened is printed; what is clicked is left out."""
    of_study = opened.locator("article.study > details").first
    legend = opened.locator("details.words dl")
    numbers, heading = of_study.locator("table").first, opened.locator("article.study h3").first

    opened.emulate_media(media="print")
    assert heading.is_visible()
    assert legend.is_visible()  # every word is explained, folded or not
    assert not numbers.is_visible()
    assert "is not printed" in opened.locator("footer").inner_text()
    assert not opened.locator("nav").is_visible()
    assert not opened.locator(".filter").is_visible()
    opened.evaluate(UNFOLD)
    assert numbers.is_visible()
    opened.set_viewport_size({"width": PAPER, "height": 1000})
    assert opened.evaluate("document.scrollingElement.scrollWidth") <= PAPER  # or all is shrunk


def test_the_first_page_on_paper_is_the_answer(opened: Page) -> None:
    """The sentence, both pictures and the facts on one A4 page; the ledger begins the second."""
    headline = opened.locator("h1").inner_text()
    captions = texts(opened.locator("header figcaption:visible"))
    facts = texts(opened.locator(".facts dd"))

    document = PdfReader(BytesIO(opened.pdf(prefer_css_page_size=True)))
    first, second = (letters(document.pages[number].extract_text()) for number in (0, 1))

    assert [round(float(side)) for side in document.pages[0].mediabox[2:]] == [595, 842]
    assert letters(headline) in first
    assert len(facts) == 4
    for said in (*captions, *facts):
        assert letters(said) in first
    assert second.startswith(letters("What the paper claims, and what is known of it"))
    assert letters("corrected p below 0.05") in second  # what the words mean, folded on the screen


# ---- Short, and found all the same

CLIPPED = """() => [...document.querySelectorAll(".scroll")]
  .filter((one) => one.scrollWidth > one.clientWidth)
  .map((one) => `${one.getAttribute("aria-label")}: ${one.scrollWidth} in ${one.clientWidth}`)"""
PER_STUDY, OTHERWISE = 1300, 6000
"""Pixels: a headline and a figure; the front, the ledger, the paper's tables and figures."""


@pytest.fixture
def evidence(browser: Browser, shipped: Path) -> Iterator[Page]:
    """Return the page of the evidence on a desk's screen."""
    page = browser.new_page(viewport={"width": DESK, "height": 800})
    page.goto(shipped.as_uri())
    yield page
    page.close()


def test_a_study_is_a_headline_and_a_figure(evidence: Page) -> None:
    """All else of it is folded, so that the page grows by a screen and a half a study."""
    studies = evidence.locator("article.study")
    height = evidence.evaluate("document.scrollingElement.scrollHeight")

    assert height <= OTHERWISE + PER_STUDY * studies.count()
    for study in studies.all():
        shown = study.locator("figure:visible")
        assert study.locator(".headline").is_visible()
        assert shown.count() == (0 if "six_times" in (study.text_content() or "")[:200] else 1)
        assert not study.locator("table:visible").count()
        box = study.bounding_box()
        pictures = sum((one.bounding_box() or {"height": 0})["height"] for one in shown.all())
        assert box is not None
        assert box["height"] - pictures <= 350, study.locator("h3").inner_text()
    assert not evidence.locator("#deviations ~ details table").is_visible()


def test_the_evidence_is_printed_on_a_page_for_two_studies(evidence: Page) -> None:
    """And five for the front, the claims, the tables and figures; two more for what is uneven."""
    document = PdfReader(BytesIO(evidence.pdf(prefer_css_page_size=True)))

    assert len(document.pages) <= 7 + (evidence.locator("article.study").count() + 1) // 2


@pytest.mark.parametrize("width", [DESK, WIDE])
@pytest.mark.parametrize("name", ["report", "shipped", "own"])
def test_no_table_is_clipped_on_a_desk(
    name: str, width: int, browser: Browser, request: pytest.FixtureRequest
) -> None:
    """Unfolded, every column of every table is within its frame, the p-values last."""
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.goto(request.getfixturevalue(name).as_uri())
    page.evaluate(UNFOLD)

    assert page.locator(".scroll").count() > 4
    assert page.evaluate(CLIPPED) == []
    page.close()


@pytest.mark.parametrize("width", [DESK, PHONE])
def test_every_link_opens_what_it_leads_to(width: int, evidence: Page) -> None:
    """By click: its heading is on the screen, and what hides all of its part is unfolded."""
    evidence.set_viewport_size({"width": width, "height": 800})
    links = evidence.locator('a[href^="#"]:not(.skip)')
    hashes = links.evaluate_all("(links) => [...new Set(links.map((one) => one.hash))]")

    assert len(hashes) > evidence.locator("article.study").count()
    for where in hashes:
        evidence.evaluate(UNFOLD.replace("true", "one.matches('nav *')"))
        evidence.locator(f'nav a[href="{where}"]').first.click()
        target = evidence.locator(where)
        bar = evidence.locator("nav.side").bounding_box()
        box = target.bounding_box()
        assert box is not None
        assert bar is not None
        assert target.evaluate("(one) => one.matches(':target')")
        assert (0 if width == DESK else bar["height"] - 1) <= box["y"] <= 800, where
        part = evidence.locator("article, main > section").filter(has=target).last
        for whole in part.locator("> details.whole").all():
            assert whole.get_attribute("open") is not None, where


def test_a_deep_link_opens_a_study_that_is_folded(browser: Browser, shipped: Path) -> None:
    """Its figure is seen, though on the page it is folded away."""
    page = browser.new_page(viewport={"width": DESK, "height": 800})
    page.goto(shipped.as_uri())
    anchor = "study-six_times-on-cifar10_jpeg"
    figure = page.locator(f"article[aria-labelledby='{anchor}'] figure").first
    assert not figure.is_visible()

    page.goto("about:blank")
    page.goto(f"{shipped.as_uri()}#{anchor}")

    assert figure.is_visible()
    heading = page.locator(f"#{anchor}").bounding_box()
    assert heading is not None
    assert 0 <= heading["y"] <= 100
    page.close()


def test_words_are_found_in_what_is_folded(browser: Browser, shipped: Path) -> None:
    """As the browser finds words of a page; the fold around them opens."""
    page = browser.new_page(viewport={"width": DESK, "height": 800})
    words = "error is counted while training"
    page.goto(shipped.as_uri())
    said = page.get_by_text(words).first
    assert not said.is_visible()

    page.goto("about:blank")
    page.goto(f"{shipped.as_uri()}#:~:text={quote(words)}")
    said.wait_for(state="visible", timeout=5000)

    page.close()


def test_the_contents_stay_beside_the_page_and_say_where_one_is(evidence: Page) -> None:
    """On a desk: at the end of the page too."""
    contents = evidence.locator("nav.side")

    evidence.evaluate("scrollTo(0, document.scrollingElement.scrollHeight)")
    current = evidence.locator("nav a[aria-current]")
    current.wait_for()

    box = contents.bounding_box()
    assert box is not None
    assert box["y"] >= 0
    assert box["x"] + box["width"] < (evidence.locator("main").bounding_box() or box)["x"]
    assert texts(current) == ["Provenance"]
    assert current.is_visible()


def test_the_contents_are_a_bar_on_a_phone(browser: Browser, shipped: Path) -> None:
    """Folded until they are asked for, and again once they have led somewhere."""
    page = browser.new_page(viewport={"width": PHONE, "height": 700})
    page.goto(shipped.as_uri())
    contents, link = page.locator("nav.side"), page.locator("nav a", has_text="Provenance")
    assert not link.is_visible()

    contents.locator("summary").click()
    assert link.is_visible()
    link.click()

    assert not link.is_visible()
    bar, heading = contents.bounding_box(), page.locator("#provenance").bounding_box()
    assert bar is not None
    assert heading is not None
    assert (bar["y"], bar["height"] < 60) == (0, True)
    assert bar["height"] <= heading["y"] < 700
    page.close()


def test_one_button_unfolds_everything_and_folds_it_again(opened: Page) -> None:
    """For paper, and for browsers that do not look into folds."""
    closed = "document.querySelectorAll('main details:not([open])').length"
    before = opened.evaluate(closed)
    assert before > 10

    opened.locator(".unfold").click()
    assert opened.evaluate(closed) == 0
    opened.locator(".unfold").click()
    assert opened.evaluate(closed) >= before


# ---- Questions of one's own


def test_a_page_of_own_questions_has_nothing_of_the_papers_claims(
    browser: Browser, own: Path
) -> None:
    """No ledger, no count of claims, none of its tables; the study, its errors and pictures."""
    page = browser.new_page(viewport={"width": DESK, "height": 800})
    page.goto(own.as_uri())
    said = page.locator("body").inner_text()
    page.evaluate(UNFOLD)
    unfolded = page.locator("body").inner_text()

    assert page.locator("#ledger, .ledger, .filter").count() == 0
    for words in ("claims", "Table 1", "Table 2", "Figure 2", "Krizhevsky"):
        assert words not in unfolded, words
    for claim in CLAIMS.values():
        assert claim.says not in unfolded
        assert not re.search(rf"\b{claim.id}\b", said), claim.id
    assert texts(page.locator("nav summary ~ ul > li > a")) == [
        "Errors", "Inside the networks", "The studies", "Deviations", "Provenance",
    ]  # fmt: skip
    assert page.locator("article.study").count() == 1
    assert page.locator("figure.photo:visible").count() == 3
    names = {path.stem for path in (own.parent / "tables").iterdir()}
    assert names & {"ledger", "table1", "table2"} == set()
    assert "errors_elsewhere" in names
    page.close()
