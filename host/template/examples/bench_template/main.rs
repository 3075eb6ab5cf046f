//! Measures how fast a typical cold mail is parsed and rendered, and how many allocations that
//! takes: `cargo xtask bench template`, or
//! `cargo run --release -p overture-template --example bench_template -- --json`.
//!
//! With `LIQUIDJS=FOLDER`, the folder in which `npm install liquidjs` was run, LiquidJS renders the
//! same mail in the same run. Five runs on one core, ours and theirs by turns; each line is the
//! median with the lowest and the highest run. The time of a run is the best of several rounds,
//! because a busy machine can only add to it.
#![expect(clippy::print_stdout, reason = "the report is what it is for")]
#![expect(clippy::disallowed_methods, reason = "a benchmark takes the time")]
#![expect(
    unsafe_code,
    reason = "a global allocator that counts can't be written without"
)]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    error::Error,
    ffi::OsStr,
    hint::black_box,
    process::Command,
    sync::atomic::{AtomicU64, Ordering},
    time::Instant,
};

use overture_template::{Context, JsonTags, Mode, RenderOptions, Seed, Template};

struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

// SAFETY: every call is handed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        unsafe { System.dealloc(place, layout) }
    }
    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        unsafe { System.realloc(place, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const RUNS: usize = 5;
const MAIL: &str = include_str!("mail.liquid");
const DATA: &str = include_str!("mail.json");

fn main() -> Result<(), Box<dyn Error>> {
    let json = std::env::args().any(|arg| arg == "--json");
    let data: serde_json::Value = serde_json::from_str(DATA)?;
    let mode = Mode::product(Context::Html);
    let parse = || Template::parse(black_box(MAIL), mode).map_err(|errors| errors[0].to_string());
    let template = parse()?;
    let tags = JsonTags(&data);
    let now = jiff::Timestamp::UNIX_EPOCH.to_zoned(jiff::tz::TimeZone::UTC);
    let options = RenderOptions::new(Seed::new("enr_1", "stp_1"), now);
    let render = || template.render(black_box(&tags), &options);

    let before = ALLOCATIONS.load(Ordering::Relaxed);
    render()?;
    let allocations = ALLOCATIONS.load(Ordering::Relaxed) - before;
    let peer = std::env::var_os("LIQUIDJS");
    let (mut ours, mut parses, mut theirs) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..RUNS {
        ours.push(micros(50_000, || drop(black_box(render()))));
        parses.push(micros(2_000, || drop(black_box(parse()))));
        if let Some(folder) = &peer {
            theirs.push(liquidjs(folder)?);
        }
    }
    let line = |name, unit, peer, values: Vec<f64>| print(json, name, unit, peer, values);
    line("render_us", "µs", None, ours.clone());
    line(
        "renders_per_s",
        "1/s",
        None,
        ours.iter().map(|us| 1e6 / us).collect(),
    );
    line("parse_us", "µs", None, parses);
    line("allocations", "allocations", None, vec![allocations as f64]);
    if peer.is_some() {
        let ratios = theirs.iter().zip(&ours).map(|(theirs, ours)| theirs / ours);
        let ratios = ratios.collect();
        line("liquidjs_us", "µs", None, theirs);
        line("vs_liquidjs", "ratio", Some("liquidjs"), ratios);
    }
    Ok(())
}

/// One metric: the median of its runs with the lowest and the highest (DESIGN §6).
fn print(json: bool, name: &str, unit: &str, peer: Option<&str>, mut values: Vec<f64>) {
    values.sort_by(f64::total_cmp);
    let (value, min, max) = (
        values[values.len() / 2],
        values[0],
        values[values.len() - 1],
    );
    if !json {
        println!("template.{name:16} {value:>12.3} {unit:12} ({min:.3} to {max:.3})");
        return;
    }
    let peer = peer.map_or_else(String::new, |peer| {
        format!(r#","ratio":{value:.3},"peer":"{peer}""#)
    });
    println!(
        r#"{{"name":"template.{name}","value":{value:.3},"unit":"{unit}","min":{min:.3},"max":{max:.3}{peer}}}"#
    );
}

/// Microseconds of a rendering by LiquidJS.
fn liquidjs(folder: &OsStr) -> Result<f64, Box<dyn Error>> {
    let script = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/examples/bench_template/liquidjs.mjs"
    );
    let run = Command::new("node").arg(script).arg(folder).output()?;
    if !run.status.success() {
        return Err(String::from_utf8_lossy(&run.stderr).into());
    }
    Ok(String::from_utf8(run.stdout)?.trim().parse()?)
}

/// Microseconds of one `run`: the best of five rounds.
fn micros(times: u32, run: impl Fn()) -> f64 {
    let round = |_| {
        let start = Instant::now();
        (0..times).for_each(|_| run());
        start.elapsed().as_secs_f64() * 1e6 / f64::from(times)
    };
    (0..5).map(round).fold(f64::INFINITY, f64::min)
}
