//! Measures a template: `cargo run --release -p overture-template --example bench -- TEMPLATE.liquid DATA.json`
//!
//! Prints one JSON object: microseconds and allocations of a rendering, microseconds of a parse,
//! on one core; the best of several rounds, because a busy machine can only add time.
#![expect(clippy::print_stdout, reason = "the report is what it is for")]
#![expect(clippy::disallowed_methods, reason = "a benchmark takes the time")]
#![expect(
    unsafe_code,
    reason = "a global allocator that counts can't be written without"
)]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    error::Error,
    hint::black_box,
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

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let (Some(template), Some(data)) = (args.next(), args.next()) else {
        return Err("usage: bench TEMPLATE.liquid DATA.json".into());
    };
    let source = std::fs::read_to_string(template)?;
    let data: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(data)?)?;
    let mode = Mode::product(Context::Html);
    let parse =
        || Template::parse(black_box(&source), mode).map_err(|errors| errors[0].to_string());
    let template = parse()?;
    let tags = JsonTags(&data);
    let now = jiff::Timestamp::UNIX_EPOCH.to_zoned(jiff::tz::TimeZone::UTC);
    let options = RenderOptions::new(Seed::new("enr_1", "stp_1"), now);
    let render = || template.render(black_box(&tags), &options);

    let before = ALLOCATIONS.load(Ordering::Relaxed);
    let rendered = render()?;
    let allocations = ALLOCATIONS.load(Ordering::Relaxed) - before;
    let report = serde_json::json!({
        "template.render_us": micros(50_000, || drop(black_box(render()))),
        "template.parse_us": micros(1_000, || drop(black_box(parse()))),
        "template.allocations": allocations,
        "template.bytes": rendered.text.len(),
    });
    println!("{report}");
    Ok(())
}

/// Microseconds of one `run`: the best of nine rounds.
fn micros(times: u32, run: impl Fn()) -> f64 {
    let round = |_| {
        let start = Instant::now();
        (0..times).for_each(|_| run());
        start.elapsed().as_secs_f64() * 1e6 / f64::from(times)
    };
    let best = (0..9).map(round).fold(f64::INFINITY, f64::min);
    (best * 1e3).round() / 1e3
}
