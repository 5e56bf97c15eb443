//! The page of `--serve` in a real browser: each button is pressed, and what is shown is read. Pictures of both themes lie in
//! `target/tmp/page`.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests may panic")]

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use chromium::Chromium;

mod chromium;
mod trace_format;

/// The program, and where its page is.
struct Program {
    child: Child,
    url: String,
}

impl Program {
    fn start() -> Program {
        let mut child = Command::new(env!("CARGO_BIN_EXE_anatomy"))
            .arg("--serve")
            // No browser of whoever runs the tests.
            .env_remove("DISPLAY")
            .env_remove("WAYLAND_DISPLAY")
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("piped");
        BufReader::new(stdout).read_line(&mut line).expect("a line");
        let url = line.split(' ').find(|word| word.starts_with("http://")).expect("a URL");
        Program { url: url.to_owned(), child }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Waits until the `number`th run is over.
fn until_over(page: &mut Chromium, number: u32) {
    page.until(&format!(
        "document.body.dataset.run === '{number}' && document.body.dataset.over === 'true'"
    ));
    let broken = page.texts("#checks .broken");
    assert!(broken.is_empty(), "{broken:?}");
    assert_eq!(page.texts("#checks li").len(), 3);
}

fn pills(page: &mut Chromium) -> Vec<String> {
    page.texts(".node .pill")
}

/// What each service was granted, in the order of the hops.
fn granted(page: &mut Chromium) -> Vec<f64> {
    let words = page.ask(
        "[...document.querySelectorAll('.mesh .left')].map((it) => it.textContent.split(' of ')[1])",
    );
    let seconds =
        |words: &serde_json::Value| words.as_str()?.strip_suffix(" s left")?.parse::<f64>().ok();
    words.as_array().expect("services").iter().filter_map(seconds).collect()
}

#[test]
fn the_page_shows_what_happened() {
    let Some(mut page) = Chromium::start() else {
        eprintln!("skipped: no `chromium` here (Debian's package of that name has it)");
        return;
    };
    let program = Program::start();
    page.size(1360, 900);
    page.theme("light");
    page.open(&program.url);
    page.until("document.body.dataset.over === 'true'");
    page.screenshot("before-light");

    in_time(&mut page);
    slow(&mut page);
    the_client_leaves(&mut page);
    malformed(&mut page);
    hang_up(&mut page);
    by_keyboard(&mut page);
    what_is_downloaded(&mut page);
    themes_and_sizes(&mut page);
    the_page_comes_late(&mut page, &program.url);
}

fn in_time(page: &mut Chromium) {
    page.click("[data-act='in-time']");
    until_over(page, 1);
    assert!(page.text("#title").contains("The answer is 200"));
    assert_eq!(pills(page), ["got 200", "answered", "answered", "answered", "booked"]);
    let granted = granted(page);
    assert_eq!(granted.len(), 3, "{granted:?}");
    assert!(granted.is_sorted_by(|one, two| one > two) && granted[0] <= 3.6, "{granted:?}");
    let rows = page.texts("#rows .name");
    let expected = [
        "→ gateway",
        "gateway /checkout",
        "→ auth",
        "auth /authorize",
        "→ orders",
        "orders /orders",
        "→ ledger",
    ];
    assert_eq!(rows, expected);
    // The trace and a budget for all, who asks for those behind auth, and nothing of it for the stranger.
    assert_eq!(page.texts("#wire thead th"), ["header", "gateway", "auth", "orders", "ledger"]);
    let baggage = page.texts("#wire tbody tr:nth-child(2) td");
    assert_eq!(baggage, ["none", "none", "user.id=7,tenant=acme", "none"]);
    let traces = page.texts("#wire td .same");
    assert!(traces.len() == 4 && traces[1..].iter().all(|id| *id == traces[1]), "{traces:?}");
    page.screenshot("in-time-light");
}

fn slow(page: &mut Chromium) {
    page.click("[data-act='slow']");
    page.until("document.querySelector('[data-service=orders]').dataset.state === 'working'");
    let width = "parseFloat(document.querySelector('[data-service=orders] .budget b').style.width)";
    let before = page.ask(width).as_f64().expect("a width");
    page.until(&format!("{width} < {before} - 5"));
    // A press while something is under way does nothing.
    page.click("[data-act='in-time']");
    page.screenshot("slow-under-way-light");
    until_over(page, 2);
    assert!(page.text("#title").contains("The answer is 504"));
    assert_eq!(pills(page), ["got 504", "unwound", "unwound", "unwound", "booked"]);
    let log = page.text("#log");
    assert!(log.contains("x-deadline-exceeded: server"), "{log}");
    assert!(log.contains("gave the piano back"), "{log}");
    assert_eq!(page.ask("document.querySelectorAll('.bar.cover').length"), 1, "one shield");
    assert_eq!(page.ask("document.querySelectorAll('.ruler .deadline').length"), 1);
    page.screenshot("slow-light");
}

fn the_client_leaves(page: &mut Chromium) {
    page.click("[data-act='leave']");
    until_over(page, 3);
    assert!(page.text("#title").contains("It left"));
    // Whether the ledger had answered yet is the machine's business.
    assert_eq!(pills(page)[..4], ["left", "unwound", "unwound", "unwound"]);
    let log = page.text("#log");
    assert_eq!(log.matches("unwound: the client disconnected").count(), 3, "{log}");
    assert!(log.contains("gave the piano back"), "{log}");
    page.screenshot("leave-light");
}

fn malformed(page: &mut Chromium) {
    page.click("[data-act='malformed']");
    until_over(page, 4);
    assert!(page.text("#title").contains("The answer is 200"));
    assert_eq!(pills(page), ["got 200", "passed by", "answered", "answered", "booked"]);
    let dropped = page.texts("[data-service='auth'] .chips .dropped");
    assert_eq!(dropped, ["traceparent dropped", "baggage dropped", "x-timeout-ms dropped"]);
    // Of baggage only the member that nobody can read goes.
    let kept = page.texts("[data-service='auth'] .chips span:not(.dropped)");
    assert_eq!(kept, ["locale=en", "tier=gold"]);
    assert_eq!(page.texts("#wire td s"), ["00-not-a-trace-id-01", "soon"]);
    page.screenshot("malformed-light");
}

fn hang_up(page: &mut Chromium) {
    page.click("[data-act='slow']");
    page.until("document.querySelector('[data-service=orders]').dataset.state === 'working'");
    page.click("#leave");
    until_over(page, 5);
    assert_eq!(pills(page)[..4], ["left", "unwound", "unwound", "unwound"]);
    assert!(page.text("#log").contains("closes its connection"));
}

fn by_keyboard(page: &mut Chromium) {
    page.ask("document.activeElement.blur(); window.getSelection().removeAllRanges(); window.scrollTo(0, 0)");
    // From the top of the page: the way past the header, the theme, the first button.
    page.ask("document.body.tabIndex = -1; document.body.focus(); document.body.removeAttribute('tabindex')");
    for _ in 0..3 {
        page.key("Tab");
    }
    assert_eq!(page.ask("document.activeElement.dataset.act"), "in-time");
    page.key("Enter");
    until_over(page, 6);
    page.key("3");
    until_over(page, 7);
    assert_eq!(page.ask("document.activeElement.dataset.act"), "leave", "where the key led");
    page.ask("document.querySelector('#rows button').focus()");
    page.key("ArrowDown");
    page.key("Enter");
    assert_eq!(page.ask("document.activeElement.getAttribute('aria-expanded')"), "true");
    let details = page.text("#details");
    assert!(details.contains("request in gateway") && details.contains("trace_id"), "{details}");
    page.key("2");
    page.until("document.querySelector('[data-service=orders]').dataset.state === 'working'");
    page.key("l");
    until_over(page, 8);
    assert!(page.text("#title").contains("It left"));
}

fn what_is_downloaded(page: &mut Chromium) {
    let text = page.ask("fetch('/trace.json').then((answer) => answer.text())");
    let trace = serde_json::from_str(text.as_str().expect("text")).expect("JSON");
    trace_format::check(&trace);
    let spans = trace_format::of_phase(&trace, "X");
    assert!(spans.iter().any(|span| span["name"] == "orders /orders"), "{spans:#?}");
}

fn themes_and_sizes(page: &mut Chromium) {
    let ground = "getComputedStyle(document.body).backgroundColor";
    let light = page.ask(ground);
    page.theme("dark");
    let dark = page.ask(ground);
    assert_ne!(light, dark, "the system's theme is taken");
    page.key("2");
    until_over(page, 9);
    page.ask("document.querySelector('#rows button').focus()");
    page.screenshot("slow-dark");
    page.click("#theme");
    assert_eq!(page.ask(ground), light, "the button's wins");
    page.click("#theme");
    assert_eq!(page.ask(ground), dark);
    page.click("#theme");
    for width in [1360, 1024, 768, 390] {
        page.size(width, 900);
        let wide = page.ask("document.scrollingElement.scrollWidth");
        assert!(wide.as_u64() <= Some(u64::from(width)), "{wide} at a width of {width}");
        page.screenshot(&format!("width-{width}-dark"));
    }
}

/// Who opens the page when all is over sees all the same.
fn the_page_comes_late(page: &mut Chromium, url: &str) {
    page.size(1360, 900);
    page.open("about:blank");
    page.open(url);
    until_over(page, 9);
    assert_eq!(page.texts("#rows .name").len(), 7);
    assert!(page.text("#title").contains("The answer is 504"));
}
