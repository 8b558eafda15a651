"""The site in a real browser, from a file:// path: no console errors, tables, plots, names as text, dark, phone."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select, WebDriverWait

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="needs a browser: apt install chromium chromium-driver"
)
PATIENCE_SECONDS = 20
PAGES = (
    "index.html", "suites/first.html", "rankings/decide-dense-tight.html", "surrogates.html",
    "settings/highs-decide-*.html", "instances/easy-000--tight.html",
    "instances/easy-149--tight.html", "instances/*script*.html", "contradictions.html", "logs/wrong.html",
    "methods.html", "machines.html", "downloads.html",
)  # fmt: skip


@pytest.fixture(scope="module")
def browser() -> Iterator[webdriver.Chrome]:
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    yield driver
    driver.quit()


@pytest.fixture
def visit(browser: webdriver.Chrome, site: Path) -> Callable[..., webdriver.Chrome]:
    """A function that opens a page of the site in a window this wide, and waits until its plots are drawn."""
    blank = site.with_name("blank.html")
    blank.write_text("<!doctype html><title>blank</title>")

    def go(pattern: str, width: int = 1280, *, dark: bool = False) -> webdriver.Chrome:
        (path, *_) = sorted(site.glob(pattern))
        mobile = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 600}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", mobile)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
        browser.get(blank.as_uri())  # a page that draws nothing, with the storage of all pages in files
        browser.execute_script("localStorage.clear()")
        browser.get_log("browser")
        browser.get(path.as_uri())
        drawn = "return [...document.querySelectorAll('.canvas')].every((plot) => plot.querySelector('.main-svg'))"
        WebDriverWait(browser, PATIENCE_SECONDS).until(lambda driver: driver.execute_script(drawn))
        return browser

    return go


def column(browser: webdriver.Chrome, table: str, number: int) -> list[str]:
    script = "return [...document.querySelectorAll(arguments[0])].map((cell) => cell.textContent.trim())"
    return browser.execute_script(script, f"#{table} tbody tr > :nth-child({number})")


def head(browser: webdriver.Chrome, table: str, title: str):
    heads = browser.find_elements(By.CSS_SELECTOR, f"#{table} thead th")
    return next(found for found in heads if found.text.strip().startswith(title))


@pytest.mark.parametrize("pattern", PAGES)
@pytest.mark.parametrize("width", [1280, 390])
def test_pages_load_without_console_messages_and_fit(visit, pattern, width):
    browser = visit(pattern, width)
    assert browser.get_log("browser") == []
    script = "return [document.documentElement.scrollWidth, document.body.scrollWidth, window.innerWidth]"
    of_page, of_body, of_window = browser.execute_script(script)
    assert max(of_page, of_body) <= of_window == width


def test_a_table_sorts_with_the_keyboard_and_says_so(visit):
    browser = visit("instances/easy-000--tight.html")
    for key, direction in ((Keys.ENTER, "ascending"), (Keys.SPACE, "descending")):
        head(browser, "classes", "best, exact").find_element(By.TAG_NAME, "button").send_keys(key)
        numbers = [float(text.replace("−", "-")) for text in column(browser, "classes", 5)]
        assert numbers == sorted([0.0, 0.25, -2.0], reverse=direction == "descending")
        assert head(browser, "classes", "best, exact").get_attribute("aria-sort") == direction
    assert len(browser.find_elements(By.CSS_SELECTOR, "#classes th[aria-sort]")) == 1


def test_cells_such_as_8_of_9_sort_by_number(browser, site, tmp_path):
    texts = ["10/10", "9/10", "100/200", "2 of 3", "30 of 40", "1–2", "1.5 (9)", "12%", "–", "−3", "scip 2"]
    rows = "".join(f"<tr><td>{text}</td></tr>" for text in texts)
    page = tmp_path / "page.html"
    page.write_text(
        '<!doctype html><meta charset="utf-8"><button id="theme"></button><div><table class="sortable" id="numbers">'
        f"<thead><tr><th>n</th></tr></thead><tbody>{rows}</tbody></table></div>"
        f'<script src="{(site / "assets" / "site.js").as_uri()}"></script>',
        encoding="utf-8",
    )
    browser.get(page.as_uri())
    browser.find_element(By.CSS_SELECTOR, "#numbers button").click()
    assert column(browser, "numbers", 1) == [
        "−3", "1–2", "1.5 (9)", "2 of 3", "9/10", "10/10", "12%", "30 of 40", "100/200", "scip 2", "–"
    ]  # fmt: skip


def test_no_order_lifts_a_wrong_setting_above_the_line(visit):
    browser = visit("index.html")
    head(browser, "ranking", "setting").find_element(By.TAG_NAME, "button").send_keys(Keys.ENTER)
    head(browser, "ranking", "setting").find_element(By.TAG_NAME, "button").send_keys(Keys.ENTER)
    assert head(browser, "ranking", "setting").get_attribute("aria-sort") == "descending"
    names = [name for name in column(browser, "ranking", 2) if name]
    assert names[-1] == "scip decide"


def test_a_long_table_filters_and_shows_more(visit):
    browser = visit("suites/first.html")
    output = browser.find_element(By.CSS_SELECTOR, 'output[data-table="instances"]')
    assert output.text == "151 rows"
    assert len(column(browser, "instances", 1)) == 25
    browser.find_element(By.CSS_SELECTOR, "#h-instances ~ .more").click()
    assert len(column(browser, "instances", 1)) == 151
    field = browser.find_element(By.CSS_SELECTOR, 'input[data-table="instances"]')
    field.send_keys("easy-14 contradicted")
    assert column(browser, "instances", 1) == ["easy-149--tight"]
    assert output.text == "1 of 151 rows"
    field.clear()
    field.send_keys("nothing like it")
    assert column(browser, "instances", 1) == []


def test_plots_have_their_points_and_name_them(visit):
    browser = visit("suites/first.html")
    traces = browser.execute_script(
        "return document.getElementById('plot-cactus').data.map((t) => [t.name, t.y.length])"
    )
    assert dict(traces)["highs decide"] == 151  # a step for each, and one up to the limit
    assert dict(traces)["scip decide"] == 75
    named = browser.execute_script("return document.getElementById('plot-cactus').data[0].customdata.slice(0, 2)")
    assert named == ["easy-000--tight", "easy-001--tight"]


def test_a_click_on_a_point_opens_its_instance(visit):
    browser = visit("suites/first.html")
    browser.execute_script(
        "const plot = document.getElementById('plot-cactus');"
        "plot.emit('plotly_click', {points: [{data: plot.data[0], pointNumber: 0}]})"
    )
    WebDriverWait(browser, PATIENCE_SECONDS).until(lambda driver: "easy-000--tight" in driver.current_url)


def test_the_legend_hides_a_setting(visit):
    browser = visit("suites/first.html")
    button = next(b for b in browser.find_elements(By.CSS_SELECTOR, ".legend button") if b.text == "scip decide")
    button.send_keys(Keys.ENTER)
    script = "return document.getElementById('plot-profile').data.filter((t) => t.visible).map((t) => t.name)"
    assert browser.execute_script(script) == ["highs decide"]
    assert button.get_attribute("aria-pressed") == "false"


@pytest.mark.parametrize("dark", [False, True])
def test_the_legend_shows_each_setting_as_its_plots_do(visit, dark):
    browser = visit("suites/first.html", dark=dark)
    legend = browser.execute_script("""
        return [...document.querySelector(".legend").querySelectorAll("button")].map((button) => {
          const swatch = button.querySelector(".swatch");
          return [button.textContent.trim(), getComputedStyle(swatch).color, swatch.classList[2]];
        })""")
    drawn = browser.execute_script("""
        const plot = document.getElementById("plot-cactus");
        return [...plot.querySelectorAll(".trace .js-line")].map((line, place) =>
          [plot.data[place].name, line.style.stroke, plot.data[place].line.dash])""")
    assert len(drawn) == 2
    assert sorted(legend) == sorted(drawn)


def test_any_two_settings_can_be_compared(visit):
    browser = visit("rankings/decide-dense-tight.html")
    script = "const {x, y} = document.getElementById('plot-pair').data[0]; return [x[0], y[0]]"
    assert browser.execute_script(script) == [100.0, 0.1]  # the first one: scip at its limit, highs
    Select(browser.find_element(By.ID, "pair-x")).select_by_visible_text("highs decide")
    assert browser.execute_script(script) == [0.1, 0.1]


def test_a_setting_is_compared_with_the_best_of_the_others(visit):
    browser = visit("settings/scip-decide-*.html")
    assert browser.execute_script("return document.getElementById('plot-against-best').data[0].x.length") == 150


def test_a_hostile_name_is_shown_as_text(visit):
    browser = visit("instances/*script*.html")
    title = browser.find_element(By.TAG_NAME, "h1")
    assert title.text.startswith("<script>alert(1)</script>\"'><img src=x onerror=alert(2)>/../../{{7*7}}&amp;%{x}")
    assert browser.execute_script("return document.querySelectorAll('main script, main img[onerror]').length") == 0
    for page in ("index.html", "suites/*script*.html", "settings/*script*.html"):
        browser = visit(page)
        assert "<script>alert(1)</script>" in browser.find_element(By.TAG_NAME, "main").text
        assert browser.get_log("browser") == []


def test_a_link_to_a_run_opens_its_evidence(visit, site):
    browser = visit("contradictions.html")
    browser.find_element(By.PARTIAL_LINK_TEXT, "h149").click()
    details = browser.find_element(By.ID, "run-h149")
    WebDriverWait(browser, PATIENCE_SECONDS).until(lambda driver: details.get_attribute("open") is not None)


def test_light_and_dark_follow_the_system_until_the_reader_chooses(visit):
    def ground(browser):
        return browser.execute_script("return getComputedStyle(document.body).backgroundColor")

    light, dark = ground(visit("index.html")), ground(visit("index.html", dark=True))
    assert (light, dark) == ("rgb(255, 255, 255)", "rgb(18, 22, 28)")
    browser = visit("index.html", dark=True)
    colour = "return document.querySelector('#plot-profile .xtick text').style.fill"
    before = browser.execute_script(colour)
    browser.find_element(By.ID, "theme").send_keys(Keys.ENTER)
    assert ground(browser) == light
    assert browser.execute_script(colour) != before
    browser.find_element(By.LINK_TEXT, "Machines").click()
    assert ground(browser) == light
    browser.execute_script("try { localStorage.clear() } catch {}")


def test_the_address_of_a_page_can_be_a_web_host_too(visit, site, browser, tmp_path):
    """The site works from a server as from a disk, because scripts and style are its own."""
    import functools
    import http.server
    import threading

    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(site))
    handler.log_message = lambda *_: None
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        browser.get_log("browser")
        browser.get(f"http://127.0.0.1:{server.server_port}/suites/first.html")
        drawn = "return [...document.querySelectorAll('.canvas')].every((plot) => plot.querySelector('.main-svg'))"
        WebDriverWait(browser, PATIENCE_SECONDS).until(lambda driver: driver.execute_script(drawn))
        assert browser.get_log("browser") == []
        server.shutdown()
