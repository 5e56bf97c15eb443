//! `cargo ctxprop migrate` on a small service (`tests/service`), in a copy of it, with the real cargo.
//!
//! What is asserted is what the migration promises, and not each call that the compiler asks it to mend: with a macro that
//! reaches further there are fewer of those.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

struct Service {
    folder: PathBuf,
}

impl Service {
    /// A fresh copy. It takes the versions of this workspace, which are there already.
    fn new(name: &str) -> Service {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        if folder.exists() {
            fs::remove_dir_all(&folder).unwrap();
        }
        copy(&here.join("tests/service"), &folder);
        fs::copy(here.join("../Cargo.lock"), folder.join("Cargo.lock")).unwrap();
        Service { folder }
    }

    fn run(&self, program: &str, arguments: &[&str]) -> Output {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(&self.folder);
        // one for all copies, so that dependencies are built once
        command.env("CARGO_TARGET_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("built"));
        command.env_remove("RUSTFLAGS").output().unwrap()
    }

    fn migrate(&self, arguments: &[&str]) -> Output {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let common = ["ctxprop", "migrate", "--ctxprop-path", workspace.to_str().unwrap()];
        let sets = ["--set", "", "--set", "--features audit"];
        self.run(env!("CARGO_BIN_EXE_cargo-ctxprop"), &[&common, &sets, arguments].concat())
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.folder.join(path)).unwrap()
    }

    fn files(&self) -> Vec<(PathBuf, String)> {
        let mut files = Vec::new();
        for below in ["", "src", "tests"] {
            for entry in fs::read_dir(self.folder.join(below)).unwrap() {
                let path = entry.unwrap().path();
                if path.is_file() && path.file_name().unwrap() != "Cargo.lock" {
                    files.push((path.clone(), fs::read_to_string(path).unwrap()));
                }
            }
        }
        files.sort();
        files
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The lines of a file that are about something.
fn lines<'a>(text: &'a str, about: &str) -> Vec<&'a str> {
    text.lines().map(str::trim).filter(|line| line.contains(about)).collect()
}

#[test]
fn a_service_is_migrated_and_its_tests_pass() {
    let service = Service::new("service");
    let before = service.files();

    let dry = service.migrate(&["--dry-run"]);
    let report = text(&dry.stderr);
    assert!(dry.status.success(), "{report}");
    assert!(report.contains(" 24  functions annotated"), "{report}");
    let diff = text(&dry.stdout);
    assert!(diff.contains("--- a/src/store.rs\n+++ b/src/store.rs\n@@"), "{diff}");
    assert_eq!(lines(&diff, "+#[propagate(boxed)]").len(), 2, "{diff}");
    assert_eq!(service.files(), before, "`--dry-run` edits nothing");

    let done = service.migrate(&[]);
    assert!(done.status.success(), "{}{}", text(&done.stdout), text(&done.stderr));
    let report = text(&done.stdout);
    assert!(report.contains("0  places left"), "{report}");
    assert!(report.contains("To decide:\n  src/handlers.rs:37: [detached-task]"), "{report}");
    let (_, look) = report.split_once("To look at:\n").unwrap();
    assert!(look.contains("  src/greeter.rs:18: its methods run under"), "{report}");
    let (_, yours) = report.split_once("To do, for it to take effect:\n").unwrap();
    assert!(yours.contains("src/main.rs:") && yours.contains("`ctxprop_axum::serve`"), "{report}");

    let tests = service.run("cargo", &["test", "--features", "audit"]);
    assert!(tests.status.success(), "{}{}", text(&tests.stdout), text(&tests.stderr));

    what_became_of_it(&service);

    let again = service.migrate(&["--check"]);
    assert!(again.status.success(), "{}", text(&again.stderr));
    assert!(text(&again.stdout).contains(" 0  functions annotated"), "{}", text(&again.stdout));
    assert!(text(&again.stdout).contains(" 0  files changed"), "{}", text(&again.stdout));
}

fn what_became_of_it(service: &Service) {
    // traits under `#[async_trait]`
    let store = service.read("src/store.rs");
    assert_eq!(lines(&store, "use async_trait"), [""; 0], "{store}");
    assert!(store.contains("#[propagate(boxed)]\npub trait Store: Send + Sync {"), "{store}");
    assert!(store.contains("use ctxprop::{"), "{store}");
    assert!(store.contains("    async fn filled() -> Memory {"), "helpers of tests stay: {store}");
    // no context comes there
    assert!(store.contains("runtime.block_on(store.load(id).with(&Ctx::background()))"), "{store}");

    // a service of tonic's keeps what its generated trait asks for, and its calls need nothing
    let greeter = service.read("src/greeter.rs");
    assert!(greeter.contains("#[propagate]\n#[tonic::async_trait]\nimpl pb::Greeter"), "{greeter}");
    assert!(greeter.contains("self.store.load(request.into_inner()).await {"), "{greeter}");

    // traits whose methods return futures
    let clock = service.read("src/clock.rs");
    assert!(clock.contains("    async fn now(&self) -> u64;\n"), "{clock}");
    assert!(clock.contains("    {\n        self.now().await + by\n    }"), "{clock}");
    assert!(
        clock.contains("async fn wound(&self) {\n        std::future::ready(()).await\n"),
        "{clock}"
    );
    assert_eq!(lines(&clock, "use std::future::Future"), [""; 0], "{clock}");

    // handlers and middleware name their context, the others do not
    let handlers = service.read("src/handlers.rs");
    assert!(handlers.contains("pub async fn show(ctx: Ctx, State(store)"), "{handlers}");
    assert!(handlers.contains("replace(\n    ctx: Ctx,\n    State(store)"), "{handlers}");
    assert!(handlers.contains("async fn count(ctx: Ctx, request: Request"), "{handlers}");
    // of two layers in one stack rustc shows the outer one alone
    assert!(handlers.contains("async fn name(ctx: Ctx, request: Request"), "{handlers}");
    assert!(store.contains("pub async fn show(&self)"), "another function of that name: {store}");
    assert!(handlers.contains("async fn keep(store: &Shared"), "{handlers}");
    assert!(handlers.contains("store.load(0).with(&Ctx::current()).await"), "{handlers}");
    assert_eq!(lines(&handlers, "allow(detached_task").len(), 1, "{handlers}");
    let app = service.read("src/lib.rs");
    assert_eq!(lines(&app, "CtxLayer").len(), 1, "{app}");

    // entry points
    let main = service.read("src/main.rs");
    assert_eq!(lines(&main, "let ctx = Ctx::background();").len(), 1, "{main}");
    assert!(main.contains("    store.save(1, \"one\".to_owned()).with(&ctx).await;"), "{main}");
    assert!(!main.contains("#[propagate]"), "{main}");
    assert!(service.read("tests/api.rs").contains("when(&Fixed(1)).with(&ctx).await"));

    let manifest = service.read("Cargo.toml");
    assert_eq!(lines(&manifest, "ctxprop").len(), 2, "{manifest}");
}

/// A package without dependencies.
fn small(name: &str, lib: &str) -> Service {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    if folder.exists() {
        fs::remove_dir_all(&folder).unwrap();
    }
    fs::create_dir_all(folder.join("src")).unwrap();
    let manifest = "[package]\nname = \"small\"\nedition = \"2024\"\n\n[features]\naudit = []\n\n[workspace]\n";
    fs::write(folder.join("Cargo.toml"), manifest).unwrap();
    fs::write(folder.join("src/lib.rs"), lib).unwrap();
    fs::copy(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.lock"),
        folder.join("Cargo.lock"),
    )
    .unwrap();
    Service { folder }
}

#[test]
fn what_does_not_compile_is_not_begun() {
    let service =
        small("broken", "#[cfg(feature = \"audit\")]\npub async fn record() {\n    nothing()\n}\n");
    let output = service.migrate(&[]);
    assert_eq!(output.status.code(), Some(2));
    let says = text(&output.stderr);
    assert!(says.contains("does not compile as it is"), "{says}");
    assert!(says.contains("cannot find function `nothing`"), "{says}");
    assert!(!service.read("src/lib.rs").contains("propagate"));
}

#[test]
fn what_is_not_understood_is_left_and_listed() {
    // An implementation that a macro of the crate writes: nobody sees it by syntax, and its trait has the attribute.
    let lib = "pub trait Store {
    fn load(&self) -> impl Future<Output = u8> + Send;
}

macro_rules! empty {
    ($name:ident) => {
        pub struct $name;
        impl Store for $name {
            async fn load(&self) -> u8 {
                0
            }
        }
    };
}
empty!(Nothing);
";
    let service = small("left", lib);
    let output = service.migrate(&["--dry-run"]);
    let says = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{says}");
    let left = says.split("Not understood, and left to you:").nth(1).unwrap_or_default();
    assert!(left.contains("  src/lib.rs:"), "{says}");
}
